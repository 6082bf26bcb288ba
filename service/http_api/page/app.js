// The console: listens to /v1/events, shows each event, and reports when no event comes.

import { offerActions } from "/console/act.js";
import { showAudit, showLog } from "/console/activity.js";
import { keepHistory } from "/console/chart.js";
import { showConflicts } from "/console/conflicts.js";
import { at } from "/console/dom.js";
import { showValidation, showVerification, showWorkers } from "/console/evidence.js";
import "/console/explain.js";
import { clock } from "/console/format.js";
import { showGate } from "/console/gate.js";
import { say, showHeadline, showIdentity } from "/console/headline.js";
import { bearer, read } from "/console/http.js";
import { showPhases } from "/console/phases.js";
import { showPicture } from "/console/picture.js";
import { showQuarantine } from "/console/quarantine.js";
import { showTiles } from "/console/tiles.js";

const SILENT_AFTER_SECONDS = 15;
const HISTORY_MILLISECONDS = 10000;
const PARTS = [showIdentity, showHeadline, showPhases, showPicture, showTiles, showGate, showConflicts, showQuarantine,
  showValidation, showVerification, showWorkers, showAudit, showLog, offerActions];
const TOKEN_WANTED = [401, 403, 429];
const connection = at("connection");
const main = at("main");
const form = at("sign-in");
const token = at("read-token");
let lastEvent = Date.now();
let silentSince = null;
let historyAt = -Infinity;
let newest = null;

function connected() {
  lastEvent = Date.now();
  silentSince = null;
  connection.textContent = `live, ${clock(new Date())}`;
  connection.className = "live";
  main.classList.remove("old", "gone");
}

function disconnected() {
  silentSince ??= new Date(lastEvent);
  connection.textContent = `No answer from the service since ${clock(silentSince)}; reconnecting. Below is the last state that it sent.`;
  connection.className = "gone";
  main.classList.add("gone");
  offerActions(null);
}

// The hour comes seldom: the event has the present.
async function showHistory() {
  if (Date.now() - historyAt < HISTORY_MILLISECONDS) return;
  historyAt = Date.now();
  try {
    keepHistory(await read("/v1/history"));
    if (newest) showTiles(newest);
  } catch {
    // the chart stays as it is; whether the service answers, the events say
  }
}

const RECEIVED = {
  status: (state) => {
    newest = state;
    PARTS.forEach((show) => show(state));
    showHistory();
  },
  trouble: ({ message, remedy }) => {
    say("bad", "The migration's state cannot be read", `${message}${remedy ? `. ${remedy}` : ""}`);
    main.classList.add("old");
    offerActions(null);
  },
};

function received(event) {
  const [name, data] = event.split("\n", 2).map((line) => line.slice(line.indexOf(": ") + 2));
  connected();
  RECEIVED[name]?.(JSON.parse(data));
}

// Not an EventSource: that cannot send a token.
async function readEvents(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (text + value).split("\n\n");
    text = events.pop();
    events.forEach(received);
  }
}

function askForToken(problem) {
  connection.textContent = `The service asks for a token: ${problem.detail}`;
  connection.className = "gone";
  form.hidden = false;
  token.focus();
}

async function listen() {
  try {
    const answer = await fetch("/v1/events", { headers: bearer(token.value) });
    if (TOKEN_WANTED.includes(answer.status)) return askForToken(await answer.json());
    if (answer.ok) {
      form.hidden = true;
      await readEvents(answer.body);
    }
  } catch {
    // the service does not answer, or has ended
  }
  disconnected();
  setTimeout(listen, 2000);
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  at("token").value = token.value; // the actions take the same
  listen();
});
setInterval(() => {
  if (form.hidden && Date.now() - lastEvent > SILENT_AFTER_SECONDS * 1000) disconnected();
}, 1000);
listen();
