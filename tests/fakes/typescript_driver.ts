/**
 * Runs examples/typescript for the tests: one request a line on standard input, its answer a line on standard output.
 *
 * Arguments and results are in DynamoDB's own JSON, so that numbers and sets are what they are.
 */

import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, GetCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
import { createInterface } from "node:readline";

import { V2Repository } from "./after.ts";
import { OldRepository } from "./before.ts";
import { documentClient, exactly, updateOf } from "./client.ts";
import { DualRepository, OldSide, type Side } from "./dual-aware.ts";
import { DEAL, LEAD, monthOf, timestamp, type Item, type Ref, type Repository } from "./entities.ts";

interface Place {
    side: "before" | Side;
    old: string;
    v2: string;
    entity: "LEAD" | "DEAL";
    now: string | null;
    deadline: number;
    /** After how many reads, the first ones, another instance changes the record. */
    races: number;
}

interface Request {
    id: number;
    place: Place;
    call: string;
    given: Item;
}

interface Instance {
    side: Side;
    repository?: DualRepository;
}

const DEADLINE_MS = 120_000;

const credentials = { accessKeyId: "test", secretAccessKey: "test" };
const dynamodb = new DynamoDBClient({ endpoint: process.argv[2]!, region: "ap-southeast-2", credentials });
const client = documentClient(dynamodb);
const instances = new Map<string, Instance>();

/** The repository at a place. One instance serves both sides: it is told its side before each call. */
function repositoryAt({ side, ...place }: Place): Repository {
    const entity = place.entity === "LEAD" ? LEAD : DEAL;
    const now = place.now === null ? timestamp : () => place.now!;
    if (side === "before") return new OldRepository(client, place.old, entity, now);
    const name = JSON.stringify(place);
    const instance: Instance = instances.get(name) ?? { side };
    instances.set(name, instance);
    instance.side = side;
    return (instance.repository ??= new DualRepository(
        new OldSide(client, place.old, entity, now),
        new V2Repository(place.races ? racing(place.races) : client, place.v2, entity, now, place.deadline),
        () => instance.side,
    ));
}

/** A client behind whose back another instance changes the record, right after each of the first reads. */
function racing(races: number): DynamoDBDocumentClient {
    const send = async (command: GetCommand) => {
        const answer = await client.send(command);
        if (command instanceof GetCommand && races > 0) {
            races -= 1;
            const update = updateOf({ updated_at: `race ${races}`, owner: `race ${races}` });
            await client.send(new UpdateCommand({ TableName: command.input.TableName, Key: command.input.Key, ...update }));
        }
        return answer;
    };
    return Object.assign(Object.create(client) as DynamoDBDocumentClient, { send });
}

/** The values of an item that were read as None are absent. */
const asRead = (item: Item) => Object.fromEntries(Object.entries(item).map(([name, value]) => [name, value ?? undefined]));

const CALLS: Record<string, (records: Repository, given: Item) => Promise<unknown>> = {
    create: (records, { item }) => records.create(item),
    get: (records, { ref }) => records.get(ref),
    find: (records, { id }) => records.find(id),
    update: (records, { ref, changes }) => records.update(ref, changes),
    update_if: (records, { ref, expected, changes }) => records.updateIf(ref, asRead(expected), changes),
    add: (records, { ref, field, amount }) => records.add(ref, field, amount),
    move_stage: (records, { ref, stage }) => records.moveStage(ref, stage),
    change_created_at: (records, { ref, created_at }) => records.changeCreatedAt(ref, created_at),
    delete: (records, { ref }) => records.delete(ref),
    list_by_stage: (records, { stage }) => records.listByStage(stage),
    month: async (_, { text }) => monthOf(text),
};

async function answer({ id, place, call, given }: Request): Promise<object> {
    try {
        const wire = unmarshall(given, { wrapNumbers: exactly });
        const called = CALLS[call]!(repositoryAt(place), { ...wire, ref: wire["ref"] as Ref });
        const late = new Promise<never>((_, reject) => setTimeout(reject, DEADLINE_MS, new Error(`${call} did not end`)).unref());
        const value = await Promise.race([called, late]);
        return { id, value: marshall({ value }, { removeUndefinedValues: true }) };
    } catch (error) {
        const { name, message, stack } = error as Error;
        return { id, error: name, message, stack };
    }
}

for await (const line of createInterface({ input: process.stdin })) {
    void answer(JSON.parse(line)).then((answered) => process.stdout.write(`${JSON.stringify(answered)}\n`));
}
