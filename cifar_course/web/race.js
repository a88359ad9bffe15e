// A race of four optimizers over the surfaces of chapter 5, each at its best rate there times a
// factor.
import { OPTIMIZERS } from "./numbers.js";
import {
  axes, element, explorer, legend, plane, polyline, short, svgElement, svgPicture,
} from "./panel.js";

// A bowl thirty times as steep along b as along a.
const RAVINE = {
  value: (a, b) => (a * a + 30 * b * b) / 2,
  slope: (a, b) => [a, 30 * b],
};

// The ravine, turned by 45 degrees.
const TURNED = {
  value: (a, b) => RAVINE.value((a + b) / Math.SQRT2, (b - a) / Math.SQRT2),
  slope(a, b) {
    const [along, across] = RAVINE.slope((a + b) / Math.SQRT2, (b - a) / Math.SQRT2);
    return [(along - across) / Math.SQRT2, (along + across) / Math.SQRT2];
  },
};

// Of each surface: its loss and slopes at the weights a and b, where the race starts, the
// window (left, right, bottom, top), and its lowest points.
export const SURFACES = {
  "ravine": {
    ...RAVINE, start: [-2, 0.5], window: [-2.5, 1, -1, 1], minima: [[0, 0]],
  },
  "turned ravine": {
    ...TURNED, start: [-2.5 / Math.SQRT2, -1.5 / Math.SQRT2], window: [-2.5, 1, -2.5, 1],
    minima: [[0, 0]],
  },
  "saddle": {
    value: (a, b) => (a * a - b * b) / 2 + b ** 4 / 8,
    slope: (a, b) => [a, (b * b * b) / 2 - b],
    start: [-2, 0.001], window: [-2.5, 1, -2, 2],
    minima: [[0, -Math.SQRT2], [0, Math.SQRT2]],
  },
  "rosenbrock": {
    value: (a, b) => ((1 - a) ** 2 + 20 * (b - a * a) ** 2) / 10,
    slope: (a, b) => [-0.1 * (2 * (1 - a)) - 8 * (b - a * a) * a, 4 * (b - a * a)],
    start: [-1.2, 1], window: [-2, 2, -1, 3], minima: [[1, 1]],
  },
};

const RACERS = {
  sgd: { colour: "var(--live-a)" },
  momentum: { colour: "var(--live-b)", dash: "7 3" },
  rmsprop: { colour: "var(--live-c)", dash: "2 2" },
  adam: { colour: "var(--live-d)", dash: "9 3 2 3" },
};

// The weights [a, b] at the start and after each step, at most 500 from the middle.
export function racePath(surface, racer, rate, momentum, start, nSteps) {
  const w = Float64Array.from(start);
  const state = {};
  const path = [[...w]];
  for (let step = 0; step < nSteps; step++) {
    const gradient = Float64Array.from(surface.slope(w[0], w[1]));
    OPTIMIZERS[racer](w, gradient, state, rate, { momentum, beta1: momentum });
    for (let i = 0; i < 2; i++) {
      if (Number.isNaN(w[i])) w[i] = 0;
      w[i] = Math.min(Math.max(w[i], -500), 500);
    }
    path.push([...w]);
  }
  return path;
}

// The highest of a path's last ten losses; infinite for one that leaves the window.
function lateLoss(surface, path) {
  const [left, right, bottom, top] = surface.window;
  for (const [a, b] of path) {
    if (a < left || a > right || b < bottom || b > top) return Infinity;
  }
  return Math.max(...path.slice(-10).map(([a, b]) => surface.value(a, b)));
}

// A racer's best rate of nine on a surface.
export function bestRate(name, racer) {
  const surface = SURFACES[name];
  let best = null;
  let lowest = Infinity;
  for (let exponent = -8; exponent <= 0; exponent++) {
    const rate = 10 ** (exponent / 3);
    const loss = lateLoss(surface, racePath(surface, racer, rate, 0.9, surface.start, 60));
    if (best === null || loss < lowest) {
      best = rate;
      lowest = loss;
    }
  }
  return best;
}

// Every racer's path from (a, b) in 40 steps, its rate times 10 to the `lr_factor`.
export function computeRace({ surface, lr_factor, momentum, a, b }) {
  const paths = {};
  for (const racer of Object.keys(RACERS)) {
    const rate = bestRate(surface, racer) * 10 ** lr_factor;
    paths[racer] = racePath(SURFACES[surface], racer, rate, momentum, [a, b], 40);
  }
  return paths;
}

// Where a level line crosses the side between two corners of a cell.
function crossing(level, [x1, y1, h1], [x2, y2, h2]) {
  const share = (level - h1) / (h2 - h1);
  return [x1 + share * (x2 - x1), y1 + share * (y2 - y1)];
}

