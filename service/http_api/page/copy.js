// Texts that can be copied: commands, ids and keys. One listener serves every button.

import { at, html } from "/console/dom.js";

const COMMAND = /`([^`]+)`|\b(tablesplit [a-z][a-z-]*(?: (?:list|show|resolve|retry|drop)\b)?(?: --[a-z-]+)*|python -m backfill)/g;

export const copyButton = (text) => html`<button type="button" class="copy" data-copy=${text} aria-label=${`Copy ${text}`} title="Copy">
  <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M5.5 5.5v-3h8v8h-3m-8-5h8v8h-8z"/></svg></button>`;

export const copyable = (text) => html`<span class="copyable"><code>${text}</code>${copyButton(text)}</span>`;

// A text whose commands can be copied.
export function withCommands(text) {
  const parts = [];
  let end = 0;
  for (const found of (text ?? "").matchAll(COMMAND)) {
    parts.push(text.slice(end, found.index), copyable(found[1] ?? found[2]));
    end = found.index + found[0].length;
  }
  return [...parts, (text ?? "").slice(end)];
}

// Without TLS, and not on this machine, a browser has no clipboard for a page: then the old way.
async function copied(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("not copied");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button.copy");
  if (!button) return;
  const text = button.dataset.copy;
  try {
    await copied(text);
    at("copied").textContent = `Copied: ${text}`;
  } catch {
    at("copied").textContent = "The browser does not let the page copy: select the text.";
  }
  at("copied").classList.add("shown");
  setTimeout(() => at("copied").classList.remove("shown"), 1500);
});
