/** The document client that the repositories need, and the few requests that they share. */

import { ConditionalCheckFailedException, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, NumberValue } from "@aws-sdk/lib-dynamodb";

import type { Changes, Item } from "./entities.ts";

/** The part of an UpdateItem request that says what changes. */
export interface Update {
    UpdateExpression: string;
    ExpressionAttributeNames: Record<string, string>;
    ExpressionAttributeValues?: Item;
}

/** A condition on the item that is written; `names` and `values` are those of its expression. */
export interface Condition {
    readonly expression: string;
    readonly names: Record<string, string>;
    readonly values: Item;
}

export function documentClient(client: DynamoDBClient): DynamoDBDocumentClient {
    return DynamoDBDocumentClient.from(client, {
        marshallOptions: { removeUndefinedValues: true },
        unmarshallOptions: { wrapNumbers: exactly },
    });
}

/**
 * A number of DynamoDB, which has 38 digits: a JavaScript number where that is the same, else a NumberValue.
 *
 * On v2 a change of one gathered attribute writes `custom_fields` as a whole: a number that was rounded when it was read would be
 * written back rounded.
 */
export function exactly(text: string): number | NumberValue {
    return String(Number(text)) === text ? Number(text) : NumberValue.from(text);
}

/** Sets these attributes, and removes those that are null. */
export function updateOf(changes: Changes): Update {
    const names = Object.keys(changes);
    const isSet = (name: string) => changes[name] !== null && changes[name] !== undefined;
    const clause = (verb: string, terms: string[]) => (terms.length ? [`${verb} ${terms.join(", ")}`] : []);
    const term = (name: string) => `#${names.indexOf(name)}`;
    const value = (name: string) => `:${names.indexOf(name)}`;
    const set = names.filter(isSet);
    const removed = names.filter((name) => !isSet(name));
    const values = Object.fromEntries(set.map((name) => [value(name), changes[name]]));
    return {
        UpdateExpression: [
            ...clause("SET", set.map((name) => `${term(name)} = ${value(name)}`)),
            ...clause("REMOVE", removed.map(term)),
        ].join(" "),
        ExpressionAttributeNames: Object.fromEntries(names.map((name) => [term(name), name])),
        ...(set.length ? { ExpressionAttributeValues: values } : {}),
    };
}

/** Adds to an attribute, to 0 where it is absent. */
export function additionOf(field: string, amount: number, now: string): Update {
    return {
        UpdateExpression: "SET #u = :u ADD #a :a",
        ExpressionAttributeNames: { "#u": "updated_at", "#a": field },
        ExpressionAttributeValues: { ":u": now, ":a": amount },
    };
}

/** That there is a record: `attribute_exists(id)`, since a bare tombstone has a key too. */
export const EXISTS: Condition = { expression: "attribute_exists(#id)", names: { "#id": "id" }, values: {} };
export const ABSENT: Condition = { ...EXISTS, expression: "attribute_not_exists(#id)" };

/** That there is a record, and these attributes have these values (undefined: absent). */
export function hasStill(expected: Changes): Condition {
    const given = Object.entries(expected);
    const terms = given.map(([, value], n) => (value === undefined ? `attribute_not_exists(#e${n})` : `#e${n} = :e${n}`));
    const values = given.flatMap(([, value], n) => (value === undefined ? [] : [[`:e${n}`, value] as const]));
    return {
        expression: [EXISTS.expression, ...terms].join(" AND "),
        names: { ...EXISTS.names, ...Object.fromEntries(given.map(([name], n) => [`#e${n}`, name])) },
        values: Object.fromEntries(values),
    };
}

/** An update, or no update (of a put or delete), with its condition: what a request needs beside table and key. */
export function conditioned(condition: Condition, update?: Update) {
    const values = { ...update?.ExpressionAttributeValues, ...condition.values };
    return {
        ...update,
        ConditionExpression: condition.expression,
        ExpressionAttributeNames: { ...update?.ExpressionAttributeNames, ...condition.names },
        ...(Object.keys(values).length ? { ExpressionAttributeValues: values } : {}),
    };
}

/** The answer; a refused condition as the error that it means. */
export async function meaning<T>(refused: Error, answer: Promise<T>): Promise<T> {
    try {
        return await answer;
    } catch (error) {
        throw error instanceof ConditionalCheckFailedException ? refused : error;
    }
}

/** The items of all pages of a Scan or Query. */
export async function everyItem(pages: AsyncIterable<{ Items?: Item[] | undefined }>): Promise<Item[]> {
    const items: Item[] = [];
    for await (const page of pages) items.push(...(page.Items ?? []));
    return items;
}

/** The item less the attributes of these names. */
export function without(item: Item, names: ReadonlySet<string>): Item {
    return Object.fromEntries(Object.entries(item).filter(([name]) => !names.has(name)));
}
