// Explains one item of the old table, there and back: each attribute with the rule that decided it, and what an edit would give back.

import { el, key, quiet, table } from "/console/show.js";

const at = (id) => document.getElementById(id);
const SHOWN_CHARACTERS = 200;

function value(shown) {
  if (shown === null) return quiet("(absent)");
  const text = JSON.stringify(shown);
  if (text.length <= SHOWN_CHARACTERS) return text;
  return el("details", {}, el("summary", {}, `${text.slice(0, SHOWN_CHARACTERS)}…`), text);
}

const rows = (list) => table(["attribute", "value", "rule"], list.map((row) => [row.name, value(row.value), row.why]));
const part = (title, ...content) => [el("h3", {}, title), ...content];
const bad = (...text) => el("p", { className: "bad" }, ...text);
const refused = (what, { reason, message, remedy }) =>
  bad(`${what}: ${reason}: ${message}`, el("span", { className: "remedy" }, remedy));

function edit({ changes, old, gone, write_with_it: beside, moves, refused: refusal }) {
  const written = Object.entries(changes).map(([name, written]) => `${name} = ${JSON.stringify(written)}`).join(", ");
  if (refusal) return part(`After the edit on v2: ${written}`, refused("It cannot be carried to the old table", refusal));
  return part(
    `After the edit on v2: ${written}`,
    old.length || gone.length ? quiet("Changed in the old item:") : quiet("Nothing is changed in the old item."),
    old.length ? rows(old) : "",
    gone.length ? el("p", {}, `Gone from the old item: ${gone.join(", ")}`) : "",
    moves ? bad("The item moves to another v2 key: v2's application puts it there and deletes it here (else: v2_key_mismatch).") : "",
    beside.length ? quiet("v2's application has to write with it:") : "",
    beside.length ? rows(beside) : "",
  );
}

function explanation(item) {
  const head = el("p", {}, `Old item ${key(item.old_key)}: entity ${item.entity}, read at ${item.as_of}`);
  if (item.left_out) return [head, quiet("It stays behind: leave_out names it.")];
  if (item.quarantined) return [head, refused("It goes to quarantine", item.quarantined)];
  return [
    head,
    ...part(`On v2: table ${item.table}, ${key(item.key)}`, rows(item.v2)),
    ...part("Given back to the old table", rows(item.back)),
    item.differs.length
      ? bad(`DOES NOT come back byte for byte: ${item.differs.join(", ")}`)
      : el("p", { className: "good" }, "Comes back byte for byte."),
    ...(item.edit ? edit(item.edit) : []),
  ];
}

async function ask() {
  const asked = new URLSearchParams({ key: at("explain-key").value });
  at("explain-edits").value.split("\n").filter(Boolean).forEach((line) => asked.append("set", line));
  const token = at("read-token").value || at("token").value;
  const answer = await fetch(`/v1/explain?${asked}`, { headers: token ? { Authorization: `Bearer ${token}` } : {} });
  const answered = await answer.json();
  if (!answer.ok) throw new Error(answered.detail);
  return explanation(answered);
}

at("explain").addEventListener("submit", async (event) => {
  event.preventDefault();
  at("explain-refusal").textContent = "";
  at("explained").replaceChildren();
  try {
    at("explained").replaceChildren(...await ask());
  } catch (error) {
    at("explain-refusal").textContent = error instanceof TypeError ? "The service does not answer." : error.message;
  }
});
