/** Before: the application on the old table, as it has always been. */

import { DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand, DeleteCommand, paginateScan } from "@aws-sdk/lib-dynamodb";

import {
    ABSENT, EXISTS, additionOf, conditioned, everyItem, hasStill, meaning, updateOf, without, type Condition, type Update,
} from "./client.ts";
import { AlreadyExists, NotFound, UNDATED, refOf, timestamp } from "./entities.ts";
import type { Changes, Clock, Entity, Item, Ref, Repository } from "./entities.ts";

/** Leads or deals in the one table of everything. */
export class OldRepository implements Repository {
    protected readonly hidden: ReadonlySet<string> = new Set(["pk", "sk", "entity_type"]);
    readonly #client: DynamoDBDocumentClient;
    readonly #table: string;
    readonly #entity: Entity;
    readonly #now: Clock;

    constructor(client: DynamoDBDocumentClient, table: string, entity: Entity, now: Clock = timestamp) {
        this.#client = client;
        this.#table = table;
        this.#entity = entity;
        this.#now = now;
    }

    async create(item: Item): Promise<Ref> {
        const given = Object.entries(item).filter(([, value]) => value !== null && value !== undefined);
        const key = this.#key(item["id"]);
        const whole = { ...key, entity_type: this.#entity.name, updated_at: this.#now(), ...Object.fromEntries(given) };
        const put = new PutCommand({ TableName: this.#table, Item: whole, ...conditioned(ABSENT) });
        await meaning(new AlreadyExists(item["id"]), this.#client.send(put));
        return refOf(whole);
    }

    async get(ref: Ref): Promise<Item | undefined> {
        const get = new GetCommand({ TableName: this.#table, Key: this.#key(ref.id), ConsistentRead: true });
        const { Item: item } = await this.#client.send(get);
        return item && without(item, this.hidden);
    }

    async find(id: string): Promise<Ref | undefined> {
        const item = await this.get({ id, createdAt: UNDATED });
        return item && refOf(item);
    }

    update(ref: Ref, changes: Changes): Promise<Item> {
        return this.#update(ref, updateOf({ updated_at: this.#now(), ...changes }), EXISTS);
    }

    async updateIf(ref: Ref, expected: Changes, changes: Changes): Promise<boolean> {
        try {
            await this.#update(ref, updateOf({ updated_at: this.#now(), ...changes }), hasStill(expected));
        } catch (error) {
            if (error instanceof NotFound) return false;
            throw error;
        }
        return true;
    }

    add(ref: Ref, field: string, amount: number): Promise<Item> {
        return this.#update(ref, additionOf(field, amount, this.#now()), EXISTS);
    }

    moveStage(ref: Ref, stage: string): Promise<Item> {
        return this.update(ref, { [this.#entity.stage]: stage });
    }

    async changeCreatedAt(ref: Ref, createdAt: string): Promise<Ref> {
        return refOf(await this.update(ref, { created_at: createdAt }));
    }

    async delete(ref: Ref): Promise<void> {
        const request = { TableName: this.#table, Key: this.#key(ref.id), ...conditioned(EXISTS) };
        await meaning(new NotFound(ref.id), this.#client.send(new DeleteCommand(request)));
    }

    /** The table has no index for it: this reads everything. */
    async listByStage(stage: string): Promise<Item[]> {
        const wanted = {
            TableName: this.#table,
            FilterExpression: "#entity = :entity AND #stage = :stage",
            ExpressionAttributeNames: { "#entity": "entity_type", "#stage": this.#entity.stage },
            ExpressionAttributeValues: { ":entity": this.#entity.name, ":stage": stage },
        };
        const items = await everyItem(paginateScan({ client: this.#client }, wanted));
        return items.map((item) => without(item, this.hidden));
    }

    async #update(ref: Ref, update: Update, condition: Condition): Promise<Item> {
        const request = { TableName: this.#table, Key: this.#key(ref.id), ...conditioned(condition, update) };
        const sent = this.#client.send(new UpdateCommand({ ...request, ReturnValues: "ALL_NEW" }));
        const { Attributes: item = {} } = await meaning(new NotFound(ref.id), sent);
        return without(item, this.hidden);
    }

    #key(id: string) {
        return { pk: `${this.#entity.name}#${id}`, sk: "METADATA" };
    }
}
