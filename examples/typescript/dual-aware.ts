/** During the migration: the application on both sides; each instance uses the side that its switch names at the moment. */

import { OldRepository } from "./before.ts";
import type { Changes, Item, Ref, Repository } from "./entities.ts";
import { STAMP, isRecord } from "./v2-items.ts";

export type Side = "old" | "v2";

/** Read once for each operation: a feature flag, a setting that is reloaded, ... */
export type Switch = () => Side;

/** The old table while tablesplit also writes to it: readers skip its tombstones, and do not show its stamp. */
export class OldSide extends OldRepository {
    protected override readonly hidden = new Set(["pk", "sk", "entity_type", STAMP]);

    override async get(ref: Ref): Promise<Item | undefined> {
        const item = await super.get(ref);
        return isRecord(item) ? item : undefined;
    }
}

/** Leads or deals on the side that the switch names. */
export class DualRepository implements Repository {
    readonly #sides: Readonly<Record<Side, Repository>>;
    readonly #switch: Switch;

    constructor(old: Repository, v2: Repository, side: Switch) {
        this.#sides = { old, v2 };
        this.#switch = side;
    }

    create(item: Item) {
        return this.#side.create(item);
    }

    get(ref: Ref) {
        return this.#side.get(ref);
    }

    find(id: string) {
        return this.#side.find(id);
    }

    update(ref: Ref, changes: Changes) {
        return this.#side.update(ref, changes);
    }

    updateIf(ref: Ref, expected: Changes, changes: Changes) {
        return this.#side.updateIf(ref, expected, changes);
    }

    add(ref: Ref, field: string, amount: number) {
        return this.#side.add(ref, field, amount);
    }

    moveStage(ref: Ref, stage: string) {
        return this.#side.moveStage(ref, stage);
    }

    changeCreatedAt(ref: Ref, createdAt: string) {
        return this.#side.changeCreatedAt(ref, createdAt);
    }

    delete(ref: Ref) {
        return this.#side.delete(ref);
    }

    listByStage(stage: string) {
        return this.#side.listByStage(stage);
    }

    get #side(): Repository {
        return this.#sides[this.#switch()];
    }
}
