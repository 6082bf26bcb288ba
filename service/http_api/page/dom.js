// What every part of the page draws with: lit-html, whose templates set only what has changed, and texts always as text.

import { html, nothing, render, svg } from "/console/lit/lit-html.js";
import { repeat } from "/console/lit/directives/repeat.js";

export { html, nothing, render, repeat, svg };

export const at = (id) => document.getElementById(id);

export const quiet = (text) => html`<p class="quiet">${text}</p>`;

// rows: [id, cells]; a row keeps its place on the page, with what is open or selected in it, by its id.
export function table(columns, rows, name = "") {
  return html`<table class="stacked ${name}">
    <thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
    <tbody>${repeat(rows, ([id]) => id, ([, cells]) => html`<tr>${cells.map((cell, n) =>
      html`<td data-name=${columns[n]}>${cell}</td>`)}</tr>`)}</tbody>
  </table>`;
}

// pairs: [name, value]; one without a value is left out.
export const facts = (pairs) => html`<dl>${pairs
  .filter(([, value]) => value !== null && value !== undefined && value !== "")
  .map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
