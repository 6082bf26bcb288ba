package org.tablesplit.kcl;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.io.InputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The end of stdin, and only that, ends the program. */
class ParentWatchTest {
    private final LinkedBlockingQueue<Integer> halts = new LinkedBlockingQueue<>();

    @Test void theEndOfStdinHalts() throws Exception {
        PipedOutputStream parent = new PipedOutputStream();
        InputStream stdin = new PipedInputStream(parent);
        ParentWatch.start(stdin, halts::add);
        parent.write("anything\n".getBytes());
        parent.flush();
        assertNull(halts.poll(300, TimeUnit.MILLISECONDS));
        parent.close();
        assertEquals(5, halts.poll(5, TimeUnit.SECONDS));
    }

    @Test void anUnreadableStdinHalts() throws Exception {
        InputStream broken = new PipedInputStream(); // nobody is connected: reading it fails
        ParentWatch.start(broken, halts::add);
        assertEquals(5, halts.poll(5, TimeUnit.SECONDS));
    }
}
