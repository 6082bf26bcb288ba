package org.tablesplit.kcl;

import software.amazon.awssdk.services.dynamodb.model.DescribeStreamRequest;
import software.amazon.awssdk.services.dynamodb.model.DescribeStreamResponse;
import software.amazon.awssdk.services.dynamodb.model.GetRecordsRequest;
import software.amazon.awssdk.services.dynamodb.model.GetRecordsResponse;
import software.amazon.awssdk.services.dynamodb.model.GetShardIteratorRequest;
import software.amazon.awssdk.services.dynamodb.model.GetShardIteratorResponse;
import software.amazon.awssdk.services.dynamodb.streams.DynamoDbStreamsClient;

/**
 * A streams client that hands every call of the adapter to another one; subclasses change what they need to.
 *
 * <p>Not an interceptor of the SDK, because such a one may not answer with another kind of exception.
 */
abstract class ForwardingStreamsClient implements DynamoDbStreamsClient {
    private final DynamoDbStreamsClient next;

    ForwardingStreamsClient(DynamoDbStreamsClient next) {
        this.next = next;
    }

    @Override public DescribeStreamResponse describeStream(DescribeStreamRequest request) {
        return next.describeStream(request);
    }

    @Override public GetShardIteratorResponse getShardIterator(GetShardIteratorRequest request) {
        return next.getShardIterator(request);
    }

    @Override public GetRecordsResponse getRecords(GetRecordsRequest request) {
        return next.getRecords(request);
    }

    @Override public String serviceName() { return next.serviceName(); }

    @Override public void close() { next.close(); }
}
