/**
 * Retries of writes that meet another instance's: its change of the same record, or its transaction, which moves a record.
 *
 * DynamoDB refuses a write while a transaction is on the same item, and the SDK does not retry that. tablesplit makes none there.
 */

import { TransactionCanceledException, TransactionConflictException } from "@aws-sdk/client-dynamodb";
import { setTimeout as pause } from "node:timers/promises";

export const DEADLINE_SECONDS = 5;
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 500;

/** The record was changed between the read and the write. */
export class Contended extends Error {
    override name = "Contended";
}

/** Whether a write was refused because a transaction on the same item was under way. Then nothing was written. */
export function conflictsWithTransaction(error: unknown): boolean {
    const codes = cancelledBy(error);
    return error instanceof TransactionConflictException || (codes.size === 1 && codes.has("TransactionConflict"));
}

/** The codes for which DynamoDB cancelled a transaction; none for another error. */
export function cancelledBy(error: unknown): Set<string> {
    const reasons = error instanceof TransactionCanceledException ? (error.CancellationReasons ?? []) : [];
    return new Set(reasons.map((reason) => reason.Code ?? "None").filter((code) => code !== "None"));
}

/** Retry `write` with jitter, until the deadline, while it conflicts with a transaction or throws Contended. */
export async function patiently<T>(deadlineSeconds: number, write: () => Promise<T>): Promise<T> {
    const deadline = performance.now() + deadlineSeconds * 1000;
    for (let longest = FIRST_WAIT_MS; ; longest = Math.min(2 * longest, LONGEST_WAIT_MS)) {
        try {
            return await write();
        } catch (error) {
            const again = error instanceof Contended || conflictsWithTransaction(error);
            if (!again || performance.now() >= deadline) throw error;
        }
        await pause(Math.random() * longest);
    }
}
