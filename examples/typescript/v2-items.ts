/** What a lead or deal looks like in its v2 table, by the rules of the mapping (service/mappings/crm.yaml). */

import { without } from "./client.ts";
import { monthOf, refOf } from "./entities.ts";
import type { Changes, Entity, Item, Ref } from "./entities.ts";

export const STAMP = "_sync";
const CUSTOM = "custom_fields";
const HIDDEN = new Set(["PK", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK", STAMP, CUSTOM]);

/** The key of a record. Throws RangeError where `createdAt` is no date. */
export function v2Key(entity: Entity, ref: Ref) {
    const month = monthOf(ref.createdAt);
    if (month === undefined) throw new RangeError(`no date: ${ref.createdAt}`);
    return { PK: entity.name, SK: `${month}#${ref.id}` };
}

/** The whole item of a record, without a stamp: keys, index keys, fields with their defaults, the rest in `custom_fields`. */
export function v2Item(entity: Entity, record: Item): Item {
    const fields = v2Fields(entity, record);
    const keys = { ...v2Key(entity, refOf(fields)), GSI2SK: fields["id"], ...indexKeys(entity, fields) };
    const custom = Object.entries(record).filter(([name, value]) => !entity.fields.has(name) && value != null);
    return { ...keys, ...fields, ...(custom.length ? { [CUSTOM]: Object.fromEntries(custom) } : {}) };
}

/** The fields of a record. An absent or empty field takes its default; without a default it is left out. */
function v2Fields(entity: Entity, record: Item): Item {
    const given = Object.fromEntries(Object.entries(record).filter(([name, value]) => entity.fields.has(name) && !isEmpty(value)));
    const { createdAt } = refOf(record);
    const title = entity.name === "DEAL" ? { title: `Deal with ${given["company"] ?? "unknown"}` } : {};
    return { ...entity.defaults, updated_at: createdAt, ...title, ...given, created_at: createdAt };
}

/** The index keys that follow from these fields: of a whole record, or of the fields that change. */
function indexKeys(entity: Entity, fields: Item): Item {
    const keys = Object.entries(entity.index)
        .filter(([, [, field]]) => field in fields)
        .map(([key, [begin, field]]) => [key, `${begin}${fields[field] || "unknown"}`]);
    return { ...Object.fromEntries(keys), ...("created_at" in fields ? { GSI1SK: fields["created_at"] } : {}) };
}

/**
 * `changes` as attributes of the item, index keys included (null: remove). Returns undefined when the whole record is needed for
 * that: a key moves, or an attribute in `custom_fields` changes.
 */
export function plainChanges(entity: Entity, changes: Changes): Item | undefined {
    const names = Object.keys(changes);
    if (names.some((name) => !entity.fields.has(name) || name === "title" || name === "created_at")) return undefined;
    const fields = Object.fromEntries(
        Object.entries(changes).map(([name, value]) => [name, isEmpty(value) ? (entity.defaults[name] ?? null) : value]),
    );
    return { ...fields, ...indexKeys(entity, fields) };
}

/** The record in a v2 item: fields and `custom_fields` side by side, as the old table has them. */
export function recordOf(item: Item): Item {
    return { ...item[CUSTOM], ...without(item, HIDDEN) };
}

/** Whether there is a record. For a moment after a delete, tablesplit leaves a tombstone: only the key and a stamp. */
export function isRecord(item: Item | undefined): item is Item {
    return item !== undefined && "id" in item;
}

function isEmpty(value: unknown): boolean {
    return value === null || value === undefined || value === "";
}
