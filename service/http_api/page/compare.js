// The dialog that shows one conflict, or one key in quarantine, field by field.

import { at, html, nothing, render } from "/console/dom.js";
import { read } from "/console/http.js";

const SHOWN_CHARACTERS = 160;

// A value of a field; undefined and null: the item does not have it.
export function value(shown) {
  if (shown === null || shown === undefined) return html`<span class="quiet">(absent)</span>`;
  const text = JSON.stringify(shown);
  if (text.length <= SHOWN_CHARACTERS) return html`<code>${text}</code>`;
  return html`<details><summary><code>${text.slice(0, SHOWN_CHARACTERS)}…</code></summary><code>${text}</code></details>`;
}

// columns: [name, item or null]; a field whose values differ is marked. more: gives the last cell of a field's row.
export function fields(columns, more = null) {
  const names = [...new Set(columns.flatMap(([, item]) => Object.keys(item ?? {})))].sort();
  return html`<table class="stacked fields">
    <thead><tr><th scope="col">field</th>${columns.map(([name]) => html`<th scope="col">${name}</th>`)}${more ? html`<th scope="col">keep</th>` : nothing}</tr></thead>
    <tbody>${names.map((name) => {
      const values = columns.map(([, item]) => item?.[name]);
      const differs = new Set(values.map((one) => JSON.stringify(one))).size > 1;
      return html`<tr class=${differs ? "differs" : ""}><td data-name="field"><code>${name}</code></td>
        ${values.map((one, n) => html`<td data-name=${columns[n][0]}>${value(one)}</td>`)}
        ${more ? html`<td data-name="keep">${differs ? more(name, values) : nothing}</td>` : nothing}</tr>`;
    })}</tbody></table>`;
}

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
