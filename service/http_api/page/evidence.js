// What the comparisons of both sides found, and which workers report: validation, verification of touched keys, workers.

import { at, html, nothing, quiet, render, table } from "/console/dom.js";
import { copyButton, withCommands } from "/console/copy.js";
import { ago, count, key, seconds } from "/console/format.js";

const keyed = (value) => html`<span class="copyable"><code>${key(value)}</code>${copyButton(key(value))}</span>`;

export function showValidation({ status, validation, validating }) {
  render(html`${validating ? quiet("A validation runs now.") : nothing}${found(validation, status.as_of)}`, at("validation"));
}

function found(validation, asOf) {
  if (!validation?.counts) return quiet(validation ? `${validation.id}: ${validation.state}` : "Never run.");
  const kinds = [...new Set(Object.values(validation.counts).flatMap(Object.keys))];
  const rows = Object.entries(validation.counts).map(([entity, counts]) => [entity, [entity, ...kinds.map((kind) => count(counts[kind] ?? 0))]]);
  const differences = validation.differences.slice(0, 10).map((one, n) =>
    [n, [one.entity ?? "", one.kind, keyed(one.old_key ?? one.v2_key), one.fields.join(", ")]]);
  return html`<p class=${validation.result === "equal" ? "good" : "bad"}>
      ${`${validation.result}, ${count(validation.differences_total)} differences, at ${validation.finished_at}`}
      <span class="quiet">${ago(validation.finished_at, asOf)}</span></p>
    ${table(["entity", ...kinds], rows, "numbers")}
    ${differences.length ? table(["entity", "difference", "key", "fields"], differences) : nothing}`;
}

export function showVerification({ verification }) {
  if (!verification.finished_at) return render(quiet("Not yet: it begins with dual."), at("verification"));
  const rows = verification.items.map((item) => [item.id, [item.entity, item.difference, keyed(item.key), item.fields.join(", "),
    `${item.first_seen} to ${item.last_seen}`, withCommands(item.remedy)]]);
  const more = verification.differences > rows.length ? quiet(`The first ${count(rows.length)}; all: tablesplit verification list`) : nothing;
  render(html`<p class=${verification.differences ? "bad" : "good"}>
      ${`${count(verification.differences)} different, ${count(verification.checked)} equal, ${count(verification.pending)} not quiet yet, at ${verification.finished_at}`}</p>
    ${rows.length ? table(["entity", "difference", "key", "fields", "seen", "what to do"], rows) : nothing}${more}`, at("verification"));
}

export function showWorkers({ status: { workers } }) {
  if (!workers.length) return render(quiet("No worker is running: start tablesplit sync."), at("workers"));
  render(table(["worker", "forward", "reverse", "last report"], workers.map((worker) => [worker.id, [
    html`<code>${worker.id}</code>${worker.failure ? html`<span class="remedy bad">${worker.failure}</span>` : nothing}`,
    worker.forward, worker.reverse, `${seconds(worker.seen_seconds_ago)} ago`]])), at("workers"));
}
