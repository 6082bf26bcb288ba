// The console: listens to /v1/events, shows each event, and reports when no event comes.

import { offerActions } from "/console/act.js";
import "/console/explain.js";
import { show, showTrouble } from "/console/show.js";

const SILENT_AFTER_SECONDS = 15;
const connection = document.getElementById("connection");
const main = document.getElementById("main");
const form = document.getElementById("sign-in");
const token = document.getElementById("read-token");
const TOKEN_WANTED = [401, 403, 429];
let lastEvent = Date.now();
let silentSince = null;

const time = (date) => date.toLocaleTimeString([], { hour12: false });

function connected() {
  lastEvent = Date.now();
  silentSince = null;
  connection.textContent = `live, ${time(new Date())}`;
  connection.className = "";
  main.classList.remove("old", "gone");
}

function disconnected() {
  silentSince ??= new Date(lastEvent);
  connection.textContent = `No answer from the service since ${time(silentSince)}; reconnecting. Below is the last state that it sent.`;
  connection.className = "gone";
  main.classList.add("gone");
  offerActions(null);
}

const RECEIVED = {
  status: (state) => {
    show(state);
    offerActions(state);
  },
  trouble: (trouble) => {
    showTrouble(trouble);
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
    const answer = await fetch("/v1/events", { headers: token.value ? { Authorization: `Bearer ${token.value}` } : {} });
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
  document.getElementById("token").value = token.value; // the actions take the same
  listen();
});
setInterval(() => {
  if (form.hidden && Date.now() - lastEvent > SILENT_AFTER_SECONDS * 1000) disconnected();
}, 1000);
listen();
