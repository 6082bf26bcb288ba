package org.tablesplit.kcl;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.kinesis.coordinator.Scheduler;

/** What happens at SIGTERM: all schedulers let their children finish and checkpoint, side by side, for a limited time. */
final class GracefulStop {
    private static final Logger LOG = LoggerFactory.getLogger(GracefulStop.class);
    private static final long POLL = TimeUnit.MILLISECONDS.toNanos(50);
    /** Enough for KCL to give up its leases and its leadership, which spares the next worker a wait. */
    private static final long AFTER_LAST_CHILD = TimeUnit.SECONDS.toNanos(5);

    private final long graceMillis;
    private final List<Scheduler> schedulers;
    private volatile boolean begun;

    GracefulStop(long graceMillis, List<Scheduler> schedulers) {
        this.graceMillis = graceMillis;
        this.schedulers = List.copyOf(schedulers);
    }

    void install() {
        Runtime.getRuntime().addShutdownHook(new Thread(this::run, "graceful-stop"));
    }

    /** Whether the JVM is being ended already: then a scheduler that ends is no surprise. */
    boolean hasBegun() {
        return begun;
    }

    private void run() {
        begun = true;
        if (childFailed()) {
            LOG.error("a child process failed: leaving without a graceful stop, as it could never finish");
            return;
        }
        LOG.info("stopping: the children are asked to finish, within {} ms", graceMillis);
        List<Future<Boolean>> stops = new ArrayList<>();
        schedulers.forEach(scheduler -> stops.add(scheduler.startGracefulShutdown()));
        boolean all = await(stops);
        LOG.info(all ? "stopped" : "ended before KCL had stopped; children still running: {}", children());
    }

    /**
     * Waits for the schedulers, but not for long when no child is left: all that counts is in the lease table by then.
     *
     * <p>KCL can go on for a minute: it is not to be stopped while it starts, nor within 60 s after a shard's end.
     */
    private boolean await(List<Future<Boolean>> stops) {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(graceMillis);
        long lastSeen = System.nanoTime();
        while (System.nanoTime() < deadline) {
            if (stops.stream().allMatch(Future::isDone)) {
                return true;
            }
            if (children() > 0) {
                lastSeen = System.nanoTime();
            } else if (System.nanoTime() - lastSeen > AFTER_LAST_CHILD) {
                return false;
            }
            LockSupport.parkNanos(POLL);
        }
        return false;
    }

    private static long children() {
        return ProcessHandle.current().children().count();
    }

    /** The multilang code says it by no other way than being inside System.exit. */
    private static boolean childFailed() {
        return Thread.getAllStackTraces().values().stream().flatMap(Arrays::stream).anyMatch(frame ->
                frame.getClassName().endsWith("MultiLangShardRecordProcessor")
                        && frame.getMethodName().equals("stopProcessing"));
    }
}
