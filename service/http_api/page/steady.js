// Hysteresis for what is shown of a state: a state that comes and goes within seconds does not flicker.
//
// Bad news, and whatever a person has caused, is shown at once; good news once it has lasted. The gate is never held back.

const LASTS_MILLISECONDS = 5000;
const shown = new Map();

// The state to show under `name`: `next`, or the one shown until now while `next` is too young.
export function steady(name, next, atOnce, now = Date.now()) {
  const known = shown.get(name);
  if (!known || atOnce || next === known.state) {
    shown.set(name, { state: next, candidate: null, since: now });
    return next;
  }
  if (known.candidate !== next) Object.assign(known, { candidate: next, since: now });
  if (now - known.since < LASTS_MILLISECONDS) return known.state;
  shown.set(name, { state: next, candidate: null, since: now });
  return next;
}
