// An open confusion matrix, as in chapter 8: a cell says what it counts, and what follows for
// the two classes. The matrices come from the records of the rebuilt reports, and of
// chapter 10's best network.
import { element, explorer, percent } from "./panel.js";

const NETWORKS = ["report 1", "report 2", "report 3", "report 5", "sprint"];
const MEAN = "mean of all";
const SHARES = ["counts", "% of the row (the truth)", "% of the column (the answer)"];
const CLASSES = [
  "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
];

// The sum of numbers.
function total(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0);
}

// A share; 0 of nothing is 0.
function ratio(above, below) {
  return below > 0 ? above / below : 0;
}

// The numbers of one column of a matrix.
function columnOf(matrix, j) {
  return matrix.map((row) => row[j]);
}

// Precision, recall, F1, how often it occurs and how often it is said, of each class.
export function classScores(matrix) {
  return matrix.map((row, k) => {
    const right = row[k];
    const support = total(row);
    const said = total(columnOf(matrix, k));
    return {
      precision: ratio(right, said), recall: ratio(right, support),
      f1: ratio(2 * right, support + said), support, said,
    };
  });
}

// What a setting of the controls gives: a run's matrix or the mean of all runs', the share that
// each cell is of its row or column, and the scores.
export function computeConfusion({ record, run, shown }, data) {
  const runs = data[record];
  const cells = runs[0].map((row, i) =>
    row.map((_, j) => total(runs.map((matrix) => matrix[i][j])) / runs.length));
  const matrix = run === MEAN ? cells : runs[run];
  const scores = classScores(matrix);
  const isOfColumn = shown === SHARES[2];
  const shares = matrix.map((row, i) => row.map((count, j) =>
    ratio(count, isOfColumn ? scores[j].said : scores[i].support)));
  const means = {};
  for (const name of ["precision", "recall", "f1"]) {
    means[name] = total(scores.map((each) => each[name])) / scores.length;
  }
  const accuracy = ratio(total(matrix.map((row, k) => row[k])), total(matrix.flat()));
  return { matrix, shares, scores, means, accuracy };
}

// How many pictures; means have one decimal.
function countText(count) {
  return Number.isInteger(count) ? `${count}` : count.toFixed(1);
}

// The rows and columns that an arrow key goes on.
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

// The matrix as a table of buttons. Tab reaches the open one, and arrows go to its neighbours.
function matrixTable({ matrix, shares }, settings, change) {
  const open = [CLASSES.indexOf(settings.truth), CLASSES.indexOf(settings.answer)];
  const openCell = ([i, j]) => change({ truth: CLASSES[i], answer: CLASSES[j] });

  // The button of a cell.
  function cellButton(i, j) {
    const isOpen = i === open[0] && j === open[1];
    const colour = i === j ? "var(--live-a)" : "var(--live-b)";
    const share = Math.round(50 * shares[i][j]);
    const count = Math.round(settings.shown === SHARES[0] ? matrix[i][j] : 100 * shares[i][j]);
    const button = element("button", {
      "type": "button", "tabindex": isOpen ? 0 : -1, "aria-pressed": `${isOpen}`,
      "data-focus": isOpen, "data-lm-suppress-shortcuts": "true",
      "aria-label": `${CLASSES[i]} called ${CLASSES[j]}: ${count}`,
      "style": `background: color-mix(in srgb, ${colour} ${share}%, transparent)`,
    }, `${count}`);
    button.addEventListener("click", () => openCell([i, j]));
    return element("td", {}, button);
  }

  const head = CLASSES.map((name) => element("th", { scope: "col", class: "tall" }, name));
  const corner = element("th", { scope: "col" }, "is \u2193  said \u2192");
  const rows = CLASSES.map((name, i) => element("tr", {},
    element("th", { scope: "row" }, name), ...CLASSES.map((_, j) => cellButton(i, j))));
  const table = element("table", { class: "cells" },
    element("thead", {}, element("tr", {}, corner, ...head)), element("tbody", {}, ...rows));
  table.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    const last = CLASSES.length - 1;
    openCell(open.map((at, axis) => Math.min(Math.max(at + step[axis], 0), last)));
  });
  return element("div", { class: "scroll" }, table);
}

// Precision, recall and F1 of the open cell's classes, and the mean of all ten.
function scoreTable({ scores, means }, { truth, answer }) {
  const line = (name, { precision, recall, f1 }) => element("tr", {},
    element("th", { scope: "row" }, name),
    ...[precision, recall, f1].map((score) => element("td", {}, percent(score))));
  const head = ["class", "precision", "recall", "F1"].map((name) =>
    element("th", { scope: "col" }, name));
  const classes = [...new Set([truth, answer])];
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...classes.map((name) => line(name, scores[CLASSES.indexOf(name)])),
      line("mean of all ten", means)));
}

// What the open cell says.
function confusionWords({ matrix, scores, accuracy }, { truth, answer }) {
  const [i, j] = [CLASSES.indexOf(truth), CLASSES.indexOf(answer)];
  const count = matrix[i][j];
  const ofRow = percent(ratio(count, scores[i].support));
  const ofColumn = percent(ratio(count, scores[j].said));
  const isRight = i === j;
  const row = `Of ${countText(scores[i].support)} pictures of class ${truth}, ` +
    `${countText(count)} are called ${answer}: ${ofRow}${isRight ? ", its recall" : ""}. `;
  const column = scores[j].said
    ? `Of the ${countText(scores[j].said)} that are called ${answer}, these are ${ofColumn}` +
      `${isRight ? ", its precision" : ""}. `
    : `The network never says ${answer}. `;
  return `${row}${column}In all, ${percent(accuracy)} of the answers are right.`;
}

export default {
  render: explorer({
    title: "an open confusion matrix",
    controls: {
      record: { label: "network", options: NETWORKS },
      run: { label: "run", options: [MEAN, 0, 1, 2, 3, 4] },
      shown: { label: "numbers", options: SHARES },
      truth: { label: "the picture is", options: CLASSES },
      answer: { label: "the network says", options: CLASSES },
    },
    start: { record: "report 2", run: MEAN, shown: SHARES[0], truth: "cat", answer: "dog" },
    compute: computeConfusion,
    picture: (result, settings, change) => element("div", {},
      matrixTable(result, settings, change),
      element("div", { class: "terms" }, scoreTable(result, settings))),
    words: confusionWords,
  }),
};
