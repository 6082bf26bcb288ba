// The buttons: each explains what will happen, asks for the token, a reason and a confirmation, and shows a refusal with its reasons.

const at = (id) => document.getElementById(id);
const ONWARD = { forward: "dual", dual: "reverse" };
const BACK = { dual: "forward", reverse: "dual" };
const LABELS = { dual: "Cut over", reverse: "Finish the cutover" };

const MOVES = {
  dual: "From then on the application may write v2, instance by instance, while other instances still write the old table. No writer waits. You can roll back at any time.",
  reverse: "Only when no instance writes the old table any more. From then on v2 leads; the old table follows, so that you can roll back.",
};
const BACKWARD = {
  forward: "Only when no instance writes v2 any more. Everything written there is in the old table too; nothing is lost.",
  dual: "Instances may write the old table again, one after the other. Nothing is lost, and no writer waits.",
};

let state = null;
let chosen = null;

// What a button does now; null when there is nothing that it can do.
function action(name) {
  if (!state) return null;
  const { phase, hold, move, gate } = state.status;
  const actions = {
    validate: { label: "Validate", text: "Compares both sides, item by item. It reads every item once and writes nothing.", path: "/v1/validation", body: () => ({}) },
    onward: ONWARD[phase] && { label: LABELS[ONWARD[phase]], text: `${gate?.open ? "The gate is open. " : "The gate is CLOSED: this will be refused, with the reasons. "}${MOVES[ONWARD[phase]]}`, path: "/v1/phase", body: (why) => ({ to: ONWARD[phase], why }) },
    back: (BACK[phase] || move) && { label: "Roll back", text: BACK[phase] ? BACKWARD[BACK[phase]] : "Gives up the move that has begun.", path: "/v1/phase", body: (why) => ({ to: BACK[phase] ?? phase, why }) },
    hold: hold
      ? { label: "Release", text: `Removes the hold: ${hold}`, path: "/v1/release", body: () => null }
      : { label: "Hold", text: "Keeps every gate closed until the hold is released.", path: "/v1/hold", body: (why) => ({ why }), needsWhy: true },
  };
  return actions[name] || null;
}

export function offerActions(newest) {
  state = newest;
  for (const button of document.querySelectorAll("button[data-action]")) {
    const offered = action(button.dataset.action);
    button.disabled = !offered;
    if (offered) button.textContent = offered.label;
  }
}

function ask(name) {
  chosen = action(name);
  if (!chosen) return;
  at("dialog-title").textContent = chosen.label;
  at("dialog-text").textContent = chosen.text;
  at("confirm").textContent = chosen.label;
  at("sure-text").textContent = `Yes, ${chosen.label.toLowerCase()} now`;
  at("sure").checked = false;
  at("why").required = Boolean(chosen.needsWhy);
  at("why").value = "";
  at("refusal").textContent = "";
  at("dialog").showModal();
  at(at("token").value ? "sure" : "token").focus();
}

async function refusal(answer) {
  const problem = await answer.json();
  const reasons = (problem.conditions ?? []).map(({ name, value, threshold, remedy }) => `• ${name} is ${value}, wanted ${threshold}: ${remedy}`);
  return [problem.title, reasons.length ? "" : problem.detail, ...reasons].filter(Boolean).join("\n");
}

async function send() {
  const body = chosen.body(at("why").value);
  const headers = { Authorization: `Bearer ${at("token").value}`, "Content-Type": "application/json" };
  const answer = await fetch(chosen.path, { method: "POST", headers, body: body && JSON.stringify(body) });
  if (answer.ok) return null;
  return refusal(answer);
}

async function submit(event) {
  event.preventDefault();
  at("confirm").disabled = true;
  at("refusal").textContent = "";
  try {
    const refused = await send();
    if (refused) {
      at("refusal").textContent = refused;
    } else {
      at("outcome").textContent = `${chosen.label}: the service has begun, ${new Date().toLocaleTimeString([], { hour12: false })}`;
      at("dialog").close();
    }
  } catch {
    at("refusal").textContent = "The service does not answer. Check the page before you try again: the action may have begun.";
  } finally {
    at("confirm").disabled = false;
  }
}

for (const button of document.querySelectorAll("button[data-action]")) {
  button.addEventListener("click", () => ask(button.dataset.action));
}
at("form").addEventListener("submit", submit);
at("cancel").addEventListener("click", () => at("dialog").close());
offerActions(null);
