// A picture turned, enlarged, moved and mirrored, as chapter 1 augments: each pixel of the
// result asks a matrix where in the picture it is to be read, and is mixed from four there.
import { element, explorer, percent, svgElement } from "./panel.js";
import { PICTURES, SIDE, bytesOf, canvasOf, pictureWith, squareAt } from "./pixels.js";

const MARGIN = SIDE / 2;                                 // shown around the picture

// The map from places in the result to places in the picture, two rows of three numbers. A
// picture reaches from -1 to 1; `rotation` is in degrees, `right` and `down` are shares of it.
export function affineMatrix({ flip, rotation, zoom, right, down }) {
  const angle = (rotation * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const side = flip ? -1 : 1;
  const matrix = [
    [side * cos, side * sin, -side * 2 * (cos * right + sin * down)],
    [-sin, cos, 2 * (sin * right - cos * down)],
  ];
  return matrix.map((row) => row.map((number) => number / zoom));
}

// Where a place (x, y) of the result, both from -1 to 1, is read: [column, row] in pixels, the
// middle of the first pixel being 0.
export function readFrom(matrix, x, y) {
  return matrix.map(([byX, byY, by1]) => ((byX * x + byY * y + by1 + 1) * SIDE - 1) / 2);
}

// The place within the picture that is read in place of one along a row or column.
const FILLS = {
  border: (at) => Math.min(Math.max(at, 0), SIDE - 1),
  zeros: (at) => at,
  reflection(at) {
    const beyond = Math.abs(at + 0.5) % (2 * SIDE);      // from the picture's edge
    const inside = Math.min(beyond, 2 * SIDE - beyond) - 0.5;
    return Math.min(Math.max(inside, 0), SIDE - 1);
  },
};

// Red, green and blue, from 0 to 255, at [column, row]: the four nearest pixels, each counting
// the more the nearer it is. Outside the picture all is 0.
function colourAt(bytes, place, fill) {
  const [column, row] = place.map(FILLS[fill]);
  const [left, top] = [Math.floor(column), Math.floor(row)];
  const colour = [0, 0, 0];
  for (const [j, i] of [[left, top], [left + 1, top], [left, top + 1], [left + 1, top + 1]]) {
    if (Math.min(i, j) < 0 || Math.max(i, j) >= SIDE) continue;
    const share = (1 - Math.abs(column - j)) * (1 - Math.abs(row - i));
    for (let c = 0; c < 3; c++) colour[c] += share * bytes[(c * SIDE + i) * SIDE + j];
  }
  return colour;
}

// The middle of the k-th of `SIDE` pixels, in a picture from -1 to 1.
function middleOf(k) {
  return (2 * k + 1) / SIDE - 1;
}

// What a setting of the controls gives: the matrix, where each pixel of the result is read, and
// its colour.
export function computeWarp(settings, data) {
  const bytes = bytesOf(data[settings.picture]);
  const matrix = affineMatrix(settings);
  const places = Array.from({ length: SIDE * SIDE }, (_, i) =>
    readFrom(matrix, middleOf(i % SIDE), middleOf(Math.floor(i / SIDE))));
  const colours = places.map((place) => colourAt(bytes, place, settings.fill));
  return { bytes, matrix, places, colours };
}

// The six numbers, with what they are multiplied by above.
function matrixTable(matrix) {
  const cell = (number) => element("td", {}, number.toFixed(3));
  const head = ["to read at", "x", "y", "1"].map((name) =>
    element("th", { scope: "col" }, name));
  const rows = matrix.map((row, i) => {
    const name = element("th", { scope: "row" }, ["across", "down"][i]);
    return element("tr", {}, name, ...row.map(cell));
  });
  return element("table", {},
    element("caption", {}, "The matrix: pixel (x, y) of the result, from -1 to 1"),
    element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
}

// The picture with its surroundings and where the result is cut out, and the result; the dot is
// the result's left upper corner.
function drawWarp({ bytes, matrix, colours }, { picture, fill }) {
  const wide = SIDE + 2 * MARGIN;
  const around = canvasOf(wide, (i) =>
    colourAt(bytes, [(i % wide) - MARGIN, Math.floor(i / wide) - MARGIN], fill));
  const corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([x, y]) =>
    readFrom(matrix, x, y).map((at) => at + 0.5 + MARGIN));
  const frame = { ...squareAt(MARGIN, MARGIN, SIDE), stroke: "currentColor",
    "stroke-dasharray": "4 4" };
  const { x, y, width, height, ...line } = squareAt(0, 0, 1);
  const dot = ([cx, cy], r) => svgElement("circle", { cx, cy, r, fill: "var(--live-b)" });
  const left = pictureWith("Where it is read (stand-in; dashed: the picture)", around,
    `a drawn ${picture} amid its fill, and the outline of what is read`,
    [svgElement("rect", frame), svgElement("polygon", { ...line, points: corners.join(" ") }),
      dot(corners[0], 2)]);
  const right = pictureWith("What the network gets", canvasOf(SIDE, (i) => colours[i]),
    `the ${picture} after turning, enlarging, moving and mirroring`, [dot([0, 0], 1)]);
  return element("div", {}, element("div", { class: "pair" }, left, right),
    element("div", { class: "terms" }, matrixTable(matrix)));
}

// Where the middle is read and how much comes from outside, in words.
function warpWords({ matrix, places }, { fill }) {
  const [column, row] = readFrom(matrix, 0, 0).map((at) => at.toFixed(1));
  const outside = places.filter((place) =>
    Math.min(...place) < -0.5 || Math.max(...place) > SIDE - 0.5);
  const share = percent(outside.length / places.length);
  return `The middle of the result is read at column ${column}, row ${row} of the picture, ` +
    `whose own middle is 15.5, 15.5. ${share} of the result lies outside the picture, where ` +
    `"${fill}" says what is seen.`;
}

export default {
  render: explorer({
    title: "a picture turned, enlarged, moved and mirrored",
    controls: {
      picture: { label: "picture", options: PICTURES },
      flip: { label: "flip", check: true },
      rotation: { label: "rotation (degrees, clockwise)", min: -90, max: 90, step: 5 },
      zoom: { label: "zoom (times)", min: 0.5, max: 1.5, step: 0.05 },
      right: { label: "shift right (widths)", min: -0.5, max: 0.5, step: 0.05 },
      down: { label: "shift down (heights)", min: -0.5, max: 0.5, step: 0.05 },
      fill: { label: "fill", options: Object.keys(FILLS) },
    },
    start: { picture: "ship", flip: false, rotation: 15, zoom: 1, right: 0.1, down: 0,
      fill: "border" },
    compute: computeWarp,
    picture: drawWarp,
    words: warpWords,
  }),
};
