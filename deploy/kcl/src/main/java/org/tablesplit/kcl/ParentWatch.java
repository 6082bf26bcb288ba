package org.tablesplit.kcl;

import java.io.IOException;
import java.io.InputStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ends the JVM when the parent dies: the parent holds our stdin open, so its end is the parent's end.
 *
 * <p>It halts, without a graceful shutdown: a new parent may have started a new reader of the same shards already.
 * The children see the end of their own stdin.
 */
final class ParentWatch {
    private static final Logger LOG = LoggerFactory.getLogger(ParentWatch.class);

    private ParentWatch() {}

    static Thread start(InputStream stdin, Exit.Halt halt) {
        Thread watch = new Thread(() -> {
            awaitEnd(stdin);
            LOG.error("stdin has ended: the parent process is gone");
            halt.now(Exit.ORPHANED);
        }, "parent-watch");
        watch.setDaemon(true);
        watch.start();
        return watch;
    }

    private static void awaitEnd(InputStream stdin) {
        byte[] ignored = new byte[256];
        try {
            while (stdin.read(ignored) >= 0) {
                // what a parent writes has no meaning
            }
        } catch (IOException e) {
            LOG.warn("stdin cannot be read", e);
        }
    }
}
