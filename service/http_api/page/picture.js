// The picture: the old table, the v2 tables, and between them both directions with rate, lag and rule.

import { at, html, nothing, render } from "/console/dom.js";
import { count, rate, seconds } from "/console/format.js";
import { steady } from "/console/steady.js";

export function showPicture({ status, phase, rates, v2_tables: tables }) {
  render(html`
    ${side("old", [status.identity?.old_table ?? ""], status, phase, rates?.forward)}
    <div class="lanes">
      ${lane("forward", status.forward, phase.forward, rates?.forward, status)}
      ${lane("reverse", status.reverse, phase.reverse, rates?.reverse, status)}
    </div>
    ${side("v2", tables ?? [], status, phase, rates?.reverse)}`, at("picture"));
}

function side(name, tables, status, phase, rates) {
  const writes = phase.application_writes?.includes(name);
  const rogue = status.rogue_writes?.[name];
  return html`<div class="side ${writes ? "written" : ""}">
    <h3>${name === "old" ? "Old table" : `v2: ${tables.length} ${tables.length === 1 ? "table" : "tables"}`}</h3>
    <ul>${tables.map((table) => html`<li><code>${table}</code></li>`)}</ul>
    <p class="writes">${writes ? "The application writes here" : "Not for the application to write"}</p>
    ${rates ? html`<p class="rate"><strong>${rate(rates.application_per_second)}</strong> application changes/s</p>` : nothing}
    ${rogue ? html`<p class="bad">${count(rogue)} rogue writes in this phase</p>` : nothing}
  </div>`;
}

function lane(name, facts, rule, rates, status) {
  const off = rule === "off" || (!rule && status.phase === "complete");
  const works = laneState(name, facts, off);
  const flows = !off && rates?.carried_per_second > 0;
  return html`<div class="lane ${name} ${`tone-${works.tone}`} ${flows ? "flows" : ""}">
    <p class="head"><strong>${name}</strong> <span class="rule">${rule ?? ""}</span></p>
    <div class="arrow" aria-hidden="true"></div>
    <p class="numbers">${off ? "carries nothing" : html`<span><b>${rate(rates?.carried_per_second)}</b> carried/s</span>
      <span>lag <b>${facts.lag_seconds === null ? "–" : seconds(facts.lag_seconds)}</b></span>
      <span class="state">${works.text}</span>`}</p>
  </div>`;
}

function laneState(name, facts, off) {
  if (off) return { tone: "off", text: "off" };
  if (facts.stopped) return { tone: "bad", text: "stopped" };
  if (facts.lag_seconds === null) return { tone: "off", text: "no worker" };
  const text = steady(`lane ${name}`, facts.caught_up ? "caught up" : "catching up", false);
  const left = text === "catching up" && facts.catch_up_seconds ? `, about ${seconds(facts.catch_up_seconds)} left` : "";
  return { tone: text === "caught up" ? "good" : "late", text: `${text}${left}` };
}
