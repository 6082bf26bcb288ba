// The newest acts of people: the tail of the audit log.

import { at, html, quiet, render, table } from "/console/dom.js";
import { ago } from "/console/format.js";

export function showAudit({ audit, status }) {
  if (!audit.length) return render(quiet("Nothing yet."), at("audit"));
  const rows = [...audit].reverse().map((record) => [record.number,
    [html`<time datetime=${record.at} title=${record.at}>${ago(record.at, status.as_of)}</time>`, record.who, record.action, record.why]]);
  render(table(["when", "who", "what", "why"], rows), at("audit"));
}
