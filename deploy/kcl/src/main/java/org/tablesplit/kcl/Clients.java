package org.tablesplit.kcl;

import com.amazonaws.services.dynamodbv2.streamsadapter.AmazonDynamoDBStreamsAdapterClient;
import com.amazonaws.services.dynamodbv2.streamsadapter.AmazonDynamoDBStreamsAdapterClient.SkipRecordsBehavior;
import java.net.URI;
import java.util.HashMap;
import java.util.Map;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.dynamodb.streams.DynamoDbStreamsClient;

/**
 * The SDK clients; streams of one region, with the same endpoints and credentials, share them.
 *
 * <p>They live as long as the JVM, whose end closes their sockets: Netty's own close would add two seconds to each stop.
 */
final class Clients {
    private record Place(Region region, URI streams, URI dynamo, String credentials, boolean local) {}

    private record Pair(AmazonDynamoDBStreamsAdapterClient streams, DynamoDbAsyncClient dynamo) {}

    private final Events events;
    private final Exit.Halt halt;
    private final Map<Place, Pair> pairs = new HashMap<>();

    Clients(Events events, Exit.Halt halt) {
        this.events = events;
        this.halt = halt;
    }

    AmazonDynamoDBStreamsAdapterClient streams(StreamSettings settings) { return pair(settings).streams(); }

    DynamoDbAsyncClient dynamo(StreamSettings settings) { return pair(settings).dynamo(); }

    /** KCL wants such a client even when it is told to send no metrics. This one can send nothing. */
    static CloudWatchAsyncClient noCloudWatch() {
        return new CloudWatchAsyncClient() {
            @Override public String serviceName() { return SERVICE_NAME; }

            @Override public void close() {}
        };
    }

    private synchronized Pair pair(StreamSettings s) {
        Place place = new Place(s.region(), s.streamsEndpoint(), s.dynamoEndpoint(), s.credentialsName(),
                LocalArn.isLocal(s.stream()));
        return pairs.computeIfAbsent(place, ignored -> {
            AwsCredentialsProvider credentials = s.credentials();
            return new Pair(
                    adapter(place, credentials),
                    at(DynamoDbAsyncClient.builder(), s.region(), credentials, s.dynamoEndpoint()).build());
        });
    }

    private AmazonDynamoDBStreamsAdapterClient adapter(Place place, AwsCredentialsProvider credentials) {
        DynamoDbStreamsClient sdk = at(DynamoDbStreamsClient.builder(), place.region(), credentials, place.streams())
                .build();
        DynamoDbStreamsClient client = new LossGuard(sdk, events, halt);
        if (place.local()) {
            client = new LocalArn(client, place.region().id());
        }
        AmazonDynamoDBStreamsAdapterClient adapter = new AmazonDynamoDBStreamsAdapterClient(client, place.region());
        adapter.setSkipRecordsBehavior(SkipRecordsBehavior.KCL_RETRY); // the default skips lost records with a warning
        return adapter;
    }

    private static <B extends AwsClientBuilder<B, ?>> B at(B b, Region region, AwsCredentialsProvider c, URI endpoint) {
        b.region(region).credentialsProvider(c);
        return endpoint == null ? b : b.endpointOverride(endpoint);
    }
}
