package org.tablesplit.kcl;

/** The exit statuses of this program; 143 (SIGTERM) is Java's own. */
final class Exit {
    /** A scheduler ended or failed, or a child process failed (the multilang code exits with 1 by itself). */
    static final int FAILED = 1;
    /** A properties file that cannot be used; nothing was started. */
    static final int BAD_INPUT = 2;
    /** The stream has dropped records that were not read yet. */
    static final int TRIMMED = 4;
    /** The parent process is gone. */
    static final int ORPHANED = 5;

    /** How to end at once; tests put something harmless here. */
    interface Halt {
        void now(int status);
    }

    private Exit() {}
}
