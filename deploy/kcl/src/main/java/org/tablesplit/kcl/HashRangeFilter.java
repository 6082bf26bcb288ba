package org.tablesplit.kcl;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.filter.Filter;
import ch.qos.logback.core.spi.FilterReply;

/**
 * Drops one message of KCL's log: "Incomplete hash range found", an error every two minutes that means nothing here.
 *
 * <p>Shards of a DynamoDB stream have no hash ranges. The logger's other errors are real, so it is not silenced.
 */
public final class HashRangeFilter extends Filter<ILoggingEvent> {
    @Override public FilterReply decide(ILoggingEvent event) {
        boolean harmless = event.getLoggerName().endsWith(".PeriodicShardSyncManager")
                && event.getMessage().startsWith("Incomplete hash range found");
        return harmless ? FilterReply.DENY : FilterReply.NEUTRAL;
    }
}
