package org.tablesplit.kcl;

import com.amazonaws.services.dynamodbv2.streamsadapter.util.KinesisMapperUtil;
import java.io.IOException;
import java.io.Reader;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.regions.Region;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.multilang.MultiLangDaemonConfig;
import software.amazon.kinesis.multilang.config.KinesisClientLibConfigurator;
import software.amazon.kinesis.multilang.config.MultiLangDaemonConfiguration;

/** What one properties file says: one stream, its application (lease table), and KCL's own settings. */
final class StreamSettings {
    private static final String[] REQUIRED = {
        "streamName", "applicationName", "regionName", "executableName", "workerId"
    };
    private static final long GRACE_MILLIS = 20_000;

    private final Properties properties;
    private final MultiLangDaemonConfig daemon;
    private final int maxRecords;
    private final long idleMillis;

    private StreamSettings(Properties properties, MultiLangDaemonConfig daemon) {
        this.properties = properties;
        this.daemon = daemon;
        this.maxRecords = Integer.parseInt(value("maxRecords", "1000"));
        this.idleMillis = Long.parseLong(value("idleTimeBetweenReadsInMillis", "1000"));
    }

    /** All files, each with a stream and a lease table of its own. */
    static List<StreamSettings> readAll(String... files) throws BadInput {
        if (files.length == 0) {
            throw new BadInput("usage: StreamsMultiLangDaemon FILE.properties [FILE.properties ...]");
        }
        List<StreamSettings> all = new ArrayList<>();
        Set<String> seen = new HashSet<>();
        for (String file : files) {
            StreamSettings settings = read(file);
            if (!seen.add("stream " + settings.stream()) || !seen.add("table " + settings.leaseTable())) {
                throw new BadInput(file + ": another file has the same streamName or applicationName");
            }
            all.add(settings);
        }
        return all;
    }

    private static StreamSettings read(String file) throws BadInput {
        Properties properties = new Properties();
        try (Reader in = Files.newBufferedReader(Path.of(file))) {
            properties.load(in);
        } catch (IOException | IllegalArgumentException e) {
            throw new BadInput(file + ": cannot be read: " + e);
        }
        for (String name : REQUIRED) {
            if (properties.getProperty(name, "").isBlank()) {
                throw new BadInput(file + ": " + name + " is missing");
            }
        }
        try {
            StreamSettings settings = new StreamSettings(properties, new MultiLangDaemonConfig(
                    file, StreamSettings.class.getClassLoader(), new WithDefaultCredentials()));
            settings.check();
            return settings;
        } catch (IOException | RuntimeException e) {
            Throwable reason = e;
            while (reason.getCause() != null) {
                reason = reason.getCause();
            }
            throw new BadInput(file + ": " + reason);
        }
    }

    private void check() {
        if (!KinesisMapperUtil.isValidDynamoDBStreamArn(shownArn())) {
            throw new IllegalArgumentException("streamName is not the ARN of a DynamoDB stream: " + stream());
        }
        if (initialPosition().getInitialPositionInStream() == InitialPositionInStream.AT_TIMESTAMP) {
            throw new IllegalArgumentException("initialPositionInStream must be TRIM_HORIZON or LATEST");
        }
        if (maxRecords < 1 || idleMillis < 1) {
            throw new IllegalArgumentException("maxRecords and idleTimeBetweenReadsInMillis must be positive");
        }
    }

    String stream() { return kcl().getStreamName(); }

    /** The stream's ARN as the adapter is shown it. */
    String shownArn() { return LocalArn.shownAs(region().id(), stream()); }

    String leaseTable() { return kcl().getTableName() != null ? kcl().getTableName() : kcl().getApplicationName(); }

    Region region() { return Region.of(properties.getProperty("regionName").strip()); }

    URI streamsEndpoint() { return endpoint("kinesisEndpoint"); }

    URI dynamoEndpoint() { return endpoint("dynamoDBEndpoint"); }

    int maxRecords() { return maxRecords; }

    long idleMillis() { return idleMillis; }

    long graceMillis() { return kcl().getShutdownGraceMillis() > 0 ? kcl().getShutdownGraceMillis() : GRACE_MILLIS; }

    InitialPositionInStreamExtended initialPosition() {
        return kcl().getInitialPositionInStreamExtended() != null
                ? kcl().getInitialPositionInStreamExtended()
                : InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
    }

    String credentialsName() { return WithDefaultCredentials.nameIn(properties); }

    AwsCredentialsProvider credentials() {
        return kcl().getKinesisCredentialsProvider().build(AwsCredentialsProvider.class);
    }

    MultiLangDaemonConfig daemon() { return daemon; }

    MultiLangDaemonConfiguration kcl() { return daemon.getMultiLangDaemonConfiguration(); }

    private URI endpoint(String name) {
        String url = value(name, "");
        return url.isEmpty() ? null : URI.create(url);
    }

    private String value(String name, String otherwise) {
        return properties.getProperty(name, otherwise).strip();
    }

    /** The multilang code insists on a named credentials provider; the default chain is what everybody means. */
    private static final class WithDefaultCredentials extends KinesisClientLibConfigurator {
        private static final String NAME = "AwsCredentialsProvider";

        static String nameIn(Properties properties) {
            return properties.stringPropertyNames().stream().filter(NAME::equalsIgnoreCase).findFirst()
                    .map(properties::getProperty).orElse("DefaultCredentialsProvider");
        }

        @Override public MultiLangDaemonConfiguration getConfiguration(Properties properties) {
            String name = nameIn(properties);
            properties.stringPropertyNames().stream().filter(NAME::equalsIgnoreCase).forEach(properties::remove);
            properties.setProperty(NAME, name);
            return super.getConfiguration(properties);
        }
    }
}
