// The headline: what the migration does now, in a few words, and what to do. And which migration it is.

import { at, nothing, render } from "/console/dom.js";
import { withCommands } from "/console/copy.js";
import { steady } from "/console/steady.js";

const ONWARD = { forward: "cut over", dual: "finish the cutover", reverse: "complete the migration" };

// The first row that applies gives the headline: [applies, tone, headline, advice].
function headlines({ status, unready, phase }) {
  return [
    [phase.failed, "bad", "The move has stopped", phase.failed && `${phase.failed.message} ${phase.failed.remedy}`],
    [unready, "bad", "Sync has stopped", unready],
    [status.gap, "bad", "Changes may be lost", `${status.gap}: run tablesplit validate --repair`],
    [status.move, "", "A move is under way", status.move],
    [status.phase === "complete", "good", "Complete", "Changes are no longer carried. The old table stays as it is."],
    [status.quarantine > 0, "bad", "Items in quarantine", `Their changes wait until a person has dealt with them.${
      status.conflicts > 0 ? ` Open conflicts too: ${status.conflicts}.` : ""}`],
    [status.conflicts > 0, "bad", "Conflicts are open", "A write lost against a newer one on v2; a person must decide."],
    [status.verification?.differences > 0, "bad", "Both sides differ", "Keys that were written differ on both sides: tablesplit validate --repair."],
    [status.phase === "forward" && status.backfill.state !== "finished", "", "Copying",
      status.backfill.state === "running" ? "The backfill is running; sync applies the stream's changes." : `The backfill is ${status.backfill.state}: run python -m backfill`],
    [!status.forward.caught_up && status.phase !== "prepare", "", "Catching up", "Sync applies what the stream still holds."],
    [status.gate?.open && !status.hold, "good", `Ready to ${ONWARD[status.phase]}`, "Every condition of the gate is met."],
    [status.phase === "dual", "", "Both sides are live", "The application may write on either; both are carried."],
    [status.phase === "reverse", "", "On v2", "The application writes v2; the old table follows, for the way back."],
    [status.phase === "forward", "", "Not ready to cut over", "The gate shows which conditions are not met."],
    [true, "", "Preparing", "Start with tablesplit create-tables, then the backfill and sync."],
  ];
}

// Only these follow each other by themselves within seconds; anything else is shown at once, and so is what a person has caused.
const LIVELY = ["Catching up", "Ready to ", "Both sides are live", "On v2", "Not ready to "];
let acts = null;
let phaseShown = null;

export function showHeadline(state) {
  const rows = headlines(state);
  const next = rows.find(([applies]) => applies);
  const newest = `${state.status.phase} ${state.status.hold}`;
  const atOnce = newest !== acts || !LIVELY.some((text) => next[2].startsWith(text));
  acts = newest;
  if (phaseShown !== null && phaseShown !== state.status.phase) at("outcome").textContent = ""; // "has begun" is no longer so
  phaseShown = state.status.phase;
  const text = steady("headline", next[2], atOnce);
  const [, tone, , advice] = rows.find(([, , name]) => name === text) ?? next;
  say(tone, text, advice);
}

export function say(tone, text, advice) {
  if (at("headline").textContent !== text) at("headline").textContent = text;
  at("now").className = `tone-${tone || "plain"}`;
  render(advice ? withCommands(advice) : nothing, at("advice"));
}

export function showIdentity({ status: { identity, phase } }) {
  if (!identity) return;
  const { endpoint, region, account, version } = identity;
  const server = endpoint ? `server ${endpoint}` : `region ${region}, ${account ? `account ${account}` : "account not known"}`;
  at("old-table").textContent = identity.old_table;
  at("where").textContent = `${server}, version ${version}`;
  at("control-table").textContent = identity.control_table;
  at("identity").hidden = false;
  document.title = `${identity.old_table}: ${phase} - tablesplit`;
}
