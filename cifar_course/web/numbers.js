// The arithmetic that all live pages share: random numbers, matrices, activations, losses,
// optimizers, schedules. Each equals the function of the same name in the course's Python;
// nbs/lib/web/test_web.ipynb compares them.

// ---------------------------------------------------------------------------- random numbers

// A function that gives the next number in [0, 1), the same row for the same seed (mulberry32).
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return function next() {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

// A normal number with mean 0 and standard deviation 1, from two uniform ones (Box & Muller).
export function normalNumber(random) {
  const length = Math.sqrt(-2 * Math.log(1 - random()));
  return length * Math.cos(2 * Math.PI * random());
}

// The whole numbers from 0 to n - 1 in random order.
export function shuffledNumbers(n, random) {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let last = n - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const moved = order[last];
    order[last] = order[other];
    order[other] = moved;
  }
  return order;
}

// ---------------------------------------------------------------------------------- matrices
// A matrix is one typed array, row after row. W is (outputs, inputs), as in PyTorch.

// Fills y (n, nOut) with x (n, nIn) times W transposed, plus b. Four outputs at a time: each
// number of x that was fetched is used four times.
export function linearForward(x, W, b, y, n, nIn, nOut) {
  for (let i = 0; i < n; i++) {
    const row = i * nIn;
    let o = 0;
    for (; o + 3 < nOut; o += 4) {
      const w0 = o * nIn, w1 = w0 + nIn, w2 = w1 + nIn, w3 = w2 + nIn;
      let sum0 = b[o], sum1 = b[o + 1], sum2 = b[o + 2], sum3 = b[o + 3];
      for (let k = 0; k < nIn; k++) {
        const value = x[row + k];
        sum0 += value * W[w0 + k];
        sum1 += value * W[w1 + k];
        sum2 += value * W[w2 + k];
        sum3 += value * W[w3 + k];
      }
      const at = i * nOut + o;
      y[at] = sum0;
      y[at + 1] = sum1;
      y[at + 2] = sum2;
      y[at + 3] = sum3;
    }
    for (; o < nOut; o++) {
      let sum = b[o];
      for (let k = 0; k < nIn; k++) sum += x[row + k] * W[o * nIn + k];
      y[i * nOut + o] = sum;
    }
  }
}

// Fills gW and gb with the gradients of the weights, from dy (n, nOut) and x (n, nIn). Four
// pictures at a time: each gradient that was fetched gets four additions.
export function linearGradients(x, dy, gW, gb, n, nIn, nOut) {
  gW.fill(0);
  gb.fill(0);
  for (let i = 0; i < n; i += 4) {
    const x0 = i * nIn;
    const x1 = Math.min(i + 1, n - 1) * nIn;             // beyond the last: it counts 0 times
    const x2 = Math.min(i + 2, n - 1) * nIn;
    const x3 = Math.min(i + 3, n - 1) * nIn;
    for (let o = 0; o < nOut; o++) {
      const d0 = dy[i * nOut + o];
      const d1 = i + 1 < n ? dy[(i + 1) * nOut + o] : 0;
      const d2 = i + 2 < n ? dy[(i + 2) * nOut + o] : 0;
      const d3 = i + 3 < n ? dy[(i + 3) * nOut + o] : 0;
      gb[o] += d0 + d1 + d2 + d3;
      if (d0 === 0 && d1 === 0 && d2 === 0 && d3 === 0) continue;
      const w = o * nIn;
      for (let k = 0; k < nIn; k++) {
        gW[w + k] += d0 * x[x0 + k] + d1 * x[x1 + k] + d2 * x[x2 + k] + d3 * x[x3 + k];
      }
    }
  }
}

// Fills dx (n, nIn) with the gradient of the inputs, from dy (n, nOut).
export function linearBackward(dy, W, dx, n, nIn, nOut) {
  dx.fill(0, 0, n * nIn);
  for (let i = 0; i < n; i++) {
    for (let o = 0; o < nOut; o++) {
      const slope = dy[i * nOut + o];
      if (slope === 0) continue;
      for (let k = 0; k < nIn; k++) dx[i * nIn + k] += slope * W[o * nIn + k];
    }
  }
}

// ------------------------------------------------------------------------------- activations

// 1 / (1 + exp(-x)); no exponential is taken of a positive number.
export function sigmoid(x) {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const power = Math.exp(x);
  return power / (1 + power);
}

