package org.tablesplit.kcl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.amazonaws.services.dynamodbv2.streamsadapter.AmazonDynamoDBStreamsAdapterClient;
import com.amazonaws.services.dynamodbv2.streamsadapter.AmazonDynamoDBStreamsAdapterClient.SkipRecordsBehavior;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.awscore.exception.AwsErrorDetails;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.dynamodb.model.DescribeStreamRequest;
import software.amazon.awssdk.services.dynamodb.model.DescribeStreamResponse;
import software.amazon.awssdk.services.dynamodb.model.DynamoDbException;
import software.amazon.awssdk.services.dynamodb.model.ExpiredIteratorException;
import software.amazon.awssdk.services.dynamodb.model.GetRecordsRequest;
import software.amazon.awssdk.services.dynamodb.model.GetRecordsResponse;
import software.amazon.awssdk.services.dynamodb.model.GetShardIteratorRequest;
import software.amazon.awssdk.services.dynamodb.model.GetShardIteratorResponse;
import software.amazon.awssdk.services.dynamodb.model.ResourceNotFoundException;
import software.amazon.awssdk.services.dynamodb.model.TrimmedDataAccessException;
import software.amazon.awssdk.services.dynamodb.streams.DynamoDbStreamsClient;

/** What becomes of "trimmed" and "not found", and what the parent is told. */
class LossGuardTest {
    private static final String ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2025-01-01T00:00:00.000";

    private final Script script = new Script();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final List<Integer> halts = new ArrayList<>();
    private final LossGuard guard = new LossGuard(script, new Events(new PrintStream(out)), halts::add);

    /** Answers as told. */
    private static final class Script implements DynamoDbStreamsClient {
        RuntimeException failure;
        String asked;

        @Override public DescribeStreamResponse describeStream(DescribeStreamRequest request) {
            asked = request.streamArn();
            return DescribeStreamResponse.builder().build();
        }

        @Override public GetShardIteratorResponse getShardIterator(GetShardIteratorRequest request) {
            asked = request.streamArn();
            if (failure != null) {
                throw failure;
            }
            return GetShardIteratorResponse.builder().shardIterator("i-1").build();
        }

        @Override public GetRecordsResponse getRecords(GetRecordsRequest request) {
            if (failure != null) {
                throw failure;
            }
            return GetRecordsResponse.builder().records(List.of()).nextShardIterator(request.shardIterator() + "+").build();
        }

        @Override public String serviceName() { return "script"; }

        @Override public void close() {}
    }

    private static GetShardIteratorRequest open() {
        return GetShardIteratorRequest.builder().streamArn(ARN).shardId("s-1").build();
    }

    private static GetRecordsRequest read(String iterator) {
        return GetRecordsRequest.builder().shardIterator(iterator).build();
    }

    private String told() {
        return out.toString();
    }

    @Test void trimmedRecordsBecomeAnExpiredIterator() {
        guard.getRecords(read(guard.getShardIterator(open()).shardIterator()));
        script.failure = TrimmedDataAccessException.builder().message("old").statusCode(400).build();
        var expired = assertThrows(ExpiredIteratorException.class, () -> guard.getRecords(read("i-1+")));
        assertInstanceOf(TrimmedDataAccessException.class, expired.getCause());
        assertEquals("{\"event\":\"reopened\",\"stream\":\"" + ARN + "\",\"shard\":\"s-1\"}\n", told());
        assertTrue(halts.isEmpty());
    }

    /** The adapter, told to retry, must hand on the kind of exception for which KCL opens the shard again. */
    @Test void theAdapterHandsOnTheExpiredIterator() {
        var adapter = new AmazonDynamoDBStreamsAdapterClient(guard, Region.EU_WEST_1);
        adapter.setSkipRecordsBehavior(SkipRecordsBehavior.KCL_RETRY);
        script.failure = TrimmedDataAccessException.builder().message("old").statusCode(400).build();
        var failure = assertThrows(ExecutionException.class, () -> adapter.getDynamoDBStreamsRecords(read("i")).get());
        assertInstanceOf(
                software.amazon.awssdk.services.kinesis.model.ExpiredIteratorException.class, failure.getCause());
    }

    @Test void aTrimmedShardEndsTheProgram() {
        script.failure = TrimmedDataAccessException.builder().message("old").build();
        assertThrows(TrimmedDataAccessException.class, () -> guard.getShardIterator(open()));
        assertEquals(List.of(4), halts);
        assertEquals("{\"event\":\"trimmed\",\"stream\":\"" + ARN + "\",\"shard\":\"s-1\"}\n", told());
    }

    @Test void aMissingShardIsTold() {
        script.failure = ResourceNotFoundException.builder().message("none").build();
        assertThrows(ResourceNotFoundException.class, () -> guard.getShardIterator(open()));
        assertEquals("{\"event\":\"gone\",\"stream\":\"" + ARN + "\",\"shard\":\"s-1\",\"call\":\"GetShardIterator\"}\n",
                told());
        assertTrue(halts.isEmpty());
    }

    @Test void aMissingShardOfAnUnknownIteratorIsTold() {
        script.failure = ResourceNotFoundException.builder().message("none").build();
        assertThrows(ResourceNotFoundException.class, () -> guard.getRecords(read("foreign")));
        assertEquals("{\"event\":\"gone\",\"stream\":null,\"shard\":null,\"call\":\"GetRecords\"}\n", told());
    }

    @Test void aRefusedPositionIsTold() {
        script.failure = DynamoDbException.builder().statusCode(400)
                .awsErrorDetails(AwsErrorDetails.builder().errorCode("ValidationException").build()).build();
        assertThrows(DynamoDbException.class, () -> guard.getShardIterator(open()));
        assertEquals("{\"event\":\"refused\",\"stream\":\"" + ARN
                + "\",\"shard\":\"s-1\",\"error\":\"ValidationException\"}\n", told());
    }

    @Test void otherFailuresPass() {
        script.failure = new IllegalStateException("other");
        assertThrows(IllegalStateException.class, () -> guard.getRecords(read("i")));
        assertThrows(IllegalStateException.class, () -> guard.getShardIterator(open()));
        assertEquals("", told());
        assertTrue(halts.isEmpty());
    }

    @Test void theLocalRegionIsPutBackAndTold() {
        LocalArn local = new LocalArn(guard, "eu-west-1");
        String localArn = ARN.replace("eu-west-1", "ddblocal");
        assertEquals(ARN, LocalArn.shownAs("eu-west-1", localArn));
        local.describeStream(DescribeStreamRequest.builder().streamArn(ARN).build());
        assertEquals(localArn, script.asked);
        script.failure = ResourceNotFoundException.builder().message("none").build();
        assertThrows(ResourceNotFoundException.class, () -> local.getShardIterator(open()));
        assertTrue(told().contains(localArn));
    }
}
