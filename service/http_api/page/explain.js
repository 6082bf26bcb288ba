// Explains one item of the old table, there and back: each attribute with the rule that decided it, and what an edit would give back.

import { plain, value } from "/console/compare.js";
import { at, html, nothing, quiet, render, table } from "/console/dom.js";
import { key } from "/console/format.js";
import { read } from "/console/http.js";

const rows = (list) => table(["attribute", "value", "rule"], list.map((row) => [row.name, [row.name, value(row.value), row.why]]));
const part = (title, ...content) => html`<h3>${title}</h3>${content}`;
const bad = (...text) => html`<p class="bad">${text}</p>`;
const refused = (what, { reason, message, remedy }) =>
  bad(`${what}: ${reason}: ${message}`, html`<span class="remedy">${remedy}</span>`);

function edit({ changes, old, gone, write_with_it: beside, moves, refused: refusal }) {
  const written = Object.entries(changes).map(([name, written]) => `${name} = ${plain(written)}`).join(", ");
  if (refusal) return part(`After the edit on v2: ${written}`, refused("It cannot be carried to the old table", refusal));
  return part(
    `After the edit on v2: ${written}`,
    old.length || gone.length ? quiet("Changed in the old item:") : quiet("Nothing is changed in the old item."),
    old.length ? rows(old) : nothing,
    gone.length ? html`<p>${`Gone from the old item: ${gone.join(", ")}`}</p>` : nothing,
    moves ? bad("The item moves to another v2 key: v2's application puts it there and deletes it here (else: v2_key_mismatch).") : nothing,
    beside.length ? quiet("v2's application has to write with it:") : nothing,
    beside.length ? rows(beside) : nothing,
  );
}

function explanation(item) {
  const head = html`<p>${`Old item ${key(item.old_key)}: entity ${item.entity}, read at ${item.as_of}`}</p>`;
  if (item.left_out) return [head, quiet("It stays behind: leave_out names it.")];
  if (item.quarantined) return [head, refused("It goes to quarantine", item.quarantined)];
  return [
    head,
    part(`On v2: table ${item.table}, ${key(item.key)}`, rows(item.v2)),
    part("Given back to the old table", rows(item.back)),
    item.differs.length
      ? bad(`DOES NOT come back byte for byte: ${item.differs.join(", ")}`)
      : html`<p class="good">Comes back byte for byte.</p>`,
    item.edit ? edit(item.edit) : nothing,
  ];
}

async function ask() {
  const asked = new URLSearchParams({ key: at("explain-key").value });
  at("explain-edits").value.split("\n").filter(Boolean).forEach((line) => asked.append("set", line));
  return explanation(await read(`/v1/explain?${asked}`));
}

at("explain").addEventListener("submit", async (event) => {
  event.preventDefault();
  at("explain-refusal").textContent = "";
  render(nothing, at("explained"));
  try {
    render(await ask(), at("explained"));
  } catch (refusal) {
    at("explain-refusal").textContent = refusal.detail ?? refusal.message;
  }
});
