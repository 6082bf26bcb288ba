// Requests to the service: reads with the token that was given, and POSTs. A refusal is thrown with all its reasons.

import { at } from "/console/dom.js";

export class Refusal extends Error {}

const GONE = "The service does not answer. Check the page before you try again: the action may have begun.";

export const bearer = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

function reasons(problem) {
  const conditions = (problem.conditions ?? []).map(({ name, value, threshold, remedy }) => `• ${name} is ${value}, wanted ${threshold}: ${remedy}`);
  return [problem.title, conditions.length ? "" : problem.detail, ...conditions].filter(Boolean).join("\n");
}

async function answered(request, gone) {
  let answer;
  try {
    answer = await request;
  } catch {
    throw new Refusal(gone);
  }
  const document = await answer.json();
  if (!answer.ok) throw Object.assign(new Refusal(reasons(document)), { detail: document.detail });
  return document;
}

export const read = (path) =>
  answered(fetch(path, { headers: bearer(at("read-token").value || at("token").value) }), "The service does not answer.");

export const post = (path, body, token) => answered(
  fetch(path, { method: "POST", headers: { ...bearer(token), "Content-Type": "application/json" }, body: body && JSON.stringify(body) }), GONE);
