// How a trial's state looks to a reader: a word, and a shape in the state's colour (`--complete` and so on), the same in every view.

export const LABELS = new Map([
  ["COMPLETE", "Complete"],
  ["PRUNED", "Pruned"],
  ["FAILED", "Failed"],
  ["CANCELLED", "Cancelled"],
  ["RUNNING", "Running"],
  ["WAITING", "Waiting"],
]);

// Shapes on a square of 10: who sees no colours tells them apart all the same.
const SHAPES = new Map([
  ["COMPLETE", "M5 .8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4z"],
  ["PRUNED", "M5 .2 9.8 5 5 9.8.2 5z"],
  ["FAILED", "M2.2.8 5 3.6 7.8.8l1.4 1.4L6.4 5l2.8 2.8-1.4 1.4L5 6.4 2.2 9.2.8 7.8 3.6 5 .8 2.2z"],
  ["CANCELLED", "M1 1h8v8H1z"],
  ["RUNNING", "M1.8.6 9.4 5 1.8 9.4z"],
  ["WAITING", "M5 .8a4.2 4.2 0 1 0 0 8.4A4.2 4.2 0 0 0 5 .8zm0 1.6a2.6 2.6 0 1 1 0 5.2 2.6 2.6 0 0 1 0-5.2z"],
]);
const SVG = "http://www.w3.org/2000/svg";

// The shape of a state, for the eye alone.
export function mark(state) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 10 10");
  svg.setAttribute("class", "mark");
  svg.setAttribute("aria-hidden", "true");
  svg.dataset.state = state;
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES.get(state) ?? SHAPES.get("WAITING"));
  svg.append(path);
  return svg;
}

export function label(state) {
  return LABELS.get(state) ?? String(state);
}
