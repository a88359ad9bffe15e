// A training of the playground, batch by batch: it knows the pictures and the settings, but no
// page and no worker.
import { Net, copyMoved, largestAt } from "./net.js";
import { logSoftmax, randomNumbers, shuffledNumbers } from "./numbers.js";

const SIZE = 32;                                         // pixels, of a side
const FEATURES = 3 * SIZE * SIZE;                        // numbers in a picture

// Pictures of bytes as numbers with mean 0 and spread 1 in each channel of the training ones.
export function standardised(bytes, mean, std) {
  const x = new Float32Array(bytes.length);
  for (let i = 0; i < x.length; i++) {
    const channel = Math.floor(i / (SIZE * SIZE)) % 3;
    x[i] = (bytes[i] / 255 - mean[channel]) / std[channel];
  }
  return x;
}

// The numbers in a text such as "64, 32"; none, for an empty one.
export function hiddenSizes(text) {
  const numbers = text.match(/\d+/g) ?? [];
  return numbers.map((digits) => Math.min(Math.max(Number(digits), 1), 512)).slice(0, 6);
}

export class Trainer {
  // `pictures` are { x, labels, nTrain, nClasses }: first those to learn from.
  constructor(pictures, settings) {
    this.pictures = pictures;
    this.settings = settings;
    this.random = randomNumbers(settings.seed);
    this.net = new Net({
      ...settings,
      sizes: [FEATURES, ...hiddenSizes(settings.hidden), pictures.nClasses],
    });
    this.net.initialise(this.random, settings.gain);
    this.start = this.firstWeights().slice();
    const { nTrain } = pictures;
    this.batchSize = Math.min(settings.batch, nTrain);
    this.stepsPerEpoch = Math.ceil(nTrain / this.batchSize);
    this.nSteps = 0;
    this.x = new Float32Array(this.batchSize * FEATURES);
    this.labels = new Int32Array(this.batchSize);
    this.sums = { loss: 0, right: 0, n: 0 };             // since the last report
  }

  // How often all training pictures have been seen.
  get epochs() {
    return this.nSteps / this.stepsPerEpoch;
  }

  // Fills the batch with the pictures of those numbers, moved as the settings say.
  fill(numbers) {
    const { flip, shift } = this.settings;
    const { x, labels } = this.pictures;
    numbers.forEach((number, i) => {
      const picture = x.subarray(number * FEATURES, (number + 1) * FEATURES);
      this.labels[i] = labels[number];
      if (!flip && !shift) {
        this.x.set(picture, i * FEATURES);
        return;
      }
      const isFlipped = flip && this.random() < 0.5;
      const dx = Math.round((2 * this.random() - 1) * shift);
      const dy = Math.round((2 * this.random() - 1) * shift);
      copyMoved(picture, this.x, i * FEATURES, SIZE, isFlipped, dx, dy);
    });
  }

  // Learns from the next batch.
  step() {
    const place = this.nSteps % this.stepsPerEpoch;
    if (place === 0) this.order = shuffledNumbers(this.pictures.nTrain, this.random);
    const from = place * this.batchSize;
    const numbers = this.order.subarray(from, from + this.batchSize);
    const n = numbers.length;
    this.fill(numbers);
    const row = this.net.trainBatch(this.x, this.labels, n, this.settings.rate, this.random);
    this.sums.loss += row.loss * n;
    this.sums.right += row.accuracy * n;
    this.sums.n += n;
    this.nSteps++;
  }

  // Is it time to tell? After each quarter of the first epoch, and after each epoch.
  isDue() {
    const every = this.epochs > 1 ? this.stepsPerEpoch : Math.ceil(this.stepsPerEpoch / 4);
    return this.nSteps % every === 0 || this.nSteps === this.stepsPerEpoch;
  }

  // Loss, accuracy, answers and their probabilities, for the pictures from number `from` on.
  measure(from, to) {
    const k = this.pictures.nClasses;
    const answers = new Int8Array(to - from);
    const sure = new Float32Array(to - from);
    let loss = 0;
    let nRight = 0;
    for (let start = from; start < to; start += 100) {
      const n = Math.min(100, to - start);
      const x = this.pictures.x.subarray(start * FEATURES, (start + n) * FEATURES);
      const labels = this.pictures.labels.slice(start, start + n);
      const logits = this.net.forward(x, n);
      const row = this.net.score(labels, n);
      loss += row.loss * n;
      nRight += row.accuracy * n;
      for (let i = 0; i < n; i++) {
        const picture = logits.subarray(i * k, (i + 1) * k);
        const answer = largestAt(picture);
        answers[start - from + i] = answer;
        sure[start - from + i] = answer < 0 ? 0 : Math.exp(logSoftmax(picture)[answer]);
      }
    }
    const n = to - from;
    return { loss: loss / n, accuracy: nRight / n, answers, sure };
  }

  // All that the page shows, as of now.
  report() {
    const { labels, nTrain } = this.pictures;
    const { loss, right, n } = this.sums;
    this.sums = { loss: 0, right: 0, n: 0 };
    const seen = n ? { loss: loss / n, accuracy: right / n } : this.measure(0, nTrain);
    const validation = this.measure(nTrain, labels.length);
    return {
      epochs: this.epochs,
      trainLoss: seen.loss,
      trainAccuracy: seen.accuracy,
      validationLoss: validation.loss,
      validationAccuracy: validation.accuracy,
      answers: validation.answers,
      sure: validation.sure,
      ...this.weightPictures(),
    };
  }

  // The weights of the first units, at most 64.
  firstWeights() {
    const nUnits = Math.min(64, this.net.sizes[1]);
    return this.net.params[0].subarray(0, nUnits * FEATURES);
  }

  // The first weights as pictures, and what learning has added to them.
  weightPictures() {
    const weights = this.firstWeights();
    const learnt = weights.map((weight, i) => weight - this.start[i]);
    return { weights: asPictures(weights), learnt: asPictures(learnt) };
  }
}

// Rows of weights as pictures, four bytes a pixel: grey is 0, each picture has its own scale.
function asPictures(weights) {
  const nUnits = weights.length / FEATURES;
  const n = SIZE * SIZE;
  const pictures = new Uint8ClampedArray(nUnits * n * 4);
  for (let unit = 0; unit < nUnits; unit++) {
    const row = weights.subarray(unit * FEATURES, (unit + 1) * FEATURES);
    let largest = 1e-12;
    for (const weight of row) largest = Math.max(largest, Math.abs(weight));
    for (let i = 0; i < n; i++) {
      const at = (unit * n + i) * 4;
      for (let c = 0; c < 3; c++) pictures[at + c] = 127.5 * (1 + row[c * n + i] / largest);
      pictures[at + 3] = 255;
    }
  }
  return pictures;
}
