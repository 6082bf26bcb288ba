/** The application's leads and deals, whichever table holds them. */

import type { NativeAttributeValue } from "@aws-sdk/lib-dynamodb";

/** A lead or deal: attribute names to values as the document client of `client.ts` gives them. */
export type Item = Record<string, NativeAttributeValue>;

/** New values by name; null removes the attribute, or sets it back to its default. */
export type Changes = Readonly<Record<string, NativeAttributeValue>>;

/** The time as text, for `updated_at`. */
export type Clock = () => string;

export const timestamp: Clock = () => new Date().toISOString();

export const UNDATED = "1970-01-01T00:00:00.000Z";

/** There is no such lead or deal. */
export class NotFound extends Error {
    override name = "NotFound";
}

/** There is one with this id. */
export class AlreadyExists extends Error {
    override name = "AlreadyExists";
}

/** A kind of record. */
export interface Entity {
    readonly name: "LEAD" | "DEAL";
    /** The field that `listByStage` searches by. */
    readonly stage: string;
    /** The fields that always have a value, with their defaults. */
    readonly defaults: Item;
    /** All fields that have an attribute of their own on v2. */
    readonly fields: ReadonlySet<string>;
    /** The index keys on v2, each with the beginning of its value and the field that follows. */
    readonly index: Readonly<Record<string, readonly [begin: string, field: string]>>;
}

function entity(name: Entity["name"], stage: string, defaults: Item, optional: string[], index: Entity["index"]): Entity {
    const fields = new Set(["id", "created_at", "updated_at", ...Object.keys(defaults), ...optional]);
    return { name, stage, defaults, fields, index };
}

export const LEAD = entity(
    "LEAD",
    "status",
    { name: "", company: "", status: "new", bio_match: 0, followers: 0, tags: [] },
    ["source", "website", "pipeline_id", "pipeline_stage"],
    { GSI1PK: ["STATUS#", "status"], GSI2PK: ["COMPANY#", "company"] },
);
export const DEAL = entity(
    "DEAL",
    "stage",
    { company: "", stage: "contacted", owner: "unassigned", value: 0 },
    ["title", "due_date", "pipeline_id"],
    { GSI1PK: ["STAGE#", "stage"], GSI2PK: ["OWNER#", "owner"] },
);

/** How the rest of the application refers to a record. v2's sort key begins with the month of creation, so it needs that too. */
export interface Ref {
    readonly id: string;
    readonly createdAt: string;
}

/** The Ref of this record. A record without a valid date counts as undated, as on v2. */
export function refOf(item: Item): Ref {
    return { id: item["id"], createdAt: monthOf(item["created_at"]) ? item["created_at"] : UNDATED };
}

const DATE = /^(\d{4})(-?)(\d\d)\2(\d\d)(?:[T ]([01]\d|2[0-3]):?([0-5]\d)(?::?[0-5]\d(?:[.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/;

/**
 * YYYY-MM in UTC of an ISO 8601 date, or date and time; undefined for anything else.
 *
 * A time without an offset is UTC, by the rule of the mapping: JavaScript's own Date would take it as local time.
 */
export function monthOf(text: unknown): string | undefined {
    const parts = typeof text === "string" ? DATE.exec(text) : null;
    if (!parts) return undefined;
    const [, year, , month, day, hour = "00", minute = "00", offset = "Z"] = parts;
    const date = `${year}-${month}-${day}`;
    const midnight = new Date(`${date}T00:00Z`);
    if (Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== date) return undefined; // February 30
    const moment = new Date(`${date}T${hour}:${minute}${offset.replace(/(\d\d):?(\d\d)$/, "$1:$2")}`);
    return Number.isNaN(moment.getTime()) ? undefined : moment.toISOString().slice(0, 7);
}

/** What the application does with its leads, or with its deals. */
export interface Repository {
    /** Write a new record; `item` has an id. Throws AlreadyExists. */
    create(item: Item): Promise<Ref>;
    /** The record, or undefined. */
    get(ref: Ref): Promise<Item | undefined>;
    /** Where the record is, for a caller that knows only its id. On v2 this reads all records of the kind: keep the Ref. */
    find(id: string): Promise<Ref | undefined>;
    /** Change fields. Returns the record as it is then. Throws NotFound. */
    update(ref: Ref, changes: Changes): Promise<Item>;
    /**
     * Change fields if these still have the values that were read (undefined: absent). Returns whether; false too where there is
     * no record.
     */
    updateIf(ref: Ref, expected: Changes, changes: Changes): Promise<boolean>;
    /** Count: no count of another instance is lost. Returns the record as it is then. Throws NotFound. */
    add(ref: Ref, field: string, amount: number): Promise<Item>;
    /** Move the record to another stage (of a lead: status). Throws NotFound. */
    moveStage(ref: Ref, stage: string): Promise<Item>;
    /** Correct the time of creation, on which the record's v2 key depends. Throws NotFound. */
    changeCreatedAt(ref: Ref, createdAt: string): Promise<Ref>;
    /** Throws NotFound. */
    delete(ref: Ref): Promise<void>;
    /** All records at a stage. */
    listByStage(stage: string): Promise<Item[]>;
}
