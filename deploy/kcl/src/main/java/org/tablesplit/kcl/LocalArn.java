package org.tablesplit.kcl;

import software.amazon.awssdk.services.dynamodb.model.DescribeStreamRequest;
import software.amazon.awssdk.services.dynamodb.model.DescribeStreamResponse;
import software.amazon.awssdk.services.dynamodb.model.GetShardIteratorRequest;
import software.amazon.awssdk.services.dynamodb.model.GetShardIteratorResponse;
import software.amazon.awssdk.services.dynamodb.streams.DynamoDbStreamsClient;

/**
 * DynamoDB Local only: its streams are in a region "ddblocal", which adapter 2.0.x does not know and refuses.
 *
 * <p>The adapter is shown a real region; each request gets the local one back.
 */
final class LocalArn extends ForwardingStreamsClient {
    private static final String LOCAL = ":ddblocal:";
    private final String region;

    LocalArn(DynamoDbStreamsClient next, String region) {
        super(next);
        this.region = region;
    }

    static boolean isLocal(String streamArn) {
        return streamArn.contains(LOCAL);
    }

    static String shownAs(String region, String streamArn) {
        return streamArn.replace(LOCAL, ":" + region + ":");
    }

    private String local(String streamArn) {
        return streamArn.replace(":" + region + ":", LOCAL);
    }

    @Override public DescribeStreamResponse describeStream(DescribeStreamRequest request) {
        return super.describeStream(request.toBuilder().streamArn(local(request.streamArn())).build());
    }

    @Override public GetShardIteratorResponse getShardIterator(GetShardIteratorRequest request) {
        return super.getShardIterator(request.toBuilder().streamArn(local(request.streamArn())).build());
    }
}
