// Quarantine: the keys, the changes that wait for one field by field, and what a person does with them: retry or drop.

import { ask } from "/console/ask.js";
import { Chosen, chooser } from "/console/choose.js";
import { closeCompared, compare, fields } from "/console/compare.js";
import { copyable } from "/console/copy.js";
import { at, html, nothing, quiet, render } from "/console/dom.js";
import { ago, count, key } from "/console/format.js";
import { post } from "/console/http.js";

let state = null;
const chosen = new Chosen(() => showQuarantine(state));

export function showQuarantine(newest) {
  state = newest;
  const { quarantine, status } = newest;
  at("quarantine-list").hidden = !quarantine.length;
  if (!quarantine.length) return render(quiet("Empty."), at("quarantine"));
  const rows = quarantine.map((one) => ({
    id: one.id,
    name: key(one.key),
    choosable: true,
    cells: [copyable(key(one.key)), html`<b>${one.reason}</b>: ${one.message}`, `${one.waiting}`, html`<span class="brief">${ago(one.first_seen, status.as_of)}</span>`,
      html`<button type="button" class="small" @click=${() => show(one)}>Compare</button>`],
  }));
  const more = status.quarantine > quarantine.length ? quiet(`The first ${quarantine.length} of ${count(status.quarantine)}; all: tablesplit quarantine list`) : nothing;
  render(html`${chooser(chosen, ["key", "reason", "changes", "since", "what to do"], rows, [["Retry", retry], ["Drop", drop]])}${more}`, at("quarantine"));
}

function show(one) {
  compare(`Quarantine of ${key(one.key)}`, `/v1/quarantine/${encodeURIComponent(one.id)}`, (document) => html`
    <p>${copyable(document.id)}</p>
    <p><b>${document.reason}</b>: ${document.message}</p>
    <p class="quiet">${`table ${document.table}, from the ${document.origin}, tried ${document.attempts} times, since ${document.first_seen}`}</p>
    ${document.changes.map((change, n) => html`<h3>${`Waiting change ${n + 1} of ${document.changes.length}${change.new === null ? ", a delete" : ""}`}</h3>
      ${fields([["before", change.old], ["after", change.new], ["in the table now", document.item_now]])}`)}
    ${document.changes.length ? nothing : fields([["in the table now", document.item_now]])}
    <div class="buttons">
      <button type="button" @click=${() => retry([document.id])}>Retry</button>
      <button type="button" class="danger" @click=${() => drop([document.id])}>Drop</button>
    </div>`);
}

const many = (ids) => (ids.length === 1 ? "this key" : `${ids.length} keys`);

// A key whose item was corrected leaves by itself, also between the list and the click.
const left = (gone) => (gone.length ? [`${gone.length} had left already`] : []);

function retry(ids) {
  let outcome = "";
  ask({
    label: "Retry",
    text: `Applies what waits for ${many(ids)}, once the item or the mapping was corrected.`,
    why: "no",
    send: async ({ token }) => {
      const { items, gone } = await post("/v1/quarantine/retry", { ids }, token);
      const stay = items.filter(({ applied }) => !applied).map(({ id, failure }) => `${id} stays: ${failure}`);
      if (stay.length && stay.length === items.length) throw new Error(stay.join("\n"));
      outcome = [`${items.length - stay.length} applied`, ...left(gone), ...stay].join("; ");
      closeCompared();
    },
    done: () => outcome,
  });
}

function drop(ids) {
  let outcome = "";
  ask({
    label: "Drop",
    danger: true,
    text: `The changes that wait for ${many(ids)} will be LOST. A validation then shows the differences.`,
    why: "required",
    send: async ({ why, token }) => {
      const { items, gone } = await post("/v1/quarantine/drop", { ids, why }, token);
      outcome = [`${items.length} dropped, ${items.reduce((sum, one) => sum + one.changes_lost, 0)} changes lost`, ...left(gone)].join("; ");
      closeCompared();
    },
    done: () => outcome,
  });
}
