// A line of the lag in the last five minutes, as far as this page has been open.

const KEPT_MILLISECONDS = 5 * 60 * 1000;
const WIDTH = 300;
const HEIGHT = 40;
const SVG = "http://www.w3.org/2000/svg";
const history = { forward: [], reverse: [] };

export function sparkline(lane, lagSeconds) {
  const now = Date.now();
  const points = history[lane];
  if (lagSeconds !== null) points.push({ at: now, lag: lagSeconds });
  while (points.length && points[0].at < now - KEPT_MILLISECONDS) points.shift();
  const highest = Math.max(1, ...points.map(({ lag }) => lag));
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", points.map(({ at, lag }) => {
    const x = WIDTH * (1 - (now - at) / KEPT_MILLISECONDS);
    return `${x.toFixed(1)},${(HEIGHT - 2 - (HEIGHT - 4) * (lag / highest)).toFixed(1)}`;
  }).join(" "));
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", `${lane} lag in the last five minutes, at most ${highest.toFixed(0)} seconds`);
  drawing.append(line);
  return drawing;
}
