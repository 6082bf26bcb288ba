// The lag of both lanes in the last hour, as the service remembers it, drawn as lines over as much of the hour as is known.

import { html, svg } from "/console/dom.js";
import { seconds } from "/console/format.js";

const WIDTH = 600;
const HEIGHT = 96;
const SHORTEST = 5 * 60 * 1000;
let points = [];

export function keepHistory(document) {
  points = document.points.map((point) => ({ ...point, time: Date.parse(point.at) }));
}

// A line breaks where the lag was not known.
function path(name, end, width, highest) {
  let drawn = "";
  let pen = "M";
  for (const { time, [name]: lane } of points) {
    if (lane.lag_seconds === null) {
      pen = "M";
      continue;
    }
    const x = WIDTH * (1 - (end - time) / width);
    const y = HEIGHT - 2 - (HEIGHT - 6) * (lane.lag_seconds / highest);
    drawn += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  }
  return drawn;
}

export function chart() {
  const end = points.at(-1)?.time ?? 0;
  const width = Math.max(SHORTEST, end - (points[0]?.time ?? 0));
  const lags = points.flatMap(({ forward, reverse }) => [forward.lag_seconds ?? 0, reverse.lag_seconds ?? 0]);
  const highest = Math.max(1, ...lags);
  const most = (name) => seconds(Math.max(0, ...points.map((point) => point[name].lag_seconds ?? 0)));
  const label = points.length
    ? `Lag in the last hour: forward at most ${most("forward")}, reverse at most ${most("reverse")}`
    : "Lag in the last hour: nothing is known yet";
  return html`<figure class="chart">
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${label}>
      ${[0.25, 0.5, 0.75].map((part) => svg`<line class="grid" x1="0" x2=${WIDTH} y1=${HEIGHT * part} y2=${HEIGHT * part} />`)}
      ${["reverse", "forward"].map((name) => svg`<path class=${name} d=${path(name, end, width, highest)} />`)}
    </svg>
    <figcaption><span>${seconds(width / 1000)} ago</span><span>${points.length > 1 ? `highest ${seconds(Math.max(0, ...lags))}` : "the service has just begun to remember"}</span><span>now</span></figcaption>
  </figure>`;
}
