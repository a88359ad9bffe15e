// A reader's own picture, and what a trained network says of it. All happens in the page:
// the network is fetched when it is first asked, and the picture goes nowhere.
import { answersOf, checkNetwork } from "./layers.js";
import { dress, element, svgElement, svgPicture, svgText } from "./panel.js";
import { Fitter } from "./resize.js";

const MOST_PIXELS = 50_000_000;                          // as for `cifar-course predict`
const MOST_SHOWN = 10;                                   // classes, if there are more
const BAND = 200_000;                                    // pixels that are looked at in one go

// ------------------------------------------------------------------------------- the network

// Fetches a file that lies beside the network; an error where it is not there.
async function fetchPart(name) {
  const answer = await fetch(new URL(`./picture/${name}`, import.meta.url));
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

// The network, { about, numbers }. An error says in words what is missing or damaged.
async function fetchNetwork() {
  let files;
  try {
    files = await Promise.all(["model.json", "model.bin"].map(fetchPart));
  } catch (error) {
    throw new Error("The network is not here: you are offline, or this copy of the site was " +
      "built without it. In a copy of your own, `cifar-course train --data cifar10` and then " +
      "`cifar-course export RUN --web nbs/web/picture` put it here; without a page, " +
      `\`cifar-course predict RUN PICTURE\` asks it. (${error.message})`);
  }
  try {
    const about = await files[0].json();
    const numbers = new Float32Array(await files[1].arrayBuffer());
    checkNetwork(about, numbers);
    return { about, numbers };
  } catch (error) {
    throw new Error(`The network's files are damaged (${error.message}): export them again.`);
  }
}

// ------------------------------------------------------------------------------- the picture

// The decoded picture in a file, as its pixels are: no colour profile is applied.
async function decode(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    throw new Error(`${file.name} is no picture that this browser can read: ` +
      "try a PNG or a JPEG.");
  }
  const nPixels = bitmap.width * bitmap.height;
  if (nPixels > MOST_PIXELS) {
    bitmap.close();
    throw new Error(`${file.name} has ${nPixels.toLocaleString("en")} pixels: make it ` +
      `smaller, at most ${MOST_PIXELS.toLocaleString("en")} are read.`);
  }
  return bitmap;
}

// The middle of a picture, laid on white, as the network's bytes (channels, height, width).
// Between two bands the page may do other things.
async function fitted(bitmap, wanted) {
  const fitter = new Fitter(bitmap.width, bitmap.height, wanted);
  const { left, top, right, bottom } = fitter;
  const width = right - left;
  const nRows = Math.min(Math.max(Math.floor(BAND / width), 1), bottom - top);
  const canvas = element("canvas", { width, height: nRows });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.fillStyle = "#fff";
  for (let row = top; row < bottom; row += nRows) {
    const n = Math.min(nRows, bottom - row);
    context.fillRect(0, 0, width, n);
    context.drawImage(bitmap, left, row, width, n, 0, 0, width, n);
    fitter.take(row, context.getImageData(0, 0, width, n).data);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return fitter.bytes();
}

// ---------------------------------------------------------------------------------- the page

// A share with one decimal: 48.3 %.
function exactPercent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

// A canvas with what the network is given.
function seen(bytes, { channels, width, height }) {
  const alt = `your picture as the network sees it, ${width} × ${height} pixels`;
  const canvas = element("canvas", { width, height, role: "img", "aria-label": alt });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const area = width * height;
  for (let i = 0; i < area; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = bytes[(c % channels) * area + i];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  canvas.style.maxWidth = "14rem";
  const words = `All that the network sees: the middle, ${width} × ${height} pixels.`;
  return element("figure", {}, canvas, element("figcaption", {}, words));
}

// A text that fits beside a bar.
function cut(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

// A bar for each answer, the surest first.
function bars(answers) {
  const step = 26;
  const rows = answers.map(([name, share], i) => {
    const y = i * step + 13;
    const place = { "dominant-baseline": "middle" };
    const bar = svgElement("rect", { x: 112, y: y - 9, height: 18, width: 240 * share,
      fill: i ? "var(--live-c)" : "var(--live-a)" });
    const edge = svgElement("line", { x1: 112, x2: 112, y1: y - 13, y2: y + 13,
      stroke: "var(--live-line)" });
    return svgElement("g", {}, bar, edge,
      svgText(106, y, cut(name, 16), { ...place, "text-anchor": "end" }),
      svgText(118 + 240 * share, y, exactPercent(share), place));
  });
  const said = answers.map(([name, share]) => `${name} ${exactPercent(share)}`).join(", ");
  return svgPicture(420, answers.length * step, `How sure the network is: ${said}`, ...rows);
}

// What the network says, in a sentence.
export function verdict(answers) {
  const [[name, share], ...others] = answers;
  const next = others.slice(0, 2).map((other) => `${other[0]} (${exactPercent(other[1])})`);
  return `The network says ${name}, and gives it ${exactPercent(share)}; ` +
    `next in line: ${next.join(", ")}.`;
}

// What the network is, and what it cannot know.
export function origin(about) {
  const { class_names: names, test_accuracy: accuracy } = about;
  const right = accuracy === null ? "" :
    `; it names ${exactPercent(accuracy)} of the test pictures there right`;
  return `The network is a run of the recipe ${about.recipe}, trained on the pictures of ` +
    `${about.data}${right}. It knows ${names.length} classes and nothing else: ` +
    `${names.join(", ")}. Whatever you show it, it names one of these; a high share does not ` +
    "mean that it has ever seen such a thing.";
}

// The picture file that a drop, a paste or a choice brings; none, if there is none in it.
function fileIn(files) {
  return [...(files ?? [])][0];
}

// Fills `el` with the way to choose a picture, and what the network says of it.
function render({ el }) {
  dress(el);
  const input = element("input", { type: "file", accept: "image/*" });
  const label = element("label", {},
    element("span", {}, "Choose a picture, or drop or paste one anywhere on this page"), input);
  const privacy = element("p", {}, "The picture stays on your device: nothing is uploaded. " +
    "The network, about 7 MB, is fetched when you choose the first picture.");
  const status = element("p", { class: "words", role: "status" }, "No picture yet.");
  const views = element("div", { class: "grid" });
  const about = element("p", {});
  let network = null;                                    // fetched when it is first asked
  let number = 0;                                        // of the picture that is wanted

  // The words for a picture's file, and what there is to see of it.
  async function judged(file) {
    network ??= await fetchNetwork();
    const { about: facts, numbers } = network;
    const bitmap = await decode(file);
    const bytes = await fitted(bitmap, facts);
    bitmap.close();
    const answers = answersOf(facts, numbers, bytes);
    const shown = element("figure", {}, bars(answers.slice(0, MOST_SHOWN)));
    return { words: verdict(answers), views: [seen(bytes, facts), shown], facts };
  }

  // Shows what the network says of a file, unless another one was chosen meanwhile.
  async function show(file) {
    if (!file) return;
    const mine = ++number;
    status.textContent = `Looking at ${file.name} …`;
    let result;
    try {
      result = await judged(file);
    } catch (error) {
      result = { words: error.message, views: [], facts: null };
    }
    if (mine !== number) return;
    status.textContent = result.words;
    views.replaceChildren(...result.views);
    about.textContent = result.facts ? origin(result.facts) : "";
  }

  input.addEventListener("change", () => show(fileIn(input.files)));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();                              // or the browser opens the file
    show(fileIn(event.dataTransfer.files));
  });
  document.addEventListener("paste", (event) => show(fileIn(event.clipboardData.files)));
  el.replaceChildren(label, privacy, status, views, about);
}

export default { render };