// log(1 + exp(x)) for x of any size.
export function softplus(x) {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

// The error function. A series near 0, a continued fraction far from it: right to 1e-15.
export function erf(x) {
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 2.5) {
    let term = size;
    let sum = size;
    for (let n = 1; Math.abs(term) > 1e-18; n++) {       // all terms positive: nothing cancels
      term *= (2 * size * size) / (2 * n + 1);
      sum += term;
    }
    return Math.sign(x) * ((2 / Math.sqrt(Math.PI)) * Math.exp(-size * size) * sum);
  }
  let fraction = size;
  for (let k = 60; k >= 1; k--) fraction = size + k / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-size * size) / (fraction * Math.sqrt(Math.PI)));
}

// The chance that a standard normal number is below x.
export function normalCdf(x) {
  return (1 + erf(x / Math.SQRT2)) / 2;
}

// x above zero, `slope` times x below.
function leakyActivation(slope) {
  return {
    value: (x) => (x > 0 ? x : slope * x),
    slope: (x) => (x > 0 ? 1 : slope),
  };
}

// Each activation's value and slope at x; names as FUNCTIONS of chapter 3.
export const ACTIVATIONS = {
  linear: { value: (x) => x, slope: () => 1 },
  sigmoid: { value: sigmoid, slope: (x) => sigmoid(x) * (1 - sigmoid(x)) },
  tanh: { value: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
  relu: { value: (x) => (x > 0 ? x : 0), slope: (x) => (x > 0 ? 1 : 0) },
  leaky_relu: leakyActivation(0.01),
  prelu: leakyActivation(0.25),
  elu: {
    value: (x) => (x > 0 ? x : Math.exp(x) - 1),
    slope: (x) => (x > 0 ? 1 : Math.exp(x)),
  },
  gelu: {
    value: (x) => x * normalCdf(x),
    slope: (x) => normalCdf(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI),
  },
  silu: {
    value: (x) => x * sigmoid(x),
    slope: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
  },
  softplus: { value: softplus, slope: sigmoid },
};

// ------------------------------------------------------------------------------------ losses
// A loss of one picture: it takes the logarithms of the probabilities and the label, fills dz
// with the gradient by the logits, and gives the loss. Names as LOSSES of chapter 4.

// Logarithms of the softmax probabilities, for logits of any size.
export function logSoftmax(logits) {
  const largest = Math.max(...logits);
  let sum = 0;
  for (const z of logits) sum += Math.exp(z - largest);
  const shift = largest + Math.log(sum);
  return Array.from(logits, (z) => z - shift);
}

// Cross-entropy; `smoothing` is the share of the target that is spread evenly.
function crossEntropy(logp, label, dz, smoothing) {
  const k = logp.length;
  let loss = 0;
  for (let j = 0; j < k; j++) {
    const target = smoothing / k + (j === label ? 1 - smoothing : 0);
    if (target) loss -= target * logp[j];
    dz[j] = Math.exp(logp[j]) - target;
  }
  return loss;
}

// Carries the gradient by the probabilities back through the softmax.
function throughSoftmax(p, byP, dz) {
  let mean = 0;
  for (let j = 0; j < p.length; j++) mean += p[j] * byP[j];
  for (let j = 0; j < p.length; j++) dz[j] = p[j] * (byP[j] - mean);
}

// The loss of the differences between probabilities and truth, and its slope by each.
function lossOfDifferences(logp, label, dz, value, slope) {
  const p = Array.from(logp, Math.exp);
  const differences = p.map((share, j) => share - (j === label ? 1 : 0));
  const byP = differences.map((difference) => slope(difference) / p.length);
  throughSoftmax(p, byP, dz);
  let sum = 0;
  for (const difference of differences) sum += value(difference);
  return sum / p.length;
}

// Focal loss with gamma 2: what is nearly right counts little.
function focalLoss(logp, label, dz) {
  const p = Math.exp(logp[label]);
  const missing = Math.max(1 - p, 1e-12);
  let byLogp = -(missing ** 2);
  if (1 - p > 1e-12) byLogp += 2 * missing * p * logp[label];
  for (let j = 0; j < logp.length; j++) {
    dz[j] = byLogp * ((j === label ? 1 : 0) - Math.exp(logp[j]));
  }
  return -(missing ** 2) * logp[label];
}

export const LOSSES = {
  cross_entropy: (logp, label, dz) => crossEntropy(logp, label, dz, 0),
  label_smoothing: (logp, label, dz) => crossEntropy(logp, label, dz, 0.1),
  focal: focalLoss,
  kl: (logp, label, dz) => crossEntropy(logp, label, dz, 0),      // of a single true class
  mse: (logp, label, dz) =>
    lossOfDifferences(logp, label, dz, (d) => d * d, (d) => 2 * d),
  mae: (logp, label, dz) => lossOfDifferences(logp, label, dz, Math.abs, Math.sign),
};

// -------------------------------------------------------------------------------- optimizers
// Each takes the weights p, their gradients g, the state that it keeps of them (an empty object
// at first), the rate, and its settings; p is moved in place. Formulas of chapter 5.

// An array of zeros as long as another, and of its kind.
function zerosLike(p) {
  return new p.constructor(p.length);
}

// Keeps `momentum` of the last direction; `nesterov` looks one step ahead.
function momentumStep(p, g, state, rate, { momentum = 0.9, decay = 0 }, nesterov) {
  state.v ??= zerosLike(p);
  const v = state.v;
  for (let i = 0; i < p.length; i++) {
    const slope = g[i] + decay * p[i];
    v[i] = momentum * v[i] + slope;
    p[i] -= rate * (nesterov ? slope + momentum * v[i] : v[i]);
  }
}

// Running means of gradient and square, corrected for their start.
function adamStep(p, g, state, rate, { beta1 = 0.9, beta2 = 0.999, decay = 0 }, decoupled) {
  state.mean ??= zerosLike(p);
  state.square ??= zerosLike(p);
  state.t = (state.t ?? 0) + 1;
  const { mean, square } = state;
  const correction1 = 1 - beta1 ** state.t;
  const correction2 = 1 - beta2 ** state.t;
  const shrink = decoupled ? 1 - rate * decay : 1;
  const pull = decoupled ? 0 : decay;
  for (let i = 0; i < p.length; i++) {
    const slope = g[i] + pull * p[i];
    mean[i] = beta1 * mean[i] + (1 - beta1) * slope;
    square[i] = beta2 * square[i] + (1 - beta2) * (slope * slope);
    const size = Math.sqrt(square[i] / correction2) + 1e-8;
    p[i] = p[i] * shrink - rate * (mean[i] / correction1 / size);
  }
}

export const OPTIMIZERS = {
  sgd(p, g, state, rate, { decay = 0 } = {}) {
    for (let i = 0; i < p.length; i++) p[i] -= rate * (g[i] + decay * p[i]);
  },
  momentum(p, g, state, rate, settings = {}) {
    momentumStep(p, g, state, rate, settings, false);
  },
  nesterov(p, g, state, rate, settings = {}) {
    momentumStep(p, g, state, rate, settings, true);
  },
  adagrad(p, g, state, rate, { decay = 0 } = {}) {
    state.total ??= zerosLike(p);
    const total = state.total;
    for (let i = 0; i < p.length; i++) {
      const slope = g[i] + decay * p[i];
      total[i] += slope * slope;
      p[i] -= rate * (slope / (Math.sqrt(total[i]) + 1e-10));
    }
  },
  rmsprop(p, g, state, rate, { alpha = 0.99, decay = 0 } = {}) {
    state.square ??= zerosLike(p);
    const square = state.square;
    for (let i = 0; i < p.length; i++) {
      const slope = g[i] + decay * p[i];
      square[i] = alpha * square[i] + (1 - alpha) * (slope * slope);
      p[i] -= rate * (slope / (Math.sqrt(square[i]) + 1e-8));
    }
  },
  adam(p, g, state, rate, settings = {}) {
    adamStep(p, g, state, rate, settings, false);
  },
  adamw(p, g, state, rate, settings = {}) {
    adamStep(p, g, state, rate, settings, true);
  },
};

// --------------------------------------------------------------------------------- schedules
// The share of the highest rate at progress t, from 0 to 1. Names as SCHEDULES of chapter 9.

// Half a wave of a cosine, from 1 to 0.
function cosineShare(t) {
  return (1 + Math.cos(Math.PI * t)) / 2;
}

// From `first` at t = 0 to `last` at t = 1, along half a cosine.
function alongCosine(first, last, t) {
  return last + (first - last) * cosineShare(t);
}

export const SCHEDULES = {
  constant: () => 1,
  step: (t) => 0.1 ** Math.min(Math.trunc(t * 3), 2),
  exponential: (t) => 0.01 ** t,
  cosine: cosineShare,
  one_cycle(t) {
    const rise = 0.3;
    if (t < rise) return alongCosine(1 / 25, 1, t / rise);
    return alongCosine(1, 1 / 250000, (t - rise) / (1 - rise));
  },
  warm_restarts: (t) => (t === 1 ? 0 : cosineShare((t * 5) % 1)),
};
