// One step of backpropagation through the small network of chapter 6, number by number: two
// inputs, two hidden units with ReLU, two classes.
import { logSoftmax } from "./numbers.js";
import { explorer, short, svgElement, svgPicture, svgText } from "./panel.js";

const W1 = [[0.5, 1], [-1, 0.5]];                        // from input (row) to hidden unit
const B1 = [0, 0.5];
const W2 = [[1, -1], [0.5, 2]];                          // from hidden unit to class
const B2 = [0, 0];

export const STAGES = [
  "inputs and weights",
  "hidden sums a = x W1 + b1",
  "hidden values h = max(a, 0)",
  "logits z = h W2 + b2",
  "probabilities and loss",
  "gradient by z: p - truth, halved",
  "gradients by W2, b2, of both",
  "gradient by h",
  "gradient by a: 0 where ReLU was 0",
  "gradients by W1, b1, of both",
  "the update, and the loss after it",
];

// The product of two small matrices.
function product(A, B) {
  return A.map((row) => B[0].map((_, j) => row.reduce((sum, a, k) => sum + a * B[k][j], 0)));
}

// A matrix with rows and columns exchanged.
function transposed(A) {
  return A[0].map((_, j) => A.map((row) => row[j]));
}

// Each row plus b.
function plusRow(A, b) {
  return A.map((row) => row.map((value, j) => value + b[j]));
}

// The sum of the rows.
function rowSum(A) {
  return A[0].map((_, j) => A.reduce((sum, row) => sum + row[j], 0));
}

// The way forward of all pictures: sums, hidden values, logits, probabilities, mean loss.
function walkForward([w1, b1, w2, b2], x, y) {
  const a = plusRow(product(x, w1), b1);
  const h = a.map((row) => row.map((value) => Math.max(value, 0)));
  const z = plusRow(product(h, w2), b2);
  const logp = z.map(logSoftmax);
  const loss = -logp.reduce((sum, row, i) => sum + row[y[i]], 0) / x.length;
  return { a, h, z, p: logp.map((row) => row.map(Math.exp)), loss };
}

// The numbers w less `rate` times the gradients, in their shape.
function moved(w, gradient, rate) {
  if (Array.isArray(w)) return w.map((each, i) => moved(each, gradient[i], rate));
  return w - rate * gradient;
}

// All numbers of one step, of one of two pictures.
export function computeWalk({ stage, picture, first_input, label, lr }) {
  const x = [[first_input, -2], [1.5, -2]];
  const y = [label, 1];
  const shown = picture === "yours" ? 0 : 1;
  const params = [W1, B1, W2, B2];
  const { a, h, z, p, loss } = walkForward(params, x, y);

  const dz = p.map((row, i) => row.map((share, j) => (share - (j === y[i] ? 1 : 0)) / 2));
  const dh = product(dz, transposed(W2));
  const da = dh.map((row, i) => row.map((slope, j) => (a[i][j] > 0 ? slope : 0)));
  const gradients = [
    product(transposed(x), da), rowSum(da),
    product(transposed(h), dz), rowSum(dz),
  ];
  const after = params.map((w, i) => moved(w, gradients[i], lr));
  return {
    stage, label: y[shown], lr, loss, gradients,
    x: x[shown], a: a[shown], h: h[shown], z: z[shown], p: p[shown],
    dz: dz[shown], dh: dh[shown], da: da[shown],
    after: walkForward(after, x, y).loss,
  };
}

// For each layer of nodes: what stands there, and the stage from which on it is known.
const VALUES = [{ x: 0 }, { a: 1, h: 2 }, { z: 3, p: 4 }];
const SLOPES = [{}, { dh: 7, da: 8 }, { dz: 5 }];
const WEIGHT_SLOPES_FROM = [9, 6];                       // the stage, for W1 and W2

// A line for each number of node i that is known at the stage.
function known(walk, firstStages, i) {
  return Object.entries(firstStages)
    .filter(([, stage]) => walk.stage >= stage)
    .map(([name]) => `${name.replace("d", "\u2202")} = ${walk[name][i].toFixed(2)}`);
}

