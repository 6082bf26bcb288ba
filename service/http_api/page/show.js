// Shows one document on the page. Everything from the service is set as text, never as HTML.

import { sparkline } from "/console/sparkline.js";

const PHASES = ["prepare", "forward", "dual", "reverse", "complete"];
const at = (id) => document.getElementById(id);

export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("data-") || name.startsWith("aria-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(child ?? ""))));
  return element;
}

export function table(columns, rows) {
  const head = el("tr", {}, ...columns.map((name) => el("th", { scope: "col" }, name)));
  const body = rows.map((row) =>
    el("tr", {}, ...row.map((cell, n) => {
      const td = cell instanceof Node && cell.tagName === "TD" ? cell : el("td", {}, cell);
      td.setAttribute("data-name", columns[n]);
      return td;
    })));
  return el("table", { className: "stacked" }, el("thead", {}, head), el("tbody", {}, ...body));
}

const facts = (pairs) =>
  el("dl", {}, ...pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));

const seconds = (value) => {
  if (value === null || value === undefined) return "unknown";
  if (value < 120) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  return value < 7200 ? `${(value / 60).toFixed(0)} min` : `${(value / 3600).toFixed(1)} h`;
};
const count = (value) => value.toLocaleString("en");
export const quiet = (text) => el("p", { className: "quiet" }, text);
export const key = (value) => (value && typeof value === "object" ? Object.values(value).join(" / ") : String(value));

// The first row that applies gives the headline: [applies, class, headline, advice].
function headlines({ status, unready, phase }) {
  const onward = { forward: "cut over", dual: "finish the cutover", reverse: "complete the migration" }[status.phase];
  return [
    [phase.failed, "bad", "The move has stopped", phase.failed && `${phase.failed.message} ${phase.failed.remedy}`],
    [unready, "bad", "Sync has stopped", unready],
    [status.gap, "bad", "Changes may be lost", `${status.gap}: run tablesplit validate --repair`],
    [status.move, "", "A move is under way", status.move],
    [status.phase === "complete", "good", "Complete", "Changes are no longer carried. The old table stays as it is."],
    [status.quarantine > 0, "bad", "Items in quarantine", "Their changes wait until a person has dealt with them."],
    [status.conflicts > 0, "bad", "Conflicts are open", "A write lost against a newer one on v2; a person must decide."],
    [status.verification?.differences > 0, "bad", "Both sides differ", "Keys that were written differ on both sides: tablesplit validate --repair."],
    [status.phase === "forward" && status.backfill.state !== "finished", "", "Copying",
      status.backfill.state === "running" ? "The backfill is running; sync applies the stream's changes." : `The backfill is ${status.backfill.state}: run python -m backfill`],
    [!status.forward.caught_up && status.phase !== "prepare", "", "Catching up", "Sync applies what the stream still holds."],
    [status.gate?.open && !status.hold, "good", `Ready to ${onward}`, "Every condition of the gate is met."],
    [status.phase === "dual", "", "Both sides are live", "The application may write on either; both are carried."],
    [status.phase === "reverse", "", "On v2", "The application writes v2; the old table follows, for the way back."],
    [status.phase === "forward", "", "Not ready to cut over", "The gate shows which conditions are not met."],
    [true, "", "Preparing", "Start with tablesplit create-tables, then the backfill and sync."],
  ];
}

// Set in place, so that the details stay open from one event to the next.
function showIdentity({ status: { identity, phase } }) {
  if (!identity) return;
  const { endpoint, region, account, version } = identity;
  const server = endpoint ? `server ${endpoint}` : `region ${region}, ${account ? `account ${account}` : "account not known"}`;
  at("old-table").textContent = identity.old_table;
  at("where").textContent = `${server}, version ${version}`;
  at("control-table").textContent = identity.control_table;
  at("identity").hidden = false;
  document.title = `${identity.old_table}: ${phase} - tablesplit`;
}

function showNow(state) {
  const [, tone, text, advice] = headlines(state).find(([applies]) => applies);
  if (at("headline").textContent !== text) at("headline").textContent = text;
  at("headline").className = tone;
  at("advice").textContent = advice ?? "";
  at("phases").replaceChildren(...PHASES.map((name) => {
    const item = el("li", {}, name);
    if (name === state.status.phase) item.setAttribute("aria-current", "step");
    return item;
  }));
}

function showGate({ status }) {
  if (!status.gate) return at("gate").replaceChildren(quiet("There is no further move."));
  const rows = status.gate.conditions.map((condition) => [
    el("td", { className: condition.met ? "good" : "bad" }, condition.met ? "✓ met" : "✗ not met"),
    condition.name,
    String(condition.value),
    String(condition.threshold),
    el("td", {}, condition.since ?? "", condition.met || !condition.remedy ? "" : el("span", { className: "remedy" }, condition.remedy)),
  ]);
  at("gate").replaceChildren(
    el("p", { className: status.gate.open ? "good" : "bad" }, `To ${status.gate.to}: ${status.gate.open ? "open" : "closed"}`),
    status.hold ? el("p", { className: "bad" }, `Held: ${status.hold}`) : "",
    table(["state", "condition", "now", "wanted", "since"], rows),
  );
}

