// The console: listens to /v1/events, shows each event, and reports when no event comes.

import { offerActions } from "/console/act.js";
import { show, showTrouble } from "/console/show.js";

const SILENT_AFTER_SECONDS = 15;
const connection = document.getElementById("connection");
const main = document.getElementById("main");
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

function listen() {
  const events = new EventSource("/v1/events");
  events.addEventListener("status", (event) => {
    connected();
    const state = JSON.parse(event.data);
    show(state);
    offerActions(state);
  });
  events.addEventListener("trouble", (event) => {
    connected();
    showTrouble(JSON.parse(event.data));
    offerActions(null);
  });
  events.onerror = () => {
    disconnected();
    // The browser reconnects by itself, but not after an error answer.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}

setInterval(() => {
  if (Date.now() - lastEvent > SILENT_AFTER_SECONDS * 1000) disconnected();
}, 1000);
listen();
