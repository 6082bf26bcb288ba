// The stepper: the phases, and under them the steps of a move under way, what it waits for, and how long that mostly takes.

import { at, html, nothing, render } from "/console/dom.js";
import { age, seconds } from "/console/format.js";

const PHASES = [
  ["prepare", "nothing is copied yet"],
  ["forward", "old is written; v2 follows"],
  ["dual", "both may be written"],
  ["reverse", "v2 is written; old follows"],
  ["complete", "v2 alone"],
];

export function showPhases({ status, phase }) {
  const here = PHASES.findIndex(([name]) => name === status.phase);
  render(PHASES.map(([name, text], n) => html`<li class=${n < here ? "done" : n > here ? "next" : "here"}
      aria-current=${n === here ? "step" : nothing}>
    <span class="name">${name}</span> <span class="text">${n === here && status.phase_since
      ? html`${text}<br>for ${seconds(age(status.phase_since, status.as_of))}` : text}</span></li>`), at("phases"));
  render(phase.move ? steps(phase, status.as_of) : nothing, at("steps"));
}

function steps({ move, steps: list, waits_for: waitsFor }, asOf) {
  const number = list.findIndex(({ state }) => state === "now") + 1;
  const since = Date.parse(asOf) / 1000 - move.since;
  return html`<h3>Move to ${move.to}: step ${number} of ${list.length}</h3>
    <ol>${list.map(({ name, text, expected, state }) => html`<li class=${state}>
      <span class="name">${name}</span> <span class="text">${text}${state === "now" && waitsFor ? html`<br>waits: ${waitsFor}` : nothing}</span>
      <span class="expected">${state === "now" ? `for ${seconds(Math.max(0, since))}, mostly ${expected}` : state === "done" ? "done" : expected}</span>
    </li>`)}</ol>`;
}
