// One weight that learns from one example, as in chapter 0: its loss, its slope, its steps.
import {
  axes, element, explorer, plane, polyline, short, svgElement, svgPicture,
} from "./panel.js";

// The example: for an input of 2 the answer should be 6.
const X = 2;
const Y = 6;
const WEIGHTS = [-2, 8];                                 // what the picture shows
const LOSSES = [0, 105];

// How wrong the machine is with the weight `w`.
function lossOf(w) {
  return (w * X - Y) ** 2;
}

// How fast the loss grows when the weight is turned up.
function slopeOf(w) {
  return 2 * (w * X - Y) * X;
}

// Positions of the weight, the start and after each step; loss and slope at the last one.
export function computeKnob({ start, rate, n_steps }) {
  const positions = [start];
  for (let step = 0; step < n_steps; step++) {
    const w = positions.at(-1);
    positions.push(w - rate * slopeOf(w));
  }
  const w = positions.at(-1);
  return { positions, loss: lossOf(w), slope: slopeOf(w) };
}

// Where the weight stands, and where the next step leads.
function knobWords({ positions, loss, slope }, { rate }) {
  const w = positions.at(-1);
  const steps = positions.length === 2 ? "1 step" : `${positions.length - 1} steps`;
  const outside = w < WEIGHTS[0] || w > WEIGHTS[1] ? " (outside the picture)" : "";
  return `After ${steps} the weight is ${short(w)}${outside}: the machine says ` +
    `${short(w * X)} where ${Y} is right, and the loss is ${short(loss)}. The slope is ` +
    `${short(slope)}, so the next step adds ${short(-rate * slope)}.`;
}

// Points of the loss over all weights of the picture.
function lossCurve() {
  const points = [];
  for (let i = 0; i <= 100; i++) {
    const w = WEIGHTS[0] + (i / 100) * (WEIGHTS[1] - WEIGHTS[0]);
    points.push([w, lossOf(w)]);
  }
  return points;
}

// The curve, the steps on it, and the slope at the last one.
function knobPicture(result, settings) {
  const { positions, loss, slope } = result;
  const [width, height] = [420, 280];
  const at = plane(WEIGHTS, LOSSES, width, height);
  const steps = positions.map((w) => [w, lossOf(w)]);
  const w = positions.at(-1);
  const tangent = [w - 1, w + 1].map((near) => [near, loss + slope * (near - w)]);
  const isShown = ([x, y]) => x >= WEIGHTS[0] && x <= WEIGHTS[1] && y <= LOSSES[1];
  const dots = steps.filter(isShown).map(([x, y]) => svgElement("circle", {
    cx: at.x(x), cy: at.y(y), r: 4, fill: "var(--live-b)" }));
  const picture = svgPicture(width, height, knobWords(result, settings),
    axes(at, WEIGHTS, LOSSES, "weight", "loss"),
    polyline(at, lossCurve(), "var(--live-a)"),
    polyline(at, steps, "var(--live-b)", "4 4"),
    polyline(at, tangent, "currentColor"),
    ...dots);
  return element("figure", {}, picture);
}

export default {
  render: explorer({
    title: "a machine with one knob",
    controls: {
      start: { label: "the weight starts at", min: -2, max: 8, step: 0.5 },
      rate: { label: "learning rate", min: 0.01, max: 0.3, step: 0.01 },
      n_steps: { label: "steps", min: 0, max: 12, step: 1 },
    },
    start: { start: 1, rate: 0.1, n_steps: 1 },
    compute: computeKnob,
    picture: knobPicture,
    words: knobWords,
  }),
};
