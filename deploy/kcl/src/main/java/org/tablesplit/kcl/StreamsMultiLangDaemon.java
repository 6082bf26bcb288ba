package org.tablesplit.kcl;

import java.io.PrintStream;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.coordinator.WorkerStateChangeListener.WorkerState;

/**
 * Runs KCL 3 on DynamoDB streams, one scheduler for each properties file, and hands the records to child processes.
 *
 * <p>The start and the end of the program: what is read, started and watched, and in which order.
 */
public final class StreamsMultiLangDaemon {
    private static final Logger LOG = LoggerFactory.getLogger(StreamsMultiLangDaemon.class);
    private static final String POOL = "java.util.concurrent.ForkJoinPool.common.parallelism";

    private StreamsMultiLangDaemon() {}

    public static void main(String[] files) {
        List<StreamSettings> all;
        try {
            all = StreamSettings.readAll(files);
        } catch (BadInput e) {
            System.err.println(e.getMessage());
            System.exit(Exit.BAD_INPUT);
            return;
        }
        PrintStream stdout = System.out;
        System.setOut(System.err); // nothing but events may reach the parent
        // The adapter makes its blocking calls in the common pool, which has one thread less than there are cores.
        if (System.getProperty(POOL) == null) {
            System.setProperty(POOL, "64");
        }
        Exit.Halt halt = Runtime.getRuntime()::halt;
        ParentWatch.start(System.in, halt);
        try {
            run(all, new Events(stdout), halt);
        } catch (Throwable e) {
            LOG.error("cannot start", e);
            System.exit(Exit.FAILED);
        }
    }

    private static void run(List<StreamSettings> all, Events events, Exit.Halt halt) {
        Clients clients = new Clients(events, halt);
        List<Scheduler> schedulers = new ArrayList<>();
        for (StreamSettings settings : all) {
            schedulers.add(new StreamScheduler(settings, clients, state -> tell(state, settings, events)).create());
        }
        long grace = all.stream().mapToLong(StreamSettings::graceMillis).max().orElseThrow();
        GracefulStop stop = new GracefulStop(grace, schedulers);
        stop.install();
        for (int i = 0; i < all.size(); i++) {
            StreamSettings settings = all.get(i);
            Scheduler scheduler = schedulers.get(i);
            new Thread(() -> runOne(settings, scheduler, stop, events), "kcl-" + settings.leaseTable()).start();
        }
    }

    /** "ready": KCL has its tables and begins to take leases. */
    private static void tell(WorkerState state, StreamSettings settings, Events events) {
        if (state == WorkerState.STARTED) {
            events.emit("ready", "stream", settings.stream());
        }
    }

    private static void runOne(StreamSettings settings, Scheduler scheduler, GracefulStop stop, Events events) {
        try {
            events.emit("started", "stream", settings.stream());
            scheduler.run();
        } catch (Throwable e) {
            LOG.error("the scheduler of {} failed", settings.stream(), e);
        }
        events.emit("ended", "stream", settings.stream());
        if (!stop.hasBegun()) {
            LOG.error("the scheduler of {} ended by itself", settings.stream());
            System.exit(Exit.FAILED);
        }
    }
}
