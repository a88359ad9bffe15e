// The arithmetic of a trained network, as `cifar-course export RUN --web` writes it down:
// layers in a row, and all their numbers one after the other.
import { ACTIVATIONS, linearForward, logSoftmax } from "./numbers.js";

// Between two layers there are maps: { values, height, width }, with `values` (maps, height,
// width); plain units are maps of one pixel. Each kind of layer gives the maps after it. `take`
// hands out the next numbers of the network.

// The same maps with each value by itself changed.
function changed(maps, change) {
  return { ...maps, values: maps.values.map(change) };
}

// Slides filters (n_out, n_in, size, size) over the maps, with zeros around these.
function convolved(layer, maps, take) {
  const { n_in: nIn, n_out: nOut, size, padding } = layer;
  const weight = take(nOut * nIn * size * size);
  const bias = take(nOut);
  const height = maps.height + 2 * padding - size + 1;
  const width = maps.width + 2 * padding - size + 1;
  const values = new Float64Array(nOut * height * width);
  for (let o = 0; o < nOut; o++) {
    const sum = values.subarray(o * height * width, (o + 1) * height * width);
    sum.fill(bias[o]);
    for (let c = 0; c < nIn; c++) {
      for (let i = 0; i < size * size; i++) {
        const down = Math.floor(i / size) - padding;
        const right = (i % size) - padding;
        addMoved(sum, width, maps, c, down, right, weight[(o * nIn + c) * size * size + i]);
      }
    }
  }
  return { values, height, width };
}

// Adds `times` the map c to `sum`, each pixel the one that is `down` and `right` of it; beyond
// the map there is nothing to add.
function addMoved(sum, width, maps, c, down, right, times) {
  const height = sum.length / width;
  const top = Math.max(0, -down);
  const bottom = Math.min(height, maps.height - down);
  const left = Math.max(0, -right);
  const end = Math.min(width, maps.width - right);
  for (let y = top; y < bottom; y++) {
    const from = (c * maps.height + y + down) * maps.width + right;
    for (let x = left; x < end; x++) sum[y * width + x] += times * maps.values[from + x];
  }
}

// The largest value of each block; what does not fill one is left out.
function pooled({ size }, maps) {
  const height = Math.floor(maps.height / size);
  const width = Math.floor(maps.width / size);
  const nMaps = maps.values.length / (maps.height * maps.width);
  const values = new Float64Array(nMaps * height * width).fill(-Infinity);
  for (let c = 0; c < nMaps; c++) {
    for (let y = 0; y < height * size; y++) {
      for (let x = 0; x < width * size; x++) {
        const to = (c * height + Math.floor(y / size)) * width + Math.floor(x / size);
        const value = maps.values[(c * maps.height + y) * maps.width + x];
        values[to] = Math.max(values[to], value);
      }
    }
  }
  return { values, height, width };
}

const KINDS = {
  linear({ n_in: nIn, n_out: nOut }, maps, take) {
    const weight = take(nOut * nIn);
    const bias = take(nOut);
    const values = new Float64Array(nOut);
    linearForward(maps.values, weight, bias, values, 1, nIn, nOut);
    return { values, height: 1, width: 1 };
  },
  conv: convolved,
  max_pool: pooled,
  scale({ n }, maps, take) {                             // batch norm at rest
    const scale = take(n);
    const shift = take(n);
    const area = maps.values.length / n;
    return changed(maps, (value, i) => {
      const unit = Math.floor(i / area);
      return value * scale[unit] + shift[unit];
    });
  },
  activation: ({ name }, maps) => changed(maps, (value) => ACTIVATIONS[name].value(value)),
  prelu: ({ slope }, maps) => changed(maps, (value) => (value > 0 ? value : slope * value)),
  shuffle({ n }, maps, take) {                           // the pixels of all channels alike
    const order = take(n);
    return changed(maps, (_, i, values) => values[i - (i % n) + order[i % n]]);
  },
};

// An error unless a network's two files fit each other and this page.
export function checkNetwork(about, numbers) {
  if (about.format !== 1) throw new Error(`its format is ${about.format}, not 1`);
  for (const { kind, name } of about.layers) {
    const isKnown = Object.hasOwn(KINDS, kind) &&
      (kind !== "activation" || Object.hasOwn(ACTIVATIONS, name));
    if (!isKnown) throw new Error(`there is a layer ${name ?? kind}`);
  }
  if (numbers.length !== about.n_numbers) {
    throw new Error(`there are ${numbers.length} numbers, not ${about.n_numbers}`);
  }
}

// The logits of a picture, bytes (channels, height, width), by a network.
export function logitsOf(about, numbers, bytes) {
  const { height, width, mean, std } = about;
  let used = 0;
  const take = (n) => numbers.subarray(used, (used += n));
  const values = Float64Array.from(bytes, (byte, i) => {
    const c = Math.floor(i / (height * width));
    return (byte - 255 * mean[c]) / (255 * std[c]);
  });
  let maps = { values, height, width };
  for (const layer of about.layers) maps = KINDS[layer.kind](layer, maps, take);
  return maps.values;
}

// The classes with their probabilities, the surest first: [name, share] each.
export function answersOf(about, numbers, bytes) {
  const shares = logSoftmax(logitsOf(about, numbers, bytes)).map(Math.exp);
  const answers = about.class_names.map((name, i) => [name, shares[i]]);
  return answers.sort((one, other) => other[1] - one[1]);
}