const [COLUMN, LINE] = [150, 14];                        // from layer to layer, line to line
const nodeX = (layer) => 50 + COLUMN * layer;
const nodeY = (i) => 50 + 190 * i;

// Lines of text one below the other, the first with its foot at y.
function textLines(x, y, lines, attributes) {
  return lines.map((line, i) =>
    svgText(x, y + LINE * i, line, { "text-anchor": "middle", ...attributes }));
}

// A layer's connections to the next, with weights and, once known, their gradients.
function drawWeightsOf(walk, layer) {
  const weights = layer ? W2 : W1;
  const gradient = walk.gradients[2 * layer];
  const isKnown = walk.stage >= WEIGHT_SLOPES_FROM[layer];
  const parts = [];
  for (const i of [0, 1]) {
    for (const j of [0, 1]) {
      const [x1, y1, x2, y2] = [nodeX(layer), nodeY(i), nodeX(layer + 1), nodeY(j)];
      parts.unshift(svgElement("line", { x1, y1, x2, y2, stroke: "var(--live-line)",
        "stroke-width": 2 }));
      const share = i === j ? 0.5 : 0.34;                // on its line, apart from the others
      const [x, y] = [x1 + share * (x2 - x1), y1 + share * (y2 - y1)];
      parts.push(...textLines(x, y - 3, [String(weights[i][j])], {}));
      if (isKnown) {
        const line = `\u2202 ${gradient[i][j].toFixed(2)}`;
        parts.push(...textLines(x, y + 13, [line], { fill: "var(--live-slope)" }));
      }
    }
  }
  return parts;
}

// A layer's nodes: values above, gradients below.
function drawNodes(walk, layer) {
  return [0, 1].flatMap((i) => {
    const [cx, cy] = [nodeX(layer), nodeY(i)];
    const values = known(walk, VALUES[layer], i);
    const slopes = known(walk, SLOPES[layer], i);
    return [
      svgElement("circle", { cx, cy, r: 9, fill: "var(--live-a)" }),
      ...textLines(cx, cy - 16 - LINE * (values.length - 1), values, {}),
      ...textLines(cx, cy + 25, slopes, { fill: "var(--live-slope)" }),
    ];
  });
}

// The network with its numbers.
function drawWalk(walk, settings) {
  const parts = [0, 1].flatMap((layer) => drawWeightsOf(walk, layer));
  const nodes = [0, 1, 2].flatMap((layer) => drawNodes(walk, layer));
  return svgPicture(400, 295, walkWords(walk, settings), ...parts, ...nodes);
}

// The stage, the loss once it is known, and the numbers of the nodes.
function walkWords(walk) {
  let text = `${walk.stage}: ${STAGES[walk.stage]}. `;
  if (walk.stage >= 10) {
    const change = walk.after < walk.loss ? "better" : "worse";
    text += `The step of rate ${walk.lr} takes the loss from ${short(walk.loss)} to ` +
      `${short(walk.after)}: ${change}. `;
  } else if (walk.stage >= 4) {
    text += `The loss of both pictures is ${short(walk.loss)}. `;
  }
  const numbers = [];
  for (const stages of [...VALUES, ...SLOPES]) {
    for (const i of [0, 1]) {
      for (const line of known(walk, stages, i)) numbers.push(line.replace(" =", `${i + 1} =`));
    }
  }
  return `${text}Its class is ${walk.label}; ${numbers.join(", ")}.`;
}

export default {
  render: explorer({
    title: "one step of backpropagation",
    controls: {
      stage: { label: "stage", min: 0, max: 10, step: 1 },
      picture: { label: "picture", options: ["yours", "the other"] },
      first_input: { label: "your input", min: -3, max: 3, step: 0.25 },
      label: { label: "your class", options: [0, 1] },
      lr: { label: "learning rate", min: 0.05, max: 5, step: 0.05 },
    },
    start: { stage: 0, picture: "yours", first_input: 1, label: 0, lr: 0.1 },
    compute: computeWalk,
    picture: drawWalk,
    words: walkWords,
  }),
};
