/** After: the application on the v2 tables. */

import {
    DeleteCommand, DynamoDBDocumentClient, GetCommand, PutCommand, TransactWriteCommand, UpdateCommand, paginateQuery,
} from "@aws-sdk/lib-dynamodb";
import { isDeepStrictEqual } from "node:util";

import { ABSENT, EXISTS, additionOf, conditioned, everyItem, hasStill, meaning, updateOf, without } from "./client.ts";
import type { Condition, Update } from "./client.ts";
import { AlreadyExists, NotFound, refOf, timestamp } from "./entities.ts";
import type { Changes, Clock, Entity, Item, Ref, Repository } from "./entities.ts";
import { Contended, DEADLINE_SECONDS, cancelledBy, patiently } from "./patience.ts";
import { STAMP, isRecord, plainChanges, recordOf, v2Item, v2Key } from "./v2-items.ts";

/** A field is no longer as the caller has read it. */
class NotAsExpected extends Error {}

/** What to change of a record, by what it is now. */
type Change = (record: Item) => Changes;

/** Leads or deals in a v2 table of their own. */
export class V2Repository implements Repository {
    readonly #client: DynamoDBDocumentClient;
    readonly #table: string;
    readonly #entity: Entity;
    readonly #now: Clock;
    readonly #deadlineSeconds: number;

    constructor(
        client: DynamoDBDocumentClient, table: string, entity: Entity, now: Clock = timestamp, deadlineSeconds = DEADLINE_SECONDS,
    ) {
        this.#client = client;
        this.#table = table;
        this.#entity = entity;
        this.#now = now;
        this.#deadlineSeconds = deadlineSeconds;
    }

