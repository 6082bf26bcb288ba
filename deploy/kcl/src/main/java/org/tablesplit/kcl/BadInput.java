package org.tablesplit.kcl;

/** A properties file that cannot be used; the message is for the operator. */
final class BadInput extends Exception {
    private static final long serialVersionUID = 1L;

    BadInput(String message) {
        super(message);
    }
}
