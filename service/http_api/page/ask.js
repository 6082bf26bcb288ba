// The dialog before every act: what will happen, the token, a reason, a confirmation; then the answer, or why it was refused.

import { at, html, nothing, render } from "/console/dom.js";
import { clock } from "/console/format.js";

let asked = null;

// What is asked: label, text; danger: it cannot be undone; why: "no", "optional" or "required"; table: the name to be typed, or nothing;
// look: the label of a first step that changes nothing, if there is one; send: gets {why, table, token}, and gives nothing once
// it is done, or after a first step {lines, label} to be confirmed; done: what is said then.
export function ask(question) {
  asked = question;
  at("dialog-text").textContent = question.text;
  at("why-label").hidden = question.why === "no";
  at("why").required = question.why === "required";
  at("why").value = "";
  at("typed-label").hidden = !question.table;
  at("typed").required = Boolean(question.table);
  at("typed").value = "";
  render(question.table ? html`<code>${question.table}</code>` : nothing, at("typed-name"));
  at("refusal").textContent = "";
  render(nothing, at("dialog-lines"));
  at("confirm").classList.toggle("danger", Boolean(question.danger));
  confirmAs(question.look ?? question.label, question.look);
  at("dialog-title").textContent = question.label;
  at("dialog").showModal();
  at(!at("token").value ? "token" : question.look ? "confirm" : "sure").focus();
}

function confirmAs(label, harmless = false) {
  at("confirm").textContent = label;
  at("sure-label").hidden = Boolean(harmless);
  at("sure").required = !harmless;
  at("sure-text").textContent = `Yes, ${label.toLowerCase()} now`;
  at("sure").checked = false;
}

function onceMore({ lines, label }) {
  render(html`<p>This gives up:</p><ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>`, at("dialog-lines"));
  confirmAs(label);
  at("sure").focus();
}

async function submit(event) {
  event.preventDefault();
  at("confirm").disabled = true;
  at("refusal").textContent = "";
  try {
    const more = await asked.send({ why: at("why").value, table: at("typed").value, token: at("token").value });
    if (more) return onceMore(more);
    at("outcome").textContent = `${asked.label}: ${asked.done()}, ${clock(new Date())}`;
    at("dialog").close();
  } catch (refusal) {
    at("refusal").textContent = refusal.message;
  } finally {
    at("confirm").disabled = false;
  }
}

at("form").addEventListener("submit", submit);
at("cancel").addEventListener("click", () => at("dialog").close());
