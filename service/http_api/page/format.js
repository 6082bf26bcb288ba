// Numbers, times and keys as people read them.

export const count = (value) => value.toLocaleString("en");

export function seconds(value) {
  if (value === null || value === undefined) return "unknown";
  if (value < 120) return `${value.toFixed(value > 0 && value < 10 ? 1 : 0)} s`;
  if (value < 7200) return `${(value / 60).toFixed(0)} min`;
  return value < 172800 ? `${(value / 3600).toFixed(1)} h` : `${(value / 86400).toFixed(0)} days`;
}

export function rate(value) {
  if (value === null || value === undefined) return "–";
  return value < 10 ? value.toFixed(value === 0 ? 0 : 1) : count(Math.round(value));
}

export const clock = (date) => date.toLocaleTimeString([], { hour12: false });

// Seconds from a time of a document to the moment at which it was read: both are the service's clock, not the browser's.
export const age = (time, asOf) => (time ? Math.max(0, (Date.parse(asOf) - Date.parse(time)) / 1000) : null);

export function ago(time, asOf) {
  if (!time) return "";
  const passed = age(time, asOf);
  return passed < 1 ? "just now" : `${seconds(passed)} ago`;
}

// As commands and the form of "Explain an item" take it.
export const key = (value) => (value && typeof value === "object" ? Object.entries(value).map(([name, one]) => `${name}=${one}`).join(" ") : String(value));
