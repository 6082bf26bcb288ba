package org.tablesplit.kcl;

import com.amazonaws.services.dynamodbv2.streamsadapter.model.DynamoDBStreamsProcessRecordsInput;
import com.amazonaws.services.dynamodbv2.streamsadapter.processor.DynamoDBStreamsShardRecordProcessor;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.processor.ShardRecordProcessor;

/** One shard's child process, in the type that the adapter asks for: it refuses KCL's plain processor. */
final class ChildProcessor implements DynamoDBStreamsShardRecordProcessor {
    private final ShardRecordProcessor child;

    ChildProcessor(ShardRecordProcessor child) {
        this.child = child;
    }

    @Override public void initialize(InitializationInput input) { child.initialize(input); }

    @Override public void processRecords(ProcessRecordsInput input) { child.processRecords(input); }

    @Override public void processRecords(DynamoDBStreamsProcessRecordsInput input) {
        throw new UnsupportedOperationException("records go to the child process");
    }

    @Override public void leaseLost(LeaseLostInput input) { child.leaseLost(input); }

    @Override public void shardEnded(ShardEndedInput input) { child.shardEnded(input); }

    @Override public void shutdownRequested(ShutdownRequestedInput input) { child.shutdownRequested(input); }
}
