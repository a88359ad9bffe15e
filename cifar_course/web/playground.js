// The playground: a network that learns the stand-in's pictures in the browser. The training
// runs in a worker; this file is the page around it.
import { NET_ACTIVATIONS } from "./net.js";
import { LOSSES, OPTIMIZERS } from "./numbers.js";
import { dress, element, labelled, lineChart, percent, short } from "./panel.js";

const SIZE = 32;                                         // pixels, of a side
const SPRITE_COLUMNS = 50;                               // pictures side by side in the file

export const RATES = [0.00001, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

// What can be set, and how.
export const CONTROLS = {
  hidden: { label: "hidden units, by layer", text: true },
  activation: { label: "activation", options: NET_ACTIVATIONS },
  loss: { label: "loss", options: Object.keys(LOSSES) },
  optimizer: { label: "optimizer", options: Object.keys(OPTIMIZERS) },
  rate: { label: "learning rate", options: RATES },
  batch: { label: "pictures in a batch", options: [1, 8, 32, 128, 1000] },
  dropout: { label: "dropout", min: 0, max: 0.8, step: 0.1, show: percent },
  decay: { label: "weight decay", options: [0, 0.0001, 0.001, 0.01, 0.1] },
  shift: { label: "shift, up to pixels", min: 0, max: 8, step: 1 },
  flip: { label: "flip half of the pictures", check: true },
  gain: { label: "first weights, times He's", options: [0.03, 0.1, 0.3, 1, 3] },
  seed: { label: "seed of all random numbers", min: 0, max: 9, step: 1 },
};

export const START = {
  hidden: "64", activation: "relu", loss: "cross_entropy", optimizer: "momentum", rate: 0.003,
  batch: 32, dropout: 0, decay: 0, shift: 0, flip: false, gain: 1, seed: 0,
};

// ------------------------------------------------------------------- settings in the address

// A value from the address in its control's kind; undefined for one that cannot be.
function parsed(control, text) {
  if (control.options) return control.options.find((each) => `${each}` === text);
  if (control.check) return text === "true";
  if (control.text) return /^[\d, ]*$/.test(text) ? text : undefined;
  const number = Number(text);
  return number >= control.min && number <= control.max ? number : undefined;
}

// The settings that an address asks for: "?rate=1&hidden=64,32". What it leaves out is as at
// the start.
export function settingsFrom(search) {
  const settings = { ...START };
  for (const [name, text] of new URLSearchParams(search)) {
    const value = Object.hasOwn(CONTROLS, name) ? parsed(CONTROLS[name], text) : undefined;
    if (value !== undefined) settings[name] = value;
  }
  return settings;
}

// The address's end for settings: only what differs from the start.
export function searchFor(settings) {
  const parameters = new URLSearchParams();
  for (const name of Object.keys(CONTROLS)) {
    if (settings[name] !== START[name]) parameters.set(name, settings[name]);
  }
  return parameters.size ? `?${parameters}` : "";
}

// ---------------------------------------------------------------------------------- pictures

// The colours (n, 3, 32, 32) of the pictures of a sprite, as bytes.
function bytesOf(sprite, n) {
  const bytes = new Uint8Array(n * 3 * SIZE * SIZE);
  for (let i = 0; i < n; i++) {
    const left = (i % SPRITE_COLUMNS) * SIZE;
    const top = Math.floor(i / SPRITE_COLUMNS) * SIZE;
    for (let pixel = 0; pixel < SIZE * SIZE; pixel++) {
      const y = top + Math.floor(pixel / SIZE);
      const from = (y * sprite.width + left + (pixel % SIZE)) * 4;
      for (let c = 0; c < 3; c++) {
        bytes[(i * 3 + c) * SIZE * SIZE + pixel] = sprite.data[from + c];
      }
    }
  }
  return bytes;
}

// Fetches the pictures and what is known of them.
async function fetchPictures() {
  const answer = await fetch(new URL("./standin.json", import.meta.url));
  const facts = await answer.json();
  const image = new Image();
  image.src = new URL("./standin.jpg", import.meta.url);
  await image.decode();
  const canvas = element("canvas", { width: image.width, height: image.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const sprite = context.getImageData(0, 0, image.width, image.height);
  return { ...facts, canvas, bytes: bytesOf(sprite, facts.labels.length) };
}

// A canvas with one picture of the sprite.
function pictureOf(pictures, number, alt) {
  const size = { width: SIZE, height: SIZE };
  const canvas = element("canvas", { ...size, role: "img", "aria-label": alt });
  const left = (number % SPRITE_COLUMNS) * SIZE;
  const top = Math.floor(number / SPRITE_COLUMNS) * SIZE;
  const context = canvas.getContext("2d");
  context.drawImage(pictures.canvas, left, top, SIZE, SIZE, 0, 0, SIZE, SIZE);
  return canvas;
}

// ------------------------------------------------------------------------------ what it shows

const TRAIN = { name: "training pictures", colour: "var(--live-a)" };
const VALIDATION = {
  name: "pictures it never learns from", colour: "var(--live-b)", dash: "6 3",
};

// The two curves of one quantity over the epochs.
function curves(reports, train, validation, yRange, yName) {
  const last = Math.max(reports.at(-1).epochs, 1);
  const points = (name) => reports.map((report) => [report.epochs, report[name]]);
  const now = reports.at(-1);
  const alt = `${yName} after ${short(now.epochs)} epochs: ${short(now[train])} on training ` +
    `pictures, ${short(now[validation])} on others`;
  return lineChart({
    series: [
      { ...TRAIN, points: points(train) },
      { ...VALIDATION, points: points(validation) },
    ],
    xRange: [0, last], yRange, xName: "epochs", yName, alt,
  });
}

// The highest loss that the chart must hold: a single leap does not squeeze the rest.
function highestLoss(reports) {
  const losses = reports.flatMap((report) => [report.trainLoss, report.validationLoss]);
  const finite = losses.filter(Number.isFinite).sort((a, b) => a - b);
  const usual = finite[Math.floor(0.9 * (finite.length - 1))] ?? 1;
  return Math.max(1.3 * usual, 0.1);
}

// Draws the weights of the first layer, sixteen units in a row.
function drawWeights(canvas, weights) {
  const nPixels = SIZE * SIZE;
  const nUnits = weights.length / (4 * nPixels);
  const columns = Math.min(nUnits, 16);
  const step = SIZE + 2;
  canvas.width = columns * step - 2;
  canvas.height = Math.ceil(nUnits / columns) * step - 2;
  canvas.style.maxWidth = `${2.2 * columns}rem`;
  const context = canvas.getContext("2d");
  for (let unit = 0; unit < nUnits; unit++) {
    const part = weights.subarray(unit * 4 * nPixels, (unit + 1) * 4 * nPixels);
    const left = (unit % columns) * step;
    context.putImageData(new ImageData(part, SIZE, SIZE), left,
      Math.floor(unit / columns) * step);
  }
}

// The table of true classes (rows) and answers (columns).
function confusionTable(pictures, answers) {
  const { classNames, labels, nTrain } = pictures;
  const counts = classNames.map(() => classNames.map(() => 0));
  answers.forEach((answer, i) => {
    if (answer >= 0) counts[labels[nTrain + i]][answer]++;
  });
  const head = classNames.map((name) =>
    element("th", { scope: "col", abbr: name, title: name }, name.slice(0, 3)));
  const corner = element("th", { scope: "col" }, "is \u2193  said \u2192");
  const rows = counts.map((row, truth) => {
    const total = row.reduce((sum, count) => sum + count, 0) || 1;
    const cells = row.map((count, answer) => {
      const colour = answer === truth ? "var(--live-a)" : "var(--live-b)";
      const share = Math.round((45 * count) / total);
      const style = `background: color-mix(in srgb, ${colour} ${share}%, transparent)`;
      return element("td", { style }, `${count}`);
    });
    return element("tr", {}, element("th", { scope: "row" }, classNames[truth]), ...cells);
  });
  return element("table", {},
    element("caption", {}, "Which classes it mixes up"),
    element("thead", {}, element("tr", {}, corner, ...head)),
    element("tbody", {}, ...rows));
}

// The pictures of which it is surest, right or wrong, with what it says.
function surest(pictures, { answers, sure }, isRight, most) {
  const { classNames, labels, nTrain } = pictures;
  const chosen = Array.from(answers.keys())
    .filter((i) => answers[i] >= 0 && (answers[i] === labels[nTrain + i]) === isRight)
    .sort((i, j) => sure[j] - sure[i])
    .slice(0, most);
  const entries = chosen.map((i) => {
    const truth = classNames[labels[nTrain + i]];
    const said = `${classNames[answers[i]]}, ${percent(sure[i])}`;
    const text = isRight ? said : `${said}; is ${truth}`;
    return element("li", {}, pictureOf(pictures, nTrain + i, truth), text);
  });
  return element("ul", { class: "pictures" }, ...entries);
}

// What there is to say, in a sentence or two.
function sentence(reports, speed) {
  const now = reports.at(-1);
  if (!Number.isFinite(now.validationLoss)) {
    return "The numbers have grown beyond all bounds: the network has broken, and learns " +
      "nothing any more. A lower learning rate would help.";
  }
  const rights = `${percent(now.trainAccuracy)} of the training pictures right, ` +
    `${percent(now.validationAccuracy)} of those it never learns from`;
  if (!now.epochs) return `Not trained yet: ${rights}. Guessing would have 10 % right.`;
  const pace = speed ? ` ${short(speed)} epochs a second.` : "";
  return `After ${short(now.epochs)} epochs: ${rights}. ` +
    `Loss ${short(now.trainLoss)} and ${short(now.validationLoss)}.${pace}`;
}

// ---------------------------------------------------------------------------------- the page

// The parts of the page that a report fills, and how each is filled.
function makeViews(pictures, isSmall) {
  const part = (tag, attributes = {}) => element(tag, attributes);
  const accuracy = part("div");
  const loss = part("div");
  const weights = part("canvas", { role: "img", "aria-label": "weights of the first units" });
  const learnt = part("canvas", { role: "img", "aria-label": "what learning added to them" });
  const confusion = part("div", { class: "scroll", tabindex: 0, role: "region",
    "aria-label": "table of true classes and answers" });
  const right = part("div");
  const wrong = part("div");
  const titled = (title, child) =>
    element("figure", {}, element("figcaption", {}, title), child);
  const added = "What learning has added to the weights of the first units";
  const learntFigure = titled(added, learnt);
  const weightsFigure = titled("These weights themselves (grey is 0)", weights);
  const all = isSmall ? [accuracy, learntFigure] : [
    accuracy, loss, element("div", {}, learntFigure, weightsFigure),
    titled("Right, and surest of it", right), titled("Wrong, and surest of it", wrong),
    confusion,
  ];
  const grid = element("div", { class: "grid" }, ...all);

  // Shows the reports up to now.
  function show(reports) {
    const now = reports.at(-1);
    accuracy.replaceChildren(curves(reports, "trainAccuracy", "validationAccuracy", [0, 1],
      "share right"));
    drawWeights(learnt, now.learnt);
    drawWeights(weights, now.weights);
    if (isSmall) return;
    loss.replaceChildren(curves(reports, "trainLoss", "validationLoss",
      [0, highestLoss(reports)], "loss"));
    confusion.replaceChildren(confusionTable(pictures, now.answers));
    right.replaceChildren(surest(pictures, now, true, 8));
    wrong.replaceChildren(surest(pictures, now, false, 8));
  }
  return { grid, show };
}

// A training as the page sees it: it has the worker, the reports and the pace.
class Training {
  constructor(pictures, changed) {
    this.changed = changed;
    this.id = 0;
    this.isRunning = false;
    this.worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.worker.onmessage = ({ data }) => this.take(data);
    const { canvas, ...rest } = pictures;
    this.worker.postMessage({ pictures: { ...rest, nClasses: pictures.classNames.length } });
  }

  // Takes in a report, unless it is about settings that are no longer wanted.
  take(report) {
    if (report.id !== this.id) return;
    this.reports.push(report);
    this.speed = null;
    if (this.isRunning && report.epochs > this.from) {
      this.speed = (report.epochs - this.from) / ((performance.now() - this.since) / 1000);
    }
    if (report.epochs >= 200) this.isRunning = false;    // the worker has stopped
    this.changed();
  }

  // Begins anew with settings.
  begin(settings) {
    this.id++;
    this.reports = [];
    this.mark(0);
    this.worker.postMessage({ settings: { ...settings, id: this.id } });
  }

  // The pace counts from here.
  mark(epochs) {
    this.from = epochs;
    this.since = performance.now();
  }

  // Goes on, or pauses.
  run(isRunning) {
    this.isRunning = isRunning;
    this.mark(this.reports.at(-1)?.epochs ?? 0);
    this.worker.postMessage({ run: isRunning });
  }
}

// The row of buttons: train or pause, and start again.
function makeButtons(training, begin) {
  const train = element("button", { type: "button", class: "main" }, "Train");
  const again = element("button", { type: "button" }, "Start again");
  train.addEventListener("click", () => {
    training.run(!training.isRunning);
    training.changed();
    refresh();
  });
  again.addEventListener("click", () => {
    training.run(false);
    begin();
    refresh();
  });

  // The first button says what a press does now.
  function refresh() {
    train.textContent = training.isRunning ? "Pause" : "Train";
  }
  return { row: element("div", { class: "row" }, train, again), refresh };
}

// The controls of all settings. `changed` is called after each change.
function makeControls(settings, changed) {
  const labels = Object.entries(CONTROLS).map(([name, control]) =>
    labelled(control, settings[name], (value) => {
      settings[name] = value;
      changed();
    }));
  return element("fieldset", { class: "controls", "aria-label": "settings" }, ...labels);
}

// Fills `el` with the playground; with { small: true } as state, with its curve alone.
async function render({ model, el }) {
  dress(el);
  const isSmall = Boolean(model.get("state").small);
  const settings = isSmall ? { ...START } : settingsFrom(location.search);
  const pictures = await fetchPictures();
  const views = makeViews(pictures, isSmall);
  const status = element("p", { class: "words", role: "status" });
  let isDrawing = false;

  // Draws once for all reports that came since the page was last drawn.
  const training = new Training(pictures, () => {
    if (isDrawing) return;
    isDrawing = true;
    requestAnimationFrame(() => {
      isDrawing = false;
      if (!training.reports.length) return;              // begun anew in the meantime
      views.show(training.reports);
      // read aloud when it rests, not twice a second
      status.setAttribute("aria-live", training.isRunning ? "off" : "polite");
      status.textContent = sentence(training.reports, training.speed);
      buttons.refresh();
    });
  });
  const begin = () => training.begin(settings);
  const buttons = makeButtons(training, begin);

  // Begins anew with what the controls say now, and writes it into the address.
  function changed() {
    history.replaceState(null, "", location.pathname + searchFor(settings) + location.hash);
    begin();
  }
  const controls = element("div", {});
  controls.append(makeControls(settings, changed));
  const isWide = matchMedia("(min-width: 40rem)").matches;
  const summary = element("summary", {}, "Settings");
  const folded = element("details", { open: isWide }, summary, controls);
  el.replaceChildren(buttons.row, status, ...(isSmall ? [] : [folded]), views.grid);
  begin();
  if (isSmall) return;

  // A link to settings on the same page sets them, without loading it anew.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="?"]');
    if (!link) return;
    event.preventDefault();
    Object.assign(settings, settingsFrom(link.getAttribute("href")));
    controls.replaceChildren(makeControls(settings, changed));
    changed();
    el.scrollIntoView({ block: "start" });
  });
}

export default { render };
