// A filter of 3 x 3 weights slides over a picture, as in chapter 10: what is under the window,
// the products, their sum, and the map of all sums.
import { element, explorer, short, svgElement } from "./panel.js";
import { PICTURES, SIDE, bytesOf, canvasOf, pictureWith, squareAt } from "./pixels.js";

const MAP_SIDE = SIDE - 2;                               // places for the window in a row

// Weights row by row, as in chapter 10, and one more.
export const FILTERS = {
  "vertical edges": "-1 0 1; -2 0 2; -1 0 1",
  "outlines": "0 1 0; 1 -4 1; 0 1 0",
  "sharpen": "0 -1 0; -1 5 -1; 0 -1 0",
  "blur": "1 1 1; 1 1 1; 1 1 1",
  "emboss": "-2 -1 0; -1 1 1; 0 1 2",
};
const OWN = "your own";
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

// Nine weights from text such as "0 1 0; 1 -4 1; 0 1 0", or a fault.
export function parseFilter(text) {
  const rows = text.split(";").map((row) => row.split(/[\s,]+/).filter((word) => word));
  const words = rows.flat();
  if (!words.every((word) => NUMBER.test(word))) {
    return { fault: `'${text}': write numbers, spaces between them, ` +
      "a semicolon after each row" };
  }
  if (rows.length !== 3 || rows.some((row) => row.length !== 3)) {
    return { fault: `'${text}': write three rows of three numbers, such as ` +
      "0 1 0; 1 -4 1; 0 1 0" };
  }
  const numbers = words.map(Number);
  const sum = numbers.reduce((total, number) => total + number, 0);
  return numbers.map((number) => number / Math.max(sum, 1));       // brightness stays in range
}

// The brightness (32 * 32), from 0 to 1, of a picture's bytes.
function greyOf(bytes) {
  const n = SIDE * SIDE;
  return Float64Array.from({ length: n },
    (_, i) => (bytes[i] + bytes[n + i] + bytes[2 * n + i]) / 3 / 255);
}

// The nine numbers of an image under the window at a place.
function windowAt(image, row, column) {
  return [0, 1, 2].flatMap((i) =>
    [0, 1, 2].map((j) => image[(row + i) * SIDE + column + j]));
}

// What a setting of the controls gives: image, map, and the numbers under the window.
export function computeFilter({ filter, own, picture, row, column }, data) {
  const weights = parseFilter(FILTERS[filter] ?? own);
  if (weights.fault) return weights;
  const image = greyOf(bytesOf(data[picture]));
  const productsAt = (i, j) => windowAt(image, i, j).map((value, k) => value * weights[k]);
  const sumAt = (i, j) => productsAt(i, j).reduce((total, product) => total + product, 0);
  const map = Float64Array.from({ length: MAP_SIDE * MAP_SIDE },
    (_, k) => sumAt(Math.floor(k / MAP_SIDE), k % MAP_SIDE));
  return {
    image, map, weights, pixels: windowAt(image, row, column),
    products: productsAt(row, column), sum: sumAt(row, column),
  };
}

// Numbers as grey: black is 0 and white 1; where some lie outside, middle grey is 0.
function greyCanvas(numbers, side) {
  const size = numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
  const isInside = size <= 1 && numbers.every((number) => number >= 0);
  const [low, high] = isInside ? [0, 1] : [-size, size];
  return canvasOf(side, (i) => Array(3).fill((255 * (numbers[i] - low)) / (high - low)));
}

// Nine numbers in three rows, with a name.
function nineTable(name, numbers) {
  const cell = (number) => element("td", {}, number.toFixed(2));
  const rows = [0, 3, 6].map((start) =>
    element("tr", {}, ...numbers.slice(start, start + 3).map(cell)));
  return element("table", {}, element("caption", {}, name), element("tbody", {}, ...rows));
}

// The picture with its window, the sum, and the map with the sum's place.
function drawFilter(result, { picture, row, column }, change) {
  const { image, map, pixels, weights, products, sum } = result;
  const square = (side) => svgElement("rect", squareAt(column, row, side));
  const within = (place) => Math.min(Math.max(place, 0), MAP_SIDE - 1);
  const left = pictureWith("The window over the picture (stand-in)", greyCanvas(image, SIDE),
    `a drawn ${picture} in grey; the window's corner is at row ${row}, column ${column}`,
    [square(3)], (x, y) => change({ row: within(y - 1), column: within(x - 1) }));
  const right = pictureWith("The map: this sum at every place", greyCanvas(map, MAP_SIDE),
    `the map of sums, from ${short(Math.min(...map))} to ${short(Math.max(...map))}`,
    [square(1)], (x, y) => change({ row: within(y), column: within(x) }));
  const terms = element("div", { class: "terms" },
    nineTable("pixels", pixels), "\u00d7", nineTable("weights", weights), "=",
    nineTable("products", products), `their sum: ${sum.toFixed(2)}`);
  return element("div", {}, element("div", { class: "pair" }, left, right), terms);
}

// The sum under the window, and the span of all sums, in words.
function filterWords({ map, sum }, { filter, row, column }) {
  const [low, high] = [Math.min(...map), Math.max(...map)];
  const isLargest = sum === high ? ", its largest" : "";
  return `${filter}: at row ${row}, column ${column} the nine products add up to ` +
    `${short(sum)}. That is one number of the map${isLargest}; the map goes from ` +
    `${short(low)} to ${short(high)}.`;
}

export default {
  render: explorer({
    title: "a filter on a picture",
    controls: {
      filter: { label: "filter", options: [...Object.keys(FILTERS), OWN] },
      own: { label: "its weights: change them", text: true },
      picture: { label: "picture", options: PICTURES },
      row: { label: "row of the window", min: 0, max: MAP_SIDE - 1, step: 1 },
      column: { label: "column of the window", min: 0, max: MAP_SIDE - 1, step: 1 },
    },
    start: { filter: "vertical edges", own: "", picture: "ship", row: 10, column: 10 },
    // a filter of the list writes its weights; weights that are written are your own
    settle(settings, changed) {
      if ("own" in changed) settings.filter = OWN;
      settings.own = FILTERS[settings.filter] ?? settings.own;
    },
    compute: computeFilter,
    picture: drawFilter,
    words: filterWords,
  }),
};
