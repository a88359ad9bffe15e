// Three logits and a true class: every loss of chapter 4, and its gradient.
import { LOSSES, logSoftmax } from "./numbers.js";
import {
  element, explorer, legend, percent, short, svgElement, svgPicture, svgText,
} from "./panel.js";

// The probabilities, and of each loss its value and its gradient by the three logits.
export function computeLosses({ first, second, third, true_class }) {
  const logp = logSoftmax([first, second, third]);
  const losses = {};
  for (const [name, loss] of Object.entries(LOSSES)) {
    const gradient = [0, 0, 0];
    const value = loss(logp, true_class, gradient);
    losses[name] = { value, gradient };
  }
  return { probabilities: logp.map(Math.exp), losses };
}

const COLOURS = ["var(--live-a)", "var(--live-b)", "var(--live-c)"];
const ROW = 44;                                          // height of a loss

// A bar from `from` to `to`, whichever is further left; never quite invisible.
function bar(from, to, y, height, colour) {
  const x = Math.min(from, to);
  const width = Math.max(Math.abs(to - from), 1);
  return svgElement("rect", { x, y, width, height, fill: colour });
}

// Values as bars with their numbers.
function valueBars(losses) {
  const names = Object.keys(losses);
  const largest = Math.max(...names.map((name) => losses[name].value), 1e-9);
  const parts = names.flatMap((name, row) => {
    const { value } = losses[name];
    const y = row * ROW + 12;
    const end = 110 + (190 * value) / largest;
    return [
      svgText(104, y + 14, name, { "text-anchor": "end" }),
      bar(110, end, y, 20, COLOURS[0]),
      svgText(end + 5, y + 14, short(value)),
    ];
  });
  const alt = names.map((name) => `${name} ${short(losses[name].value)}`).join(", ");
  const picture = svgPicture(360, names.length * ROW, `values: ${alt}`, ...parts);
  return element("figure", {}, element("figcaption", {}, "Value of each loss"), picture);
}

// Gradients as groups of three bars; those of focal loss may be a little beyond 1.
function gradientBars(losses) {
  const names = Object.keys(losses);
  const place = (slope) => 245 + 100 * slope;
  const height = names.length * ROW;
  const parts = [-1, 0, 1].flatMap((slope) => [
    svgElement("line", { x1: place(slope), x2: place(slope), y1: 0, y2: height,
      stroke: "var(--live-line)" }),
    svgText(place(slope), height + 14, `${slope}`, { "text-anchor": "middle" }),
  ]);
  names.forEach((name, row) => {
    parts.push(svgText(104, row * ROW + 26, name, { "text-anchor": "end" }));
    losses[name].gradient.forEach((slope, i) => {
      parts.push(bar(place(0), place(slope), row * ROW + 6 + 11 * i, 10, COLOURS[i]));
    });
  });
  const alt = names.map((name) => `${name} ${losses[name].gradient.map(short).join(" ")}`);
  const picture = svgPicture(370, height + 20, `gradients: ${alt.join(", ")}`, ...parts);
  const series = COLOURS.map((colour, i) => ({ name: `logit ${i}`, colour }));
  const caption = element("figcaption", {}, "Gradient by each logit");
  return element("figure", {}, caption, picture, legend(series));
}

// What there is to see, in words.
function lossWords({ probabilities, losses }, { true_class }) {
  const pulls = Object.entries(losses).map(([name, { gradient }]) =>
    `${name} ${short(-gradient[true_class])}`);
  return `Probabilities ${probabilities.map(percent).join(", ")}; the truth is class ` +
    `${true_class}. Each loss pulls its logit up by: ${pulls.join(", ")}.`;
}

export default {
  render: explorer({
    title: "three logits and a true class",
    controls: {
      first: { label: "logit 0", min: -10, max: 10, step: 0.5 },
      second: { label: "logit 1", min: -10, max: 10, step: 0.5 },
      third: { label: "logit 2", min: -10, max: 10, step: 0.5 },
      true_class: { label: "true class", options: [0, 1, 2] },
    },
    start: { first: 2, second: 0, third: -1, true_class: 1 },
    compute: computeLosses,
    picture: ({ losses }) =>
      element("div", { class: "grid" }, valueBars(losses), gradientBars(losses)),
    words: lossWords,
  }),
};
