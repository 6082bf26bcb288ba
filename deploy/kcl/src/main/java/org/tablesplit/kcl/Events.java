package org.tablesplit.kcl;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the parent is told: one line of JSON on stdout for each event, written out before the call returns. */
final class Events {
    private static final ObjectMapper JSON = new ObjectMapper();
    private final PrintStream out;

    Events(PrintStream out) {
        this.out = out;
    }

    /** Prints {"event": name, key: value, ...}; a null value stays, as null. */
    void emit(String name, Object... keysAndValues) {
        Map<String, Object> event = new LinkedHashMap<>();
        event.put("event", name);
        for (int i = 0; i < keysAndValues.length; i += 2) {
            event.put((String) keysAndValues[i], keysAndValues[i + 1]);
        }
        String line;
        try {
            line = JSON.writeValueAsString(event);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException("an event must be plain data: " + event, e);
        }
        synchronized (out) {
            out.println(line);
            out.flush(); // what follows may be a halt, which flushes nothing
        }
    }
}
