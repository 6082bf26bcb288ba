package org.tablesplit.kcl;

import java.util.LinkedHashMap;
import java.util.Map;
import software.amazon.awssdk.services.dynamodb.model.DynamoDbException;
import software.amazon.awssdk.services.dynamodb.model.ExpiredIteratorException;
import software.amazon.awssdk.services.dynamodb.model.GetRecordsRequest;
import software.amazon.awssdk.services.dynamodb.model.GetRecordsResponse;
import software.amazon.awssdk.services.dynamodb.model.GetShardIteratorRequest;
import software.amazon.awssdk.services.dynamodb.model.GetShardIteratorResponse;
import software.amazon.awssdk.services.dynamodb.model.ResourceNotFoundException;
import software.amazon.awssdk.services.dynamodb.model.TrimmedDataAccessException;
import software.amazon.awssdk.services.dynamodb.streams.DynamoDbStreamsClient;

/**
 * Sees to it that records which a stream has dropped are never passed over in silence.
 *
 * <p>"Trimmed" as the answer to GetRecords speaks of an iterator only (DynamoDB Local gives it for an iterator at an
 * empty shard when a transaction writes there), and KCL would ask with the same iterator for ever. As "expired" it
 * makes KCL open the shard again after the last record that it read, and the answer to that is the proof: when
 * GetShardIterator is refused with "trimmed", records are lost, and the JVM ends.
 */
final class LossGuard extends ForwardingStreamsClient {
    private record Shard(String stream, String id) {}

    private static final int REMEMBERED_ITERATORS = 2_000;
    private static final Shard UNKNOWN = new Shard(null, null);

    private final Events events;
    private final Exit.Halt halt;
    /** Of which shard an iterator is: GetRecords does not say. Iterators that are not used again fall out. */
    private final Map<String, Shard> shards = new LinkedHashMap<>() {
        @Override protected boolean removeEldestEntry(Map.Entry<String, Shard> eldest) {
            return size() > REMEMBERED_ITERATORS;
        }
    };

    LossGuard(DynamoDbStreamsClient next, Events events, Exit.Halt halt) {
        super(next);
        this.events = events;
        this.halt = halt;
    }

    @Override public GetShardIteratorResponse getShardIterator(GetShardIteratorRequest request) {
        Shard shard = new Shard(request.streamArn(), request.shardId());
        try {
            GetShardIteratorResponse response = super.getShardIterator(request);
            remember(response.shardIterator(), shard);
            return response;
        } catch (TrimmedDataAccessException e) {
            events.emit("trimmed", "stream", shard.stream(), "shard", shard.id());
            halt.now(Exit.TRIMMED);
            throw e;
        } catch (ResourceNotFoundException e) {
            gone(shard, "GetShardIterator");
            throw e;
        } catch (DynamoDbException e) {
            if (e.statusCode() == 400 && !e.isThrottlingException()) { // KCL asks again for ever, and only logs it
                String error = e.awsErrorDetails() == null ? null : e.awsErrorDetails().errorCode();
                events.emit("refused", "stream", shard.stream(), "shard", shard.id(), "error", error);
            }
            throw e;
        }
    }

    @Override public GetRecordsResponse getRecords(GetRecordsRequest request) {
        Shard shard = shardOf(request.shardIterator());
        try {
            GetRecordsResponse response = super.getRecords(request);
            remember(response.nextShardIterator(), shard);
            return response;
        } catch (TrimmedDataAccessException e) {
            events.emit("reopened", "stream", shard.stream(), "shard", shard.id());
            throw ExpiredIteratorException.builder()
                    .message(e.getMessage())
                    .awsErrorDetails(e.awsErrorDetails())
                    .statusCode(e.statusCode())
                    .requestId(e.requestId())
                    .cause(e)
                    .build();
        } catch (ResourceNotFoundException e) {
            gone(shard, "GetRecords");
            throw e;
        }
    }

    /** KCL takes it for the end of the shard from GetRecords, and asks for ever with GetShardIterator. */
    private void gone(Shard shard, String call) {
        events.emit("gone", "stream", shard.stream(), "shard", shard.id(), "call", call);
    }

    private Shard shardOf(String iterator) {
        synchronized (shards) {
            return shards.getOrDefault(iterator, UNKNOWN);
        }
    }

    private void remember(String iterator, Shard shard) {
        if (iterator != null && shard != UNKNOWN) {
            synchronized (shards) {
                shards.put(iterator, shard);
            }
        }
    }
}
