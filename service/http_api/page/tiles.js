// The tiles: progress, lag, headroom, verdict, quarantine, conflicts and touched keys, each with its one number.

import { at, facts, html, nothing, render } from "/console/dom.js";
import { chart } from "/console/chart.js";
import { withCommands } from "/console/copy.js";
import { age, count, seconds } from "/console/format.js";

const tile = (name, id, tone, big, ...more) => html`<div class="tile ${id} ${tone && `tone-${tone}`}" id=${id}>
  <h2>${name}</h2><p class="big">${big}</p>${more}</div>`;

export function showTiles(state) {
  const { status } = state;
  render([backfill(status), lag(status), headroom(status), verdict(state), quarantine(status), conflicts(status), touched(status)], at("tiles"));
}

function backfill({ backfill: run, as_of: asOf }) {
  if (run.state === "not started") return tile("Backfill", "backfill", "", "–", html`<p class="quiet">Not started.</p>`);
  const finished = run.state === "finished";
  const part = finished ? 1 : run.estimate ? Math.min(0.99, run.items / run.estimate) : run.segments_done / (run.segments || 1);
  const began = age(run.started_at, asOf);
  const took = run.finished_at && age(run.started_at, run.finished_at);
  return tile("Backfill", "backfill", run.state === "stopped" ? "bad" : finished ? "good" : "",
    finished ? "finished" : `${Math.floor(100 * part)} %`,
    html`<progress max="1" .value=${part} aria-label="Copied"></progress>`,
    facts([
      ["state", finished ? null : run.state],
      ["items", `${count(run.items)}${run.estimate && !finished ? ` of about ${count(run.estimate)}` : ""}`],
      ["segments", `${run.segments_done} of ${run.segments}`],
      ["speed", run.state === "running" ? `${count(Math.round(run.items_per_second))} items/s` : null],
      ["time left", run.eta_seconds === null || finished ? null : seconds(run.eta_seconds)],
      ["running for", run.state === "running" && began !== null ? seconds(began) : null],
      ["took", took === null ? null : seconds(took)],
      ["waits for", run.waiting_for?.length ? run.waiting_for.join(", ") : null],
      ["left out", run.left_out ? count(run.left_out) : null],
      ["cost", `about ${run.cost_usd.toFixed(2)} USD`],
    ]));
}

const changes = (lane) => Object.values(lane.outcomes).reduce((sum, one) => sum + one, 0);

function lag({ forward, reverse }) {
  const lanes = [["forward", forward], ["reverse", reverse]];
  const one = ([name, lane]) => html`<span class=${name}><i aria-hidden="true"></i>${name} <b>${lane.lag_seconds === null ? "–" : seconds(lane.lag_seconds)}</b></span>`;
  const outcomes = (lane) => Object.entries(lane.outcomes).sort().map(([name, n]) => `${name} ${count(n)}`).join(", ");
  return tile("Lag", "lag", "", html`${lanes.map(one)}`, chart(), html`<details class="more" open>
    <summary>Changes and shards</summary>
    ${facts(lanes.flatMap(([name, lane]) => [
      [`${name} changes`, changes(lane) ? html`<span title=${outcomes(lane)}>${count(changes(lane))} (${outcomes(lane)})</span>` : "none yet"],
      [`${name} shards`, lane.lag_seconds === null ? null : `${lane.shards - lane.shards_waiting} reading, ${lane.shards_waiting} waiting, ${lane.shards_finished} finished`],
      [`${name} catches up`, !lane.caught_up && lane.catch_up_seconds ? `in about ${seconds(lane.catch_up_seconds)}` : null],
    ]))}</details>`);
}

function headroom({ retention_headroom_seconds: left }) {
  if (left === null) return tile("Headroom", "headroom", "", "–", html`<p class="quiet">No position is saved.</p>`);
  return tile("Headroom", "headroom", left < 6 * 3600 ? "bad" : "", seconds(left), html`<p class="quiet">until unread changes are trimmed</p>`);
}

function verdict({ status: { validation: full }, validating }) {
  const running = validating ? html`<p class="quiet">A validation runs now.</p>` : nothing;
  if (!full) return tile("Verdict", "verdict", "", "none", running, html`<p class="quiet">Never validated in full.</p>`);
  return tile("Verdict", "verdict", full.result === "equal" ? "good" : "bad", full.result, running,
    html`<p class="quiet">${seconds(full.age_seconds)} old${full.differences ? `, ${count(full.differences)} differences` : ""}</p>`);
}

const link = (n, to, none) => (n ? html`<p><a href=${to}>Look at them</a></p>` : html`<p class="quiet">${none}</p>`);

const quarantine = ({ quarantine: n }) =>
  tile("Quarantine", "quarantine-tile", n ? "bad" : "", count(n), link(n, "#quarantine-list", "Every item can be mapped."));

const conflicts = ({ conflicts: n }) =>
  tile("Conflicts", "conflicts-tile", n ? "bad" : "", count(n), link(n, "#conflicts-list", "No write has lost."));

function touched({ verification, as_of: asOf }) {
  if (!verification) return tile("Touched keys", "touched", "", "–", html`<p class="quiet">Verified from dual on.</p>`);
  const { differences, checked, pending, finished_at: at } = verification;
  const none = !differences && !checked; // nothing is known of any key: that is no good news
  return tile("Touched keys", "touched", differences ? "bad" : none ? "" : "good", differences ? `${count(differences)} differ` : none ? "–" : "equal",
    html`<p class="quiet">${count(checked)} equal, ${count(pending)} not quiet yet, ${seconds(age(at, asOf))} ago</p>`,
    differences ? html`<p>${withCommands("tablesplit verification list")}</p>` : nothing);
}
