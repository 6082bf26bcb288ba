// A list whose rows can be chosen, one or many, and the buttons that act on what is chosen.

import { html, nothing, repeat } from "/console/dom.js";

// What is chosen stays chosen from one event to the next; what has left the list is forgotten.
export class Chosen {
  constructor(redraw) {
    this.ids = new Set();
    this.redraw = redraw;
  }

  keep(ids) {
    for (const id of this.ids) if (!ids.includes(id)) this.ids.delete(id);
  }

  set(ids, on) {
    ids.forEach((id) => (on ? this.ids.add(id) : this.ids.delete(id)));
    this.redraw();
  }
}

// rows: {id, name, cells, choosable}; acts: [label, run(ids)].
export function chooser(chosen, columns, rows, acts) {
  const ids = rows.filter(({ choosable }) => choosable).map(({ id }) => id);
  chosen.keep(ids);
  const all = ids.length > 0 && ids.every((id) => chosen.ids.has(id));
  return html`
    <div class="toolbar" role="group" aria-label="For what is chosen">
      <label class="check"><input type="checkbox" .checked=${all} .indeterminate=${!all && chosen.ids.size > 0} ?disabled=${!ids.length}
        @change=${(event) => chosen.set(ids, event.target.checked)}> <span>All</span></label>
      ${acts.map(([label, run]) => html`<button type="button" ?disabled=${!chosen.ids.size} @click=${() => run([...chosen.ids])}>${label}</button>`)}
      <span class="quiet">${chosen.ids.size ? `${chosen.ids.size} chosen` : ""}</span>
    </div>
    <table class="stacked">
      <thead><tr><th scope="col"><span class="unseen">chosen</span></th>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
      <tbody>${repeat(rows, ({ id }) => id, ({ id, name, cells, choosable }) => html`<tr>
        <td>${choosable ? html`<input type="checkbox" aria-label=${`Choose ${name}`} .checked=${chosen.ids.has(id)}
          @change=${(event) => chosen.set([id], event.target.checked)}>` : nothing}</td>
        ${cells.map((cell, n) => html`<td data-name=${columns[n]}>${cell}</td>`)}</tr>`)}</tbody>
    </table>`;
}
