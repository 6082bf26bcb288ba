// What people have done, and what the process says: the tails of the audit log, and of the log of the process that serves the page.

import { at, html, quiet, render, table } from "/console/dom.js";
import { ago } from "/console/format.js";
import { read } from "/console/http.js";

const EVERY_MILLISECONDS = 4000;
const OWN = new Set(["event", "level", "timestamp"]);
let readAt = -Infinity;

const when = (time, asOf) => html`<time class="brief" datetime=${time} title=${time}>${ago(time, asOf)}</time>`;

export function showAudit({ audit, status }) {
  if (!audit.length) return render(quiet("Nothing yet."), at("audit"));
  const rows = [...audit].reverse().map((record) => [record.number,
    [when(record.at, status.as_of), record.who, record.action, record.why]]);
  render(table(["when", "who", "what", "why"], rows), at("audit"));
}

// Only while it is open: nobody reads a folded log.
export async function showLog() {
  if (!at("log-fold").open || Date.now() - readAt < EVERY_MILLISECONDS) return;
  readAt = Date.now();
  try {
    draw(await read("/v1/log"));
  } catch (refusal) {
    render(html`<p class="bad">${refusal.message}</p>`, at("log"));
  }
}

function draw({ events, as_of: asOf }) {
  if (!events.length) return render(quiet("Nothing yet."), at("log"));
  const rows = [...events].reverse().map((event, n) => [events.length - n, [
    when(event.timestamp, asOf),
    html`<span class=${event.level === "info" ? "quiet" : event.level === "warning" ? "late" : "bad"}>${event.level}</span>`,
    html`<b>${event.event}</b> ${Object.entries(event).filter(([name]) => !OWN.has(name)).map(([name, value]) =>
      html`<span class="fact">${name}=${value}</span> `)}`]]);
  render(table(["when", "level", "event"], rows, "log"), at("log"));
}

at("log-fold").addEventListener("toggle", () => {
  readAt = -Infinity;
  showLog();
});