function showBackfill({ status: { backfill } }) {
  if (backfill.state === "not started") return at("backfill").replaceChildren(quiet("Not started."));
  at("backfill").replaceChildren(
    el("progress", { max: backfill.segments, value: backfill.segments_done, "aria-label": "Segments done" }),
    facts([
      ["state", backfill.state],
      ["items", count(backfill.items)],
      ["segments", `${backfill.segments_done} of ${backfill.segments}`],
      ["speed", backfill.state === "running" ? `${count(Math.round(backfill.items_per_second))} items/s` : null],
      ["cost", `about ${backfill.cost_usd.toFixed(2)} USD`],
      ["time left", backfill.eta_seconds === null ? null : seconds(backfill.eta_seconds)],
    ]),
  );
}

function showLag({ status }) {
  const lanes = ["forward", "reverse"].flatMap((name) => {
    const lane = status[name];
    const state = lane.lag_seconds === null ? "no report" : `${seconds(lane.lag_seconds)}, ${lane.caught_up ? "caught up" : "not caught up"}`;
    return [el("p", {}, el("strong", {}, name), ` ${state}`), sparkline(name, lane.lag_seconds)];
  });
  at("lag").replaceChildren(...lanes, facts([
    ["headroom", status.retention_headroom_seconds === null ? null : `${seconds(status.retention_headroom_seconds)} until unread changes are trimmed`],
  ]));
}

function showValidation({ validation, validating }) {
  const running = validating ? quiet("A validation runs now.") : "";
  if (!validation?.counts) {
    return at("validation").replaceChildren(running, quiet(validation ? `${validation.id}: ${validation.state}` : "Never run."));
  }
  const kinds = [...new Set(Object.values(validation.counts).flatMap(Object.keys))];
  const rows = Object.entries(validation.counts).map(([entity, counts]) => [entity, ...kinds.map((kind) => count(counts[kind] ?? 0))]);
  const differences = validation.differences.slice(0, 10).map((difference) => [difference.entity ?? "", difference.kind, key(difference.old_key ?? difference.v2_key), difference.fields.join(", ")]);
  at("validation").replaceChildren(
    running,
    el("p", { className: validation.result === "equal" ? "good" : "bad" },
      `${validation.result}, ${count(validation.differences_total)} differences, at ${validation.finished_at}`),
    table(["entity", ...kinds], rows),
    differences.length ? table(["entity", "difference", "key", "fields"], differences) : "",
  );
}

function showVerification({ verification }) {
  if (!verification.finished_at) return at("verification").replaceChildren(quiet("Not yet: it begins with dual."));
  const rows = verification.items.map((item) => [item.entity, item.difference, key(item.key), item.fields.join(", "),
    `${item.first_seen} to ${item.last_seen}`, item.remedy]);
  const more = verification.differences > rows.length ? quiet(`The first ${count(rows.length)}; all: tablesplit verification list`) : "";
  at("verification").replaceChildren(
    el("p", { className: verification.differences ? "bad" : "good" },
      `${count(verification.differences)} different, ${count(verification.checked)} equal, ${count(verification.pending)} not quiet yet, at ${verification.finished_at}`),
    rows.length ? table(["entity", "difference", "key", "fields", "seen", "what to do"], rows) : "",
    more,
  );
}

function showList(id, items, columns, row, empty) {
  at(id).replaceChildren(items.length ? table(columns, items.map(row)) : quiet(empty));
}

export function show(state) {
  showIdentity(state);
  showNow(state);
  showGate(state);
  showBackfill(state);
  showLag(state);
  showValidation(state);
  showList("quarantine", state.quarantine, ["key", "reason", "since"],
    (item) => [key(item.key), `${item.reason}: ${item.message}`, item.first_seen], "Empty.");
  showList("conflicts", state.conflicts, ["key", "reason", "what to do"],
    (conflict) => [key(conflict.key), conflict.reason ?? conflict.kind, conflict.remedy], "None.");
  showVerification(state);
  showList("workers", state.status.workers, ["worker", "forward", "reverse", "last report"],
    (worker) => [el("td", {}, worker.id, worker.failure ? el("span", { className: "remedy bad" }, worker.failure) : ""), worker.forward, worker.reverse,
      `${seconds(worker.seen_seconds_ago)} ago`], "No worker is running: start tablesplit sync.");
  showList("audit", [...state.audit].reverse(), ["at", "who", "what", "why"], (record) => [record.at, record.who, record.action, record.why], "Nothing yet.");
}

export function showTrouble({ message, remedy }) {
  at("headline").textContent = "The migration's state cannot be read";
  at("headline").className = "bad";
  at("advice").textContent = `${message}${remedy ? `. ${remedy}` : ""}`;
  at("main").classList.add("old");
}
