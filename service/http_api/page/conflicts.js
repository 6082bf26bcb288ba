// Conflicts: the open ones, one compared field by field, and their resolution, one or many.

import { ask } from "/console/ask.js";
import { Chosen, chooser } from "/console/choose.js";
import { closeCompared, compare, fields } from "/console/compare.js";
import { copyable, withCommands } from "/console/copy.js";
import { at, html, nothing, quiet, render } from "/console/dom.js";
import { ago, count, key } from "/console/format.js";
import { post } from "/console/http.js";

const KEPT = { v2: "Keep v2", old: "Keep old", merge: "Keep as chosen" };
let state = null;
const chosen = new Chosen(() => showConflicts(state));

export function showConflicts(newest) {
  state = newest;
  const { conflicts, status } = newest;
  at("conflicts-list").hidden = !conflicts.length;
  if (!conflicts.length) return render(quiet("None."), at("conflicts"));
  const rows = conflicts.map((one) => ({
    id: one.id,
    name: key(one.key),
    choosable: one.kind === "conflict",
    cells: [copyable(key(one.key)), one.entity, html`${one.reason ?? one.kind}${one.fields?.length ? `: ${one.fields.join(", ")}` : nothing}`,
      html`<span class="brief">${ago(one.at, status.as_of)}</span>`,
      one.kind === "conflict"
        ? html`<button type="button" class="small" @click=${() => show(one)}>Compare</button>`
        : withCommands(one.remedy)],
  }));
  const acts = ["v2", "old"].map((kept) => [KEPT[kept], (ids) => resolve(ids, kept)]);
  const more = status.conflicts > conflicts.length ? quiet(`The first ${conflicts.length} of ${count(status.conflicts)}; all: tablesplit conflicts list`) : nothing;
  render(html`${chooser(chosen, ["key", "entity", "lost", "since", "what to do"], rows, acts)}${more}`, at("conflicts"));
}

function show(one) {
  const picked = {};
  compare(`Conflict of ${key(one.key)}`, `/v1/conflicts/${encodeURIComponent(one.id)}`, (document, redraw) => drawn(document, picked, redraw));
}

function drawn(document, picked, redraw) {
  const { change, v2_as_old: forms } = document;
  const v2 = forms.length === 1 ? forms[0] : null;
  const pick = (name) => (side) => html`<label class="check"><input type="radio" name=${`keep ${name}`} .checked=${(picked[name] ?? "v2") === side}
    @change=${() => { picked[name] = side; redraw(); }}> <span>${side}</span></label>`;
  const mergeable = v2 && document.lost;
  return html`
    <p>${copyable(document.id)}</p>
    <p>${`${document.reason}: of ${document.fields.join(", ") || "the whole item"}; ${document.at}`}</p>
    ${fields([["before", change.old], ["the change on old", change.new], ["v2 now", v2]], mergeable ? (name) => ["v2", "old"].map(pick(name)) : null)}
    ${forms.length > 1 ? html`<p class="bad">The item lives at two v2 keys.</p>` : nothing}
    ${document.lost_by_keep_v2.length ? html`<details><summary>What Keep v2 gives up</summary><ul>${document.lost_by_keep_v2.map((line) => html`<li>${line}</li>`)}</ul></details>` : nothing}
    <div class="buttons">
      ${["v2", "old"].map((kept) => html`<button type="button" @click=${() => resolve([document.id], kept)}>${KEPT[kept]}</button>`)}
      ${mergeable ? html`<button type="button" ?disabled=${!Object.values(picked).includes("old")}
        @click=${() => resolve([document.id], "merge", merged(document.lost, v2, picked))}>${KEPT.merge}</button>` : nothing}
    </div>`;
}

// v2's item, with the fields of the old side that were picked.
function merged(old, v2, picked) {
  const item = { ...v2 };
  for (const [name, side] of Object.entries(picked)) {
    if (side !== "old") continue;
    if (old[name] === undefined) delete item[name];
    else item[name] = old[name];
  }
  return item;
}

// First the service says what that gives up, and then, once that is confirmed, resolves just that.
function resolve(ids, kept, item = null) {
  let seen = null;
  let outcome = "";
  const choice = { ids, keep: kept, ...(item ? { item: JSON.stringify(item) } : {}) };
  ask({
    label: KEPT[kept],
    text: `${ids.length === 1 ? "This conflict" : `${ids.length} conflicts`}: ${kept === "v2" ? "v2 stays as it is." : "v2 gets it, unless v2 has changed; sync carries it to the old table."} First look at what that gives up.`,
    why: "optional",
    look: "Show what it gives up",
    send: async ({ why, token }) => {
      if (!seen) {
        const { choices, refused } = await post("/v1/conflicts/choices", choice, token);
        if (!choices.length) throw new Error(Object.entries(refused).map(([id, why]) => `${id}: ${why}`).join("\n"));
        seen = Object.fromEntries(choices.map(({ id, seen }) => [id, seen]));
        const lines = choices.flatMap(({ id, lost }) => lost.map((line) => (ids.length === 1 ? line : `${id}: ${line}`)));
        return { lines: lines.length ? lines : ["nothing"], label: "Resolve" };
      }
      const { resolved, open } = await post("/v1/conflicts/resolution", { ...choice, ids: undefined, seen, why }, token);
      const stay = Object.entries(open).map(([id, why]) => `${id} stays open: ${why}`);
      chosen.set(resolved, false);
      if (!resolved.length) throw new Error(stay.join("\n"));
      outcome = [`${resolved.length} resolved`, ...stay].join("; ");
      closeCompared();
      return null;
    },
    done: () => outcome,
  });
}