// Level lines of a surface as the path of an SVG, in the plane `at`.
function contours(surface, at, n = 64, nLevels = 12) {
  const [left, right, bottom, top] = surface.window;
  const corner = (i, j) => {
    const a = left + (i / n) * (right - left);
    const b = bottom + (j / n) * (top - bottom);
    return [at.x(a), at.y(b), surface.value(a, b)];
  };
  const grid = [];
  for (let i = 0; i <= n; i++) grid.push(Array.from({ length: n + 1 }, (_, j) => corner(i, j)));
  const lowest = Math.min(...grid.flat().map(([, , value]) => value));
  // the logarithm, so that flat ground has lines too
  for (const point of grid.flat()) point[2] = Math.log(point[2] - lowest + 0.01);
  const heights = grid.flat().map(([, , height]) => height);
  const span = Math.max(...heights) - Math.log(0.01);
  let path = "";
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const cell = [grid[i][j], grid[i + 1][j], grid[i + 1][j + 1], grid[i][j + 1]];
      for (let k = 1; k <= nLevels; k++) {
        path += lineInCell(cell, Math.log(0.01) + (k / (nLevels + 1)) * span);
      }
    }
  }
  return path;
}

// The piece of a level line in one cell of four corners.
function lineInCell(cell, level) {
  const points = [];
  for (let side = 0; side < 4; side++) {
    const from = cell[side];
    const to = cell[(side + 1) % 4];
    if (from[2] < level !== to[2] < level) points.push(crossing(level, from, to));
  }
  const text = points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`);
  let path = "";
  for (let k = 0; k + 1 < text.length; k += 2) path += `M${text[k]}L${text[k + 1]}`;
  return path;
}

// The loss at the end of each path, as words.
function raceWords(paths, { surface }) {
  const ends = Object.entries(paths).map(([racer, path]) => {
    const [a, b] = path.at(-1);
    const isOut = Math.max(Math.abs(a), Math.abs(b)) > 5;
    return `${racer} ${isOut ? "has flown out" : short(SURFACES[surface].value(a, b))}`;
  });
  return `The loss after 40 steps: ${ends.join(", ")}.`;
}

// The paths over the level lines, a star at each lowest point.
function raceMap(paths, settings) {
  const surface = SURFACES[settings.surface];
  const [left, right, bottom, top] = surface.window;
  const [width, height] = [440, 340];
  const at = plane([left, right], [bottom, top], width, height);
  const ground = svgElement("path", { d: contours(surface, at), fill: "none",
    stroke: "currentColor", "stroke-opacity": 0.3 });
  const clip = `race-${Math.random().toString(36).slice(2)}`;
  const inside = svgElement("rect", { x: at.left, y: at.top, width: at.right - at.left,
    height: at.bottom - at.top });
  const group = svgElement("g", { "clip-path": `url(#${clip})` }, ground);
  const series = [];
  for (const [racer, style] of Object.entries(RACERS)) {
    series.push({ name: racer, ...style });
    group.append(polyline(at, paths[racer], style.colour, style.dash));
    for (const [a, b] of paths[racer]) {
      const centre = { cx: at.x(a).toFixed(1), cy: at.y(b).toFixed(1), r: 2.2 };
      group.append(svgElement("circle", { ...centre, fill: style.colour }));
    }
  }
  for (const [a, b] of surface.minima) {
    const place = { "text-anchor": "middle", "dominant-baseline": "central" };
    const star = { x: at.x(a), y: at.y(b), fill: "currentColor", style: "font-size: 22px" };
    group.append(svgElement("text", { ...star, ...place }, "\u2605"));
  }
  const frame = axes(at, [left, right], [bottom, top], "weight a", "weight b");
  const picture = svgPicture(width, height, raceWords(paths, settings),
    svgElement("clipPath", { id: clip }, inside), frame, group);
  return element("figure", {}, picture, legend(series));
}

export default {
  render: explorer({
    title: "a race of optimizers",
    controls: {
      surface: { label: "surface", options: Object.keys(SURFACES) },
      lr_factor: { label: "rate, times 10 to the", min: -1.5, max: 1.5, step: 0.25 },
      momentum: { label: "momentum", min: 0, max: 0.99, step: 0.01 },
      a: { label: "start a", min: -2, max: 2, step: 0.1 },
      b: { label: "start b", min: -1, max: 2, step: 0.1 },
    },
    start: { surface: "ravine", lr_factor: 0, momentum: 0.9, a: -2, b: 0.5 },
    compute: computeRace,
    picture: raceMap,
    words: raceWords,
  }),
};
