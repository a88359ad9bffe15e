// A designer of MLPs, as in chapter 2: what each layer costs in parameters, multiplications and
// memory.
import { element, explorer, percent } from "./panel.js";

const SIZES = "write whole numbers with commas between them, such as 512, 256";

// Hidden sizes from text such as "512, 256", or a fault.
export function parseSizes(text) {
  const words = text.split(/[\s,]+/).filter((word) => word);
  if (!words.every((word) => /^[+-]?\d+$/.test(word))) return { fault: `'${text}': ${SIZES}` };
  const sizes = words.map(Number);
  if (sizes.length > 8 || !sizes.every((n) => n >= 1 && n <= 4096)) {
    return { fault: `'${text}': choose at most eight sizes from 1 to 4096` };
  }
  return sizes;
}

// A row for each layer of an MLP, for one picture, as `describe_layers` gives them.
export function describeMlp(sizes, nFeatures, nClasses, hasBatchNorm) {
  const row = (layer, n, parameters = 0, multiplications = 0) =>
    ({ layer, output: [n], parameters, multiplications });
  const linear = (nIn, nOut) => row("Linear", nOut, (nIn + 1) * nOut, nIn * nOut);
  const rows = [row("Flatten", nFeatures)];
  let nIn = nFeatures;
  for (const nOut of sizes) {
    rows.push(linear(nIn, nOut));
    if (hasBatchNorm) rows.push(row("BatchNorm1d", nOut, 2 * nOut));
    rows.push(row("ReLU", nOut));
    nIn = nOut;
  }
  rows.push(linear(nIn, nClasses));
  return rows;
}

// The sum of one quantity over the rows.
function sumOf(rows, name) {
  return rows.reduce((sum, row) => sum + row[name], 0);
}

// What a setting of the controls costs; `bytes` are those of a training with Adam.
export function computeDesigner({ hidden_sizes, batch_norm, channels, height, width, n_classes,
                                  batch_size }) {
  const sizes = parseSizes(hidden_sizes);
  if (sizes.fault) return sizes;
  const nFeatures = channels * height * width;
  const rows = describeMlp(sizes, nFeatures, n_classes, batch_norm);
  const parameters = sumOf(rows, "parameters");
  const multiplications = sumOf(rows, "multiplications");
  const first = rows[1].multiplications;                 // no gradient goes into the pixels
  const nHidden = sizes.reduce((sum, n) => sum + n, 0);
  return {
    rows, parameters, multiplications, trainingMultiplications: 3 * multiplications - first,
    bytes: {
      "weights": 4 * parameters,
      "gradients": 4 * parameters,
      "Adam's two means": 8 * parameters,
      "pictures and hidden numbers of a batch": 4 * batch_size * (nFeatures + nHidden),
    },
  };
}

// A whole number with commas.
function grouped(number) {
  return number.toLocaleString("en");
}

// Bytes as megabytes.
function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;
}

// A number with a bar behind it, as long as its share of the whole.
function barCell(number, whole) {
  const share = `${((100 * number) / whole).toFixed(1)}%`;
  const colour = "color-mix(in srgb, var(--live-a) 40%, transparent)";
  const bar = `linear-gradient(to right, ${colour} ${share}, transparent ${share})`;
  return element("td", { style: `background: ${bar}` }, grouped(number));
}

// A table with names above its columns and before its rows.
function tableOf(caption, names, rows) {
  const head = names.map((name) => element("th", { scope: "col" }, name));
  const lines = rows.map(([name, ...cells]) =>
    element("tr", {}, element("th", { scope: "row" }, name), ...cells));
  const table = element("table", {}, element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...lines));
  return element("div", { class: "scroll" }, table);
}

// The layers one below the other, and the memory.
function drawDesign({ rows, parameters, multiplications, bytes }) {
  const cell = (text) => element("td", {}, text);
  const lines = rows.map((row) => [row.layer, cell(row.output.map(grouped).join(" × ")),
    barCell(row.parameters, parameters), barCell(row.multiplications, multiplications)]);
  const sums = ["in all", cell(""), cell(grouped(parameters)), cell(grouped(multiplications))];
  const parts = Object.entries(bytes);
  const all = parts.reduce((sum, [, n]) => sum + n, 0);
  const memory = parts.map(([name, n]) => [name, cell(megabytes(n))]);
  return element("div", { class: "grid" },
    tableOf("Layers, for one picture", ["layer", "output", "parameters", "multiplications"],
      [...lines, sums]),
    tableOf("Memory of a training", ["four bytes a number", ""],
      [...memory, ["in all", cell(megabytes(all))]]));
}

// The sums, in words.
function designWords({ rows, parameters, multiplications, trainingMultiplications, bytes }) {
  const all = Object.values(bytes).reduce((sum, n) => sum + n, 0);
  return `${grouped(parameters)} parameters, ${percent(rows[1].parameters / parameters)} of ` +
    `them in the first linear layer. A picture takes ${grouped(multiplications)} ` +
    `multiplications, in training ${grouped(trainingMultiplications)}. Training with Adam ` +
    `keeps ${megabytes(all)}.`;
}

export default {
  render: explorer({
    title: "a designer of networks",
    controls: {
      hidden_sizes: { label: "hidden sizes", text: true },
      batch_norm: { label: "batch norm", check: true },
      channels: { label: "channels", options: [1, 3] },
      height: { label: "height (pixels)", min: 4, max: 64, step: 4 },
      width: { label: "width (pixels)", min: 4, max: 64, step: 4 },
      n_classes: { label: "classes", min: 2, max: 100, step: 1 },
      batch_size: { label: "batch size", options: [32, 64, 128, 256] },
    },
    start: { hidden_sizes: "512, 256", batch_norm: false, channels: 3, height: 32, width: 32,
      n_classes: 10, batch_size: 128 },
    compute: computeDesigner,
    picture: drawDesign,
    words: designWords,
  }),
};
