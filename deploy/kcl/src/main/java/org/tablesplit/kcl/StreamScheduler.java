package org.tablesplit.kcl;

import com.amazonaws.services.dynamodbv2.streamsadapter.AmazonDynamoDBStreamsAdapterClient;
import com.amazonaws.services.dynamodbv2.streamsadapter.StreamsSchedulerFactory;
import com.amazonaws.services.dynamodbv2.streamsadapter.polling.DynamoDBStreamsPollingConfig;
import java.util.HashMap;
import java.util.Map;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.coordinator.CoordinatorConfig;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.coordinator.WorkerStateChangeListener;
import software.amazon.kinesis.leases.LeaseManagementConfig;
import software.amazon.kinesis.lifecycle.LifecycleConfig;
import software.amazon.kinesis.metrics.MetricsConfig;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.multilang.config.ConfigurationSettableUtils;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;
import software.amazon.kinesis.processor.ProcessorConfig;
import software.amazon.kinesis.retrieval.RetrievalConfig;

/** KCL's configuration for one stream, made from its properties file, and the scheduler that runs it. */
final class StreamScheduler {
    final CoordinatorConfig coordinator;
    final LeaseManagementConfig leases;
    final LifecycleConfig lifecycle;
    final MetricsConfig metrics;
    final ProcessorConfig processor;
    final RetrievalConfig retrieval;
    final DynamoDBStreamsPollingConfig polling;
    private final ConfigsBuilder kcl;
    private final AmazonDynamoDBStreamsAdapterClient streams;

    StreamScheduler(StreamSettings settings, Clients clients, WorkerStateChangeListener listener) {
        streams = clients.streams(settings);
        kcl = new ConfigsBuilder(
                StreamsSchedulerFactory.createSingleStreamTracker(settings.shownArn(), settings.initialPosition()),
                settings.kcl().getApplicationName(), streams, clients.dynamo(settings), Clients.noCloudWatch(),
                settings.kcl().getWorkerIdentifier(),
                () -> new ChildProcessor(settings.daemon().getRecordProcessorFactory().shardRecordProcessor()));
        kcl.tableName(settings.leaseTable());
        coordinator = kcl.coordinatorConfig();
        leases = kcl.leaseManagementConfig();
        lifecycle = kcl.lifecycleConfig();
        metrics = kcl.metricsConfig();
        processor = kcl.processorConfig();
        retrieval = kcl.retrievalConfig();
        copyProperties(settings.kcl());

        coordinator.workerStateChangeListener(listener);
        coordinator.skipShardSyncAtWorkerInitializationIfLeasesExist(true); // the adapter sets it too, with a warning
        leases.leasesRecoveryAuditorInconsistencyConfidenceThreshold(0); // likewise
        leases.initialPositionInStream(settings.initialPosition());
        metrics.metricsFactory(new NullMetricsFactory());
        processor.callProcessRecordsEvenForEmptyRecordList(true); // an empty read tells the child how far the shard is read

        polling = new DynamoDBStreamsPollingConfig(streams);
        polling.maxRecords(settings.maxRecords());
        polling.idleTimeBetweenReadsInMillis(settings.idleMillis());
        polling.recordsFetcherFactory().maxPendingProcessRecordsInput(1); // little is read ahead of the child
        retrieval.retrievalSpecificConfig(polling);
    }

    /** Copies every property that has a @ConfigurationSettable field to the KCL object that owns it. */
    private void copyProperties(MultiLangDaemonConfiguration from) {
        Map<Class<?>, Object> owners = new HashMap<>();
        for (Object owner : new Object[] {coordinator, leases, lifecycle, metrics, processor}) {
            owners.put(owner.getClass(), owner);
        }
        ConfigurationSettableUtils.resolveFields(from, owners, null, null);
        ConfigurationSettableUtils.resolveFields(
                from.getCoordinatorStateTableConfigBean(), coordinator.coordinatorStateTableConfig());
        ConfigurationSettableUtils.resolveFields(
                from.getGracefulLeaseHandoffConfigBean(), leases.gracefulLeaseHandoffConfig());
        ConfigurationSettableUtils.resolveFields(
                from.getWorkerUtilizationAwareAssignmentConfigBean(), leases.workerUtilizationAwareAssignmentConfig());
        ConfigurationSettableUtils.resolveFields(from.getWorkerMetricStatsTableConfigBean(),
                leases.workerUtilizationAwareAssignmentConfig().workerMetricsTableConfig());
    }

    Scheduler create() {
        return StreamsSchedulerFactory.createScheduler(
                kcl.checkpointConfig(), coordinator, leases, lifecycle, metrics, processor, retrieval, streams);
    }
}
