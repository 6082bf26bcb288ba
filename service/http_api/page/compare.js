// The dialog that shows one conflict, or one key in quarantine, field by field.

import { at, html, nothing, render } from "/console/dom.js";
import { read } from "/console/http.js";

const SHOWN_CHARACTERS = 160;

// DynamoDB's JSON as people read it: a text in quotes, a number without. Sets and binaries keep their type.
export function plain(one) {
  const [type, content] = Object.entries(one)[0];
  if (type === "L") return `[${content.map(plain).join(", ")}]`;
  if (type === "M") return `{${Object.entries(content).map(([name, inner]) => `${JSON.stringify(name)}: ${plain(inner)}`).join(", ")}}`;
  if (type === "S") return JSON.stringify(content);
  if (type === "NULL") return "null";
  return ["N", "BOOL"].includes(type) ? String(content) : JSON.stringify(one);
}

// A value of a field; undefined and null: the item does not have it.
export function value(shown) {
  if (shown === null || shown === undefined) return html`<span class="quiet">(absent)</span>`;
  const text = plain(shown);
  if (text.length <= SHOWN_CHARACTERS) return html`<code>${text}</code>`;
  return html`<details><summary><code>${text.slice(0, SHOWN_CHARACTERS)}…</code></summary><code>${text}</code></details>`;
}

// columns: [name, item or null]. The fields whose values differ; the others are folded. more: gives the last cell of a field's row.
export function fields(columns, more = null) {
  const names = [...new Set(columns.flatMap(([, item]) => Object.keys(item ?? {})))].sort();
  const rows = names.map((name) => ({ name, values: columns.map(([, item]) => item?.[name]) }));
  if (columns.length === 1) return fieldTable(columns, rows);
  const differs = ({ values }) => new Set(values.map((one) => JSON.stringify(one))).size > 1;
  const same = rows.filter((row) => !differs(row));
  return html`${same.length < rows.length ? fieldTable(columns, rows.filter(differs), more) : nothing}
    ${same.length ? html`<details><summary>${`${same.length} ${same.length === 1 ? "field is" : "fields are"} equal`}</summary>
      ${fieldTable([["value", null]], same.map(({ name, values }) => ({ name, values: [values[0]] })))}</details>` : nothing}`;
}

const fieldTable = (columns, rows, more = null) => html`<table class="stacked fields">
  <thead><tr>${["field", ...columns.map(([name]) => name), ...(more ? ["keep"] : [])].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
  <tbody>${rows.map(({ name, values }) => html`<tr><td data-name="field"><code>${name}</code></td>
    ${values.map((one, n) => html`<td data-name=${columns[n][0]}>${value(one)}</td>`)}
    ${more ? html`<td data-name="keep">${more(name, values)}</td>` : nothing}</tr>`)}</tbody></table>`;

// Shows the document at `path` as `draw` makes it, in the dialog.
export async function compare(title, path, draw) {
  at("compare-title").textContent = title;
  render(html`<p class="quiet">Reading</p>`, at("compared"));
  at("compare").showModal();
  try {
    const document = await read(path);
    const redraw = () => render(draw(document, redraw), at("compared"));
    redraw();
  } catch (refusal) {
    render(html`<p class="bad">${refusal.message}</p>`, at("compared"));
  }
}

export const closeCompared = () => at("compare").close();

at("compare-close").addEventListener("click", closeCompared);
