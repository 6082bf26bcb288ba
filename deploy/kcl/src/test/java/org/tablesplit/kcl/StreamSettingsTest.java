package org.tablesplit.kcl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import software.amazon.kinesis.coordinator.CoordinatorConfig.ClientVersionConfig;
import software.amazon.kinesis.metrics.NullMetricsFactory;

/** What a properties file may say, what is refused, and what of it reaches KCL. */
class StreamSettingsTest {
    @TempDir Path folder;
    private final Map<String, String> good = new LinkedHashMap<>();

    @BeforeEach void aGoodFile() {
        good.put("streamName", "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2025-01-01T00:00:00.000");
        good.put("applicationName", "app");
        good.put("regionName", "eu-west-1");
        good.put("executableName", "python child.py");
        good.put("workerId", "w");
        good.put("kinesisEndpoint", "http://localhost:1");
        good.put("dynamoDBEndpoint", "http://localhost:1");
    }

    private String file(String name) throws IOException {
        String text = good.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()).collect(Collectors.joining("\n"));
        return Files.writeString(folder.resolve(name), text).toString();
    }

    private static String refusal(String... files) {
        return assertThrows(BadInput.class, () -> StreamSettings.readAll(files)).getMessage();
    }

    @Test void noFileIsRefused() {
        assertTrue(refusal().startsWith("usage:"));
        assertTrue(refusal(folder.resolve("none").toString()).contains("cannot be read"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"streamName", "applicationName", "regionName", "executableName", "workerId"})
    void aMissingPropertyIsRefused(String name) throws IOException {
        good.remove(name);
        assertTrue(refusal(file("a")).endsWith(name + " is missing"));
    }

    @ParameterizedTest
    @CsvSource({"maxRecords,many", "maxRecords,0", "idleTimeBetweenReadsInMillis,0", "streamName,orders",
        "initialPositionInStream,YESTERDAY", "clientVersionConfig,V9"})
    void aBadValueIsRefusedInOneLine(String name, String value) throws IOException {
        good.put(name, value);
        assertEquals(1, refusal(file("a")).lines().count());
    }

    @Test void twoFilesMayNotShareALeaseTable() throws IOException {
        String first = file("a");
        good.put("streamName", good.get("streamName").replace("table/t/", "table/u/"));
        assertTrue(refusal(first, file("b")).contains("same"));
    }

    @Test void twoFilesGiveTwoSchedulersThatShareClients() throws Exception {
        String first = file("a");
        good.put("streamName", good.get("streamName").replace("table/t/", "table/u/"));
        good.put("applicationName", "other");
        List<StreamSettings> all = StreamSettings.readAll(first, file("b"));
        Clients clients = clients();
        StreamScheduler a = new StreamScheduler(all.get(0), clients, ignored -> {});
        StreamScheduler b = new StreamScheduler(all.get(1), clients, ignored -> {});
        assertEquals("app", a.leases.tableName());
        assertEquals("other", b.leases.tableName());
        assertSame(clients.streams(all.get(0)), clients.streams(all.get(1)));
        assertSame(clients.dynamo(all.get(0)), clients.dynamo(all.get(1)));
    }

    @Test void whatMustHoldHoldsWhateverTheFileSays() throws Exception {
        good.put("callProcessRecordsEvenForEmptyRecordList", "false");
        StreamScheduler scheduler = new StreamScheduler(only(), clients(), ignored -> {});
        assertTrue(scheduler.processor.callProcessRecordsEvenForEmptyRecordList());
        assertEquals(1, scheduler.polling.recordsFetcherFactory().maxPendingProcessRecordsInput());
        assertInstanceOf(NullMetricsFactory.class, scheduler.metrics.metricsFactory());
    }

    @Test void propertiesReachKcl() throws Exception {
        good.put("maxRecords", "77");
        good.put("idleTimeBetweenReadsInMillis", "123");
        good.put("failoverTimeMillis", "3456");
        good.put("leaseAssignmentIntervalMillis", "1234");
        good.put("initialLeaseTableReadCapacity", "7");
        good.put("clientVersionConfig", "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X");
        good.put("isGracefulLeaseHandoffEnabled", "false");
        good.put("shutdownGraceMillis", "1500");
        StreamSettings settings = only();
        StreamScheduler scheduler = new StreamScheduler(settings, clients(), ignored -> {});
        scheduler.polling.retrievalFactory(); // copies the idle time, as KCL will
        assertEquals(77, scheduler.polling.maxRecords());
        assertEquals(123, scheduler.polling.recordsFetcherFactory().idleMillisBetweenCalls());
        assertEquals(1, scheduler.polling.recordsFetcherFactory().maxPendingProcessRecordsInput());
        assertEquals(3456, scheduler.leases.failoverTimeMillis());
        assertEquals(1234, scheduler.leases.leaseAssignmentIntervalMillis());
        assertEquals(7, scheduler.leases.initialLeaseTableReadCapacity());
        assertEquals(ClientVersionConfig.CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X,
                scheduler.coordinator.clientVersionConfig());
        assertEquals(false, scheduler.leases.gracefulLeaseHandoffConfig().isGracefulLeaseHandoffEnabled());
        assertEquals(1500, settings.graceMillis());
    }

    @Test void withoutAWordTheDefaultsHold() throws Exception {
        StreamSettings settings = only();
        assertEquals(20_000, settings.graceMillis());
        assertEquals("DefaultCredentialsProvider", settings.credentialsName());
        assertEquals("TRIM_HORIZON", settings.initialPosition().getInitialPositionInStream().name());
    }

    private StreamSettings only() throws Exception {
        return StreamSettings.readAll(file("a")).get(0);
    }

    private static Clients clients() {
        return new Clients(new Events(new PrintStream(PrintStream.nullOutputStream())), status -> {});
    }
}
