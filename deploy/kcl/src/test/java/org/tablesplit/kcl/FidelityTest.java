package org.tablesplit.kcl;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.amazonaws.services.dynamodbv2.streamsadapter.adapter.DynamoDBStreamsClientRecord;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.streams.DynamoDbStreamsClient;

/** What the service sends is what a child gets: every type of value through the SDK and the adapter, unchanged. */
class FidelityTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String IMAGE = """
            {"s":{"S":"\u00e9\ud83d\ude00\\u2028\\u0000\\"\\\\"},"es":{"S":""},"n":{"N":"1.10E+30"},"n0":{"N":"-0.00010"},
             "n38":{"N":"12345678901234567890123456789012345678"},"small":{"N":"1E-130"},
             "b":{"B":"AP+A"},"eb":{"B":""},"t":{"BOOL":true},"f":{"BOOL":false},"nul":{"NULL":true},
             "ss":{"SS":["b","a",""]},"ns":{"NS":["1.0","2E-5","-3"]},"bs":{"BS":["/wA=",""]},
             "l":{"L":[]},"m":{"M":{}},"":{"S":"no name"},
             "deep":{"L":[{"L":[]},{"M":{}},{"S":""},{"NULL":true},{"B":""},{"BS":["AA=="]},
                          {"M":{"S":{"N":"5"},"x":{"L":[{"M":{"y":{"M":{}}}}]}}}]}}""";

    private static JsonNode throughTheAdapter(String record) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("localhost", 0), 0);
        byte[] body = ("{\"Records\":[" + record + "],\"NextShardIterator\":\"i\"}").getBytes(StandardCharsets.UTF_8);
        server.createContext("/", exchange -> {
            exchange.getRequestBody().readAllBytes();
            exchange.getResponseHeaders().add("Content-Type", "application/x-amz-json-1.0");
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        try (DynamoDbStreamsClient client = DynamoDbStreamsClient.builder()
                .region(Region.EU_WEST_1)
                .credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("a", "b")))
                .endpointOverride(URI.create("http://localhost:" + server.getAddress().getPort()))
                .build()) {
            var read = client.getRecords(r -> r.shardIterator("i")).records().get(0);
            return JSON.readTree(DynamoDBStreamsClientRecord.fromRecord(read).data().array());
        } finally {
            server.stop(0);
        }
    }

    @Test void everyValueIsPassedOnUnchanged() throws Exception {
        ObjectNode record = (ObjectNode) JSON.readTree("""
                {"eventID":"e","eventName":"MODIFY","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"r",
                 "dynamodb":{"Keys":{"k":{"S":"1"}},"SequenceNumber":"000000000000000000371","SizeBytes":12,
                             "StreamViewType":"NEW_AND_OLD_IMAGES"}}""");
        ((ObjectNode) record.get("dynamodb")).set("NewImage", JSON.readTree(IMAGE));
        ((ObjectNode) record.get("dynamodb")).set("OldImage", JSON.readTree(IMAGE));
        assertEquals(record.deepCopy(), throughTheAdapter(record.toString()));
    }

    /** The three things that do change. */
    @Test void absentImagesTimesAndTheIdentityAreWrittenOtherwise() throws Exception {
        JsonNode got = throughTheAdapter("""
                {"eventName":"REMOVE","userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"},
                 "dynamodb":{"ApproximateCreationDateTime":1700000000.125,"Keys":{"k":{"N":"1"}},"SequenceNumber":"1"}}""");
        assertEquals("{}", got.at("/dynamodb/NewImage").toString());
        assertEquals("{}", got.at("/dynamodb/OldImage").toString());
        assertEquals(1700000000125L, got.at("/dynamodb/ApproximateCreationDateTime").asLong());
        assertEquals("{\"principalId\":\"dynamodb.amazonaws.com\",\"type\":\"Service\"}", got.get("userIdentity").toString());
    }

    /** DynamoDB Local sends an empty map as a value without a type, and so it arrives. */
    @Test void aValueWithoutATypeStaysOne() throws Exception {
        JsonNode got = throughTheAdapter("""
                {"eventName":"INSERT","dynamodb":{"SequenceNumber":"1","NewImage":{"m":{},"l":{"L":[{}]}}}}""");
        assertEquals("{\"m\":{},\"l\":{\"L\":[{}]}}", got.at("/dynamodb/NewImage").toString());
    }
}
