// The gate of the next move: how many conditions are met, first those that are not, with their remedy; the rest is folded.
//
// It is shown exactly as the service judges it.

import { at, html, nothing, quiet, render, repeat, table } from "/console/dom.js";
import { withCommands } from "/console/copy.js";
import { age, ago, seconds } from "/console/format.js";

const said = (value) => (value === null ? "none" : value === true ? "yes" : value === false ? "no" : String(value));

export function showGate({ status: { gate, hold, as_of: asOf } }) {
  if (!gate) return render(quiet("There is no further move."), at("gate"));
  const met = gate.conditions.filter((one) => one.met);
  const open = gate.conditions.filter((one) => !one.met);
  render(html`
    <p class="count ${gate.open && !hold ? "good" : "late"}"><strong>${met.length} of ${gate.conditions.length} met</strong>
      <span>${`to ${gate.to}: ${gate.open ? hold ? "open, but held" : "open" : "closed"}`}</span></p>
    <progress max=${gate.conditions.length} .value=${met.length} aria-label="Conditions met"></progress>
    ${hold ? html`<p class="bad">Held: ${hold}</p>` : nothing}
    <ul class="unmet">${repeat(open, ({ name }) => name, (one) => html`<li>
      <p><span class="late">✗ not met</span> <code>${one.name}</code> <span class="quiet">${one.since ? `for ${seconds(age(one.since, asOf))}` : ""}</span></p>
      <p>is <b>${said(one.value)}</b>, wanted <b>${said(one.threshold)}</b></p>
      ${one.remedy ? html`<p class="remedy">${withCommands(one.remedy)}</p>` : nothing}</li>`)}</ul>
    <details class="met"><summary>${met.length} met</summary>
      ${table(["condition", "now", "wanted", "since"], met.map((one) =>
        [one.name, [html`<span class="good" aria-hidden="true">✓</span> <code>${one.name}</code>`, said(one.value), said(one.threshold), ago(one.since, asOf)]]))}
    </details>`, at("gate"));
}
