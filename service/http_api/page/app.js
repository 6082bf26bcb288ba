// The console: listens to /v1/events, shows what comes, and says so when nothing comes.

import { offerActions } from "/console/act.js";
import { show, showTrouble } from "/console/show.js";

const SILENT_AFTER_SECONDS = 15;
const connection = document.getElementById("connection");
const main = document.getElementById("main");
let lastHeard = Date.now();
let goneSince = null;

const time = (date) => date.toLocaleTimeString([], { hour12: false });

function heard() {
  lastHeard = Date.now();
  goneSince = null;
  connection.textContent = `live, ${time(new Date())}`;
  connection.className = "";
  main.classList.remove("old", "gone");
}

function gone() {
  goneSince ??= new Date(lastHeard);
  connection.textContent = `The service is gone since ${time(goneSince)}; trying again. Below is what it said last.`;
  connection.className = "gone";
  main.classList.add("gone");
  offerActions(null);
}

function listen() {
  const events = new EventSource("/v1/events");
  events.addEventListener("status", (event) => {
    heard();
    const state = JSON.parse(event.data);
    show(state);
    offerActions(state);
  });
  events.addEventListener("trouble", (event) => {
    heard();
    showTrouble(JSON.parse(event.data));
    offerActions(null);
  });
  events.onerror = () => {
    gone();
    // The browser connects again by itself, but not after an answer that is an error.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}

setInterval(() => {
  if (Date.now() - lastHeard > SILENT_AFTER_SECONDS * 1000) gone();
}, 1000);
listen();