    async create(item: Item): Promise<Ref> {
        const whole = v2Item(this.#entity, { updated_at: this.#now(), ...item });
        const put = new PutCommand({ TableName: this.#table, Item: whole, ...conditioned(ABSENT) });
        await meaning(new AlreadyExists(item["id"]), this.#patiently(() => this.#client.send(put)));
        return refOf(whole);
    }

    async get(ref: Ref): Promise<Item | undefined> {
        const item = await this.#read(ref);
        return item && recordOf(item);
    }

    /** This reads all records of the kind: keep the Ref. */
    async find(id: string): Promise<Ref | undefined> {
        const wanted = {
            TableName: this.#table,
            KeyConditionExpression: "PK = :kind",
            FilterExpression: "#id = :id",
            ExpressionAttributeNames: { "#id": "id" },
            ExpressionAttributeValues: { ":kind": this.#entity.name, ":id": id },
            ConsistentRead: true,
        };
        const [item] = await everyItem(paginateQuery({ client: this.#client }, wanted));
        return item && refOf(item);
    }

    async update(ref: Ref, changes: Changes): Promise<Item> {
        const stamped = { updated_at: this.#now(), ...changes };
        const plain = plainChanges(this.#entity, stamped);
        if (plain === undefined) return this.#rewrite(ref, () => stamped);
        return recordOf(await this.#update(ref, updateOf(plain), EXISTS, new NotFound(ref.id)));
    }

    async updateIf(ref: Ref, expected: Changes, changes: Changes): Promise<boolean> {
        try {
            await this.#rewrite(ref, (record) => {
                const same = Object.entries(expected).every(([name, value]) => isDeepStrictEqual(record[name], value));
                if (!same) throw new NotAsExpected();
                return { updated_at: this.#now(), ...changes };
            });
        } catch (error) {
            if (error instanceof NotFound || error instanceof NotAsExpected) return false;
            throw error;
        }
        return true;
    }

    async add(ref: Ref, field: string, amount: number): Promise<Item> {
        if (this.#entity.fields.has(field)) {
            const addition = additionOf(field, amount, this.#now());
            return recordOf(await this.#update(ref, addition, EXISTS, new NotFound(ref.id)));
        }
        return this.#rewrite(ref, (record) => {
            const was = record[field] ?? 0;
            if (typeof was !== "number") throw new TypeError(`${field} is no counter`);
            return { updated_at: this.#now(), [field]: was + amount };
        });
    }

    /** And so to another key of the index. */
    moveStage(ref: Ref, stage: string): Promise<Item> {
        return this.update(ref, { [this.#entity.stage]: stage });
    }

    /** In another month the item moves to another key. */
    async changeCreatedAt(ref: Ref, createdAt: string): Promise<Ref> {
        return refOf(await this.update(ref, { created_at: createdAt }));
    }

    async delete(ref: Ref): Promise<void> {
        const request = { TableName: this.#table, Key: v2Key(this.#entity, ref), ...conditioned(EXISTS) };
        await meaning(new NotFound(ref.id), this.#patiently(() => this.#client.send(new DeleteCommand(request))));
    }

    /** From the index. */
    async listByStage(stage: string): Promise<Item[]> {
        const wanted = {
            TableName: this.#table,
            IndexName: "GSI1",
            KeyConditionExpression: "GSI1PK = :stage",
            ExpressionAttributeValues: { ":stage": `${this.#entity.index["GSI1PK"]?.[0]}${stage}` },
        };
        return (await everyItem(paginateQuery({ client: this.#client }, wanted))).map(recordOf);
    }

    async #read(ref: Ref): Promise<Item | undefined> {
        const get = new GetCommand({ TableName: this.#table, Key: v2Key(this.#entity, ref), ConsistentRead: true });
        const { Item: item } = await this.#client.send(get);
        return isRecord(item) ? item : undefined;
    }

    /** Read the item, and change it if it is still as it was read; else again. Throws NotFound, Contended, what `change` throws. */
    async #rewrite(ref: Ref, change: Change): Promise<Item> {
        return recordOf(await this.#patiently(() => this.#readAndWrite(ref, change)));
    }

    async #readAndWrite(ref: Ref, change: Change): Promise<Item> {
        const was = await this.#read(ref);
        if (was === undefined) throw new NotFound(ref.id);
        const record = recordOf(was);
        const item = v2Item(this.#entity, { ...record, ...change(record) });
        if (item["PK"] !== was["PK"] || item["SK"] !== was["SK"]) return this.#move(was, item);
        const changes = differences(was, item);
        if (Object.keys(changes).length === 0) return was;
        return this.#update(ref, updateOf(changes), asRead(was), new Contended(ref.id));
    }

    /** UpdateItem, because it leaves all that it does not name unchanged. */
    async #update(ref: Ref, update: Update, condition: Condition, refused: Error): Promise<Item> {
        const request = { TableName: this.#table, Key: v2Key(this.#entity, ref), ...conditioned(condition, update) };
        const command = new UpdateCommand({ ...request, ReturnValues: "ALL_NEW" });
        const { Attributes: item = {} } = await meaning(refused, this.#patiently(() => this.#client.send(command)));
        return item;
    }

    /** Put the item at its new key and delete it at the old one, in one transaction: no reader finds it twice or not at all. */
    async #move(was: Item, item: Item): Promise<Item> {
        const put = { TableName: this.#table, Item: item, ...conditioned(ABSENT) };
        const remove = { TableName: this.#table, Key: { PK: was["PK"], SK: was["SK"] }, ...conditioned(asRead(was)) };
        try {
            await this.#client.send(new TransactWriteCommand({ TransactItems: [{ Put: put }, { Delete: remove }] }));
        } catch (error) {
            throw cancelledBy(error).has("ConditionalCheckFailed") ? new Contended(was["id"]) : error;
        }
        return item;
    }

    #patiently<T>(write: () => Promise<T>): Promise<T> {
        return patiently(this.#deadlineSeconds, write);
    }
}

/** That every attribute but tablesplit's is as it was read. Every change of a record changes `updated_at`. */
function asRead(item: Item): Condition {
    return hasStill(without(item, new Set([STAMP])));
}

/** What must change of `was` to make it `item`; null: remove. */
function differences(was: Item, item: Item): Changes {
    const changed = Object.entries(item).filter(([name, value]) => !isDeepStrictEqual(was[name], value));
    const removed = Object.keys(was).filter((name) => !(name in item) && name !== STAMP);
    return { ...Object.fromEntries(changed), ...Object.fromEntries(removed.map((name) => [name, null])) };
}
