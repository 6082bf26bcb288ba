// The buttons that move the migration: each explains what will happen, and is offered where it can do something.

import { ask } from "/console/ask.js";
import { post } from "/console/http.js";

const ONWARD = { forward: "dual", dual: "reverse", reverse: "complete" };
const BACK = { dual: "forward", reverse: "dual" };
const LABELS = { dual: "Cut over", reverse: "Finish the cutover", complete: "Complete" };

const MOVES = {
  dual: "From then on the application may write v2, instance by instance, while other instances still write the old table. No writer waits. You can roll back at any time.",
  reverse: "Only when no instance writes the old table any more. From then on v2 leads; the old table follows, so that you can roll back.",
  complete: "This ends sync in both directions, removes the stamps from v2, and CANNOT BE UNDONE: there is no way back. The old table stays as it was last written.",
};
const BACKWARD = {
  forward: "Only when no instance writes v2 any more. Everything written there is in the old table too; nothing is lost.",
  dual: "Instances may write the old table again, one after the other. Nothing is lost, and no writer waits.",
};

let state = null;

function onward({ phase, gate, identity }) {
  const to = ONWARD[phase];
  if (!to) return null;
  const last = to === "complete";
  return {
    label: LABELS[to],
    text: `${gate?.open ? "The gate is open. " : "The gate is CLOSED: this will be refused, with the reasons. "}${MOVES[to]}`,
    path: "/v1/phase",
    danger: last,
    table: last ? identity.old_table : null,
    why: last ? "required" : "optional",
    body: ({ why, table }) => ({ to, why, ...(last ? { table } : {}) }),
  };
}

function back({ phase, move }) {
  if (!BACK[phase] && !move) return null;
  return {
    label: "Roll back",
    text: BACK[phase] ? BACKWARD[BACK[phase]] : "Gives up the move that has begun.",
    path: "/v1/phase",
    body: ({ why }) => ({ to: BACK[phase] ?? phase, why }),
  };
}

const hold = ({ hold: held }) => (held
  ? { label: "Release", text: `Removes the hold: ${held}`, path: "/v1/release", why: "no", body: () => null }
  : { label: "Hold", text: "Keeps every gate closed until the hold is released.", path: "/v1/hold", why: "required", body: ({ why }) => ({ why }) });

const validate = () => ({
  label: "Validate",
  text: "Compares both sides, item by item. It reads every item once and writes nothing.",
  path: "/v1/validation",
  body: () => ({}),
});

const ACTIONS = { validate, onward, back, hold };

// What a button does now; null when there is nothing that it can do.
const action = (name) => (state ? ACTIONS[name](state.status) : null);

export function offerActions(newest) {
  state = newest;
  for (const button of document.querySelectorAll("button[data-action]")) {
    const offered = action(button.dataset.action);
    button.disabled = !offered;
    if (offered && button.textContent !== offered.label) button.textContent = offered.label;
    if (button.dataset.action === "onward") button.classList.toggle("primary", Boolean(state?.status.gate?.open && !state.status.hold));
  }
}

function begin(name) {
  const { path, body, ...offered } = action(name) ?? {};
  if (!path) return;
  ask({
    why: "optional",
    ...offered,
    send: async (answers) => {
      await post(path, body(answers), answers.token);
    },
    done: () => "the service has begun",
  });
}

for (const button of document.querySelectorAll("button[data-action]")) {
  button.addEventListener("click", () => begin(button.dataset.action));
}
offerActions(null);
