// A multilayer perceptron with its training, as the playground and its worker use it.
import {
  ACTIVATIONS, LOSSES, OPTIMIZERS, linearBackward, linearForward, linearGradients, logSoftmax,
  normalNumber,
} from "./numbers.js";

// The activations that need no weights of their own.
export const NET_ACTIVATIONS = Object.keys(ACTIVATIONS).filter((name) => name !== "prelu");

export class Net {
  // `sizes` are the inputs, the hidden units and the classes: [3072, 64, 10]. Numbers have 32
  // bits, or 64 if `double`.
  constructor({ sizes, activation = "relu", loss = "cross_entropy", optimizer = "sgd",
                dropout = 0, decay = 0, double = false }) {
    this.kind = double ? Float64Array : Float32Array;
    this.sizes = sizes;
    this.activation = ACTIVATIONS[activation];
    this.loss = LOSSES[loss];
    this.optimizer = OPTIMIZERS[optimizer];
    this.dropout = dropout;
    this.decay = decay;
    this.params = [];                                    // W and b of each layer in turn
    for (let layer = 0; layer + 1 < sizes.length; layer++) {
      this.params.push(new this.kind(sizes[layer + 1] * sizes[layer]));
      this.params.push(new this.kind(sizes[layer + 1]));
    }
    this.gradients = this.params.map((p) => new this.kind(p.length));
    this.states = this.params.map(() => ({}));
    this.room = 0;                                       // for how many pictures there are
  }

  // Fills the weights with `gain` times He's: normal, with variance 2 / inputs; biases with 0.
  initialise(random, gain = 1) {
    for (let layer = 0; layer + 1 < this.sizes.length; layer++) {
      const spread = gain * Math.sqrt(2 / this.sizes[layer]);
      const W = this.params[2 * layer];
      for (let i = 0; i < W.length; i++) W[i] = spread * normalNumber(random);
      this.params[2 * layer + 1].fill(0);
    }
  }

  // Puts given weights in place of the net's own.
  setParams(params) {
    params.forEach((values, i) => this.params[i].set(values));
  }

  // Makes arrays for n pictures, unless those that there are suffice.
  makeRoom(n) {
    if (n <= this.room) return;
    const arrays = () => this.sizes.slice(1).map((size) => new this.kind(n * size));
    this.room = n;
    this.sums = arrays();                                // of each layer, before its bend
    this.outputs = arrays();                             // after the bend and the dropout
    this.slopes = arrays();                              // the loss's gradient by the sums
    this.masks = arrays();                               // what dropout multiplies by
  }

  // The logits (n, classes) of x (n, inputs). With `random`, units drop out as in training.
  forward(x, n, random = null) {
    this.makeRoom(n);
    const last = this.sizes.length - 2;
    let input = x;
    for (let layer = 0; layer <= last; layer++) {
      const nIn = this.sizes[layer];
      const nOut = this.sizes[layer + 1];
      const W = this.params[2 * layer];
      const b = this.params[2 * layer + 1];
      linearForward(input, W, b, this.sums[layer], n, nIn, nOut);
      if (layer === last) return this.sums[layer];
      this.bend(layer, n * nOut, random);
      input = this.outputs[layer];
    }
  }

  // Applies the activation to a layer's sums and, in training, the dropout.
  bend(layer, size, random) {
    const { value } = this.activation;
    const sums = this.sums[layer];
    const outputs = this.outputs[layer];
    const mask = this.masks[layer];
    const drops = random !== null && this.dropout > 0;
    for (let i = 0; i < size; i++) outputs[i] = value(sums[i]);
    if (!drops) {
      mask.fill(1, 0, size);
      return;
    }
    for (let i = 0; i < size; i++) {
      mask[i] = random() < this.dropout ? 0 : 1 / (1 - this.dropout);
      outputs[i] *= mask[i];
    }
  }

  // The mean loss and the share of right answers, of the n pictures last seen; the loss's
  // gradient by the logits is left in the last of `slopes`.
  score(labels, n) {
    const k = this.sizes.at(-1);
    const logits = this.sums.at(-1);
    const slopes = this.slopes.at(-1);
    const dz = new Array(k);
    let loss = 0;
    let nRight = 0;
    for (let i = 0; i < n; i++) {
      const row = logits.subarray(i * k, (i + 1) * k);
      loss += this.loss(logSoftmax(row), labels[i], dz);
      for (let j = 0; j < k; j++) slopes[i * k + j] = dz[j] / n;
      if (largestAt(row) === labels[i]) nRight++;
    }
    return { loss: loss / n, accuracy: nRight / n };
  }

  // Carries the gradient from the logits back to every weight.
  backward(x, n) {
    for (let layer = this.sizes.length - 2; layer >= 0; layer--) {
      const nIn = this.sizes[layer];
      const nOut = this.sizes[layer + 1];
      const input = layer ? this.outputs[layer - 1] : x;
      const dy = this.slopes[layer];
      const gW = this.gradients[2 * layer];
      const gb = this.gradients[2 * layer + 1];
      linearGradients(input, dy, gW, gb, n, nIn, nOut);
      if (!layer) return;
      const dx = this.slopes[layer - 1];
      linearBackward(dy, this.params[2 * layer], dx, n, nIn, nOut);
      const sums = this.sums[layer - 1];
      const mask = this.masks[layer - 1];
      const { slope } = this.activation;
      for (let i = 0; i < n * nIn; i++) {
        if (dx[i] !== 0) dx[i] *= mask[i] && mask[i] * slope(sums[i]);
      }
    }
  }

  // Moves every weight by one step of the optimizer.
  update(rate) {
    const settings = { decay: this.decay };
    this.params.forEach((p, i) => {
      this.optimizer(p, this.gradients[i], this.states[i], rate, settings);
    });
  }

  // One step on a batch x (n, inputs); gives its loss and accuracy before the step.
  trainBatch(x, labels, n, rate, random = null) {
    this.forward(x, n, random);
    const row = this.score(labels, n);
    this.backward(x, n);
    this.update(rate);
    return row;
  }
}

// The place of the largest number; -1 where one is not a number.
export function largestAt(row) {
  let best = -1;
  for (let j = 0; j < row.length; j++) {
    if (!(row[j] === row[j])) return -1;
    if (best < 0 || row[j] > row[best]) best = j;
  }
  return best;
}

// Copies a picture (channels, size, size) into `target` at `offset`: mirrored if `flip`, and
// moved by dx to the right and dy down. What comes in from outside repeats the edge.
export function copyMoved(picture, target, offset, size, flip, dx, dy) {
  const channels = picture.length / (size * size);
  const inside = (place) => Math.min(Math.max(place, 0), size - 1);
  for (let y = 0; y < size; y++) {
    const rowFrom = inside(y - dy) * size;
    for (let x = 0; x < size; x++) {
      const column = inside(x - dx);
      const from = rowFrom + (flip ? size - 1 - column : column);
      const to = offset + y * size + x;
      for (let c = 0; c < channels; c++) {
        target[to + c * size * size] = picture[from + c * size * size];
      }
    }
  }
}
