// Two activations: functions, slopes, and the gradient in each layer of an untrained deep
// network, as in chapter 3. The random weights and the pictures come from Python.
import { ACTIVATIONS, LOSSES, linearBackward, linearForward, logSoftmax } from "./numbers.js";
import { element, explorer, lineChart, short } from "./panel.js";

// The outputs of each hidden layer and the logits; `weights` are a flat matrix for each layer.
function deepForward({ value }, weights, sizes, x, n) {
  const outputs = [x];
  const sums = [];
  weights.forEach((W, layer) => {
    const [nIn, nOut] = [sizes[layer], sizes[layer + 1]];
    const sum = new Float64Array(n * nOut);
    linearForward(outputs[layer], W, new Float64Array(nOut), sum, n, nIn, nOut);
    sums.push(sum);
    outputs.push(sum.map(value));
  });
  return { outputs, sums };
}

// The slopes of the mean cross-entropy by the logits (n, k).
function logitSlopes(logits, labels, k) {
  const slopes = new Float64Array(logits.length);
  labels.forEach((label, i) => {
    const dz = new Array(k);
    LOSSES.cross_entropy(logSoftmax(logits.subarray(i * k, (i + 1) * k)), label, dz);
    dz.forEach((slope, j) => { slopes[i * k + j] = slope / labels.length; });
  });
  return slopes;
}

// The root mean square of the gradient by each hidden layer's outputs, for the first `depth`
// layers of `data` with weights of `gain` times He's.
export function gradientSizes(name, depth, gain, data) {
  const { x, labels, layers, last } = data;
  const n = labels.length;
  const width = Math.round(Math.sqrt(layers[1].length));
  const nFeatures = x.length / n;
  const sizes = [nFeatures, ...Array(depth).fill(width), last.length / width];
  const weights = [...layers.slice(0, depth), last].map((layer, i) => {
    const he = gain * Math.sqrt(2 / sizes[i]);
    return Float64Array.from(layer, (weight) => he * weight);
  });
  const activation = ACTIVATIONS[name];
  const { outputs, sums } = deepForward(activation, weights, sizes, Float64Array.from(x), n);
  const found = [];
  let slopes = logitSlopes(sums.at(-1), labels, sizes.at(-1));
  for (let layer = depth; layer >= 1; layer--) {
    const byOutputs = new Float64Array(n * width);
    linearBackward(slopes, weights[layer], byOutputs, n, width, sizes[layer + 1]);
    const squares = byOutputs.reduce((sum, slope) => sum + slope * slope, 0);
    found.unshift(Math.sqrt(squares / byOutputs.length));
    slopes = byOutputs.map((slope, i) => slope && slope * activation.slope(sums[layer - 1][i]));
  }
  return found;
}

// For two activations: the gradient's size in each layer.
export function computePair({ first, second, depth, gain }, data) {
  const sizesOf = (name) => ({ name, sizes: gradientSizes(name, depth, gain, data) });
  return [first, second].map(sizesOf);
}

const LOOKS = [{ colour: "var(--live-a)" }, { colour: "var(--live-b)" }];

// Both functions, and their slopes dashed.
function functionChart(pair) {
  const places = Array.from({ length: 161 }, (_, i) => -4 + i / 20);
  const series = pair.flatMap(({ name }, i) => {
    const { value, slope } = ACTIVATIONS[name];
    return [
      { ...LOOKS[i], name, points: places.map((x) => [x, value(x)]) },
      { ...LOOKS[i], name: "its slope", dash: "5 4", points: places.map((x) => [x, slope(x)]) },
    ];
  });
  return lineChart({ series, xRange: [-4, 4], yRange: [-4, 4], xName: "x", yName: "",
    alt: `the functions ${pair[0].name} and ${pair[1].name} with their slopes` });
}

// The gradients' sizes through the layers, as powers of ten.
function gradientChart(pair) {
  const series = pair.map(({ name, sizes }, i) => ({
    ...LOOKS[i], name, dash: i ? "7 3" : null,
    points: sizes.map((size, layer) => [layer + 1, Math.log10(Math.max(size, 1e-30))]),
  }));
  const powers = series.flatMap(({ points }) => points.map(([, power]) => power));
  const finite = powers.filter(Number.isFinite);
  const range = [Math.floor(Math.min(...finite, -1)), Math.ceil(Math.max(...finite, 0))];
  return lineChart({ series, xRange: [1, Math.max(pair[0].sizes.length, 2)], yRange: range,
    xName: "layer", yName: "gradient, power of ten", alt: pairWords(pair) });
}

// From the last layer's gradient to the first's, in words.
function pairWords(pair) {
  const ways = pair.map(({ name, sizes }) =>
    `${name}: ${short(sizes.at(-1))} in the last layer, ${short(sizes[0])} in the first`);
  return `The size of the gradient. ${ways.join("; ")}.`;
}

const NAMES = Object.keys(ACTIVATIONS);

export default {
  render: explorer({
    title: "two activations",
    controls: {
      first: { label: "first", options: NAMES },
      second: { label: "second", options: NAMES },
      depth: { label: "layers", min: 1, max: 40, step: 1 },
      gain: { label: "gain of the initial weights", min: 0.2, max: 2, step: 0.1 },
    },
    start: { first: "relu", second: "sigmoid", depth: 20, gain: 1 },
    compute: computePair,
    picture: (pair) =>
      element("div", { class: "grid" }, functionChart(pair), gradientChart(pair)),
    words: pairWords,
  }),
};
