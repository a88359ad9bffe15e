// What all live pages are built of: elements, controls with labels, charts, and the frame of an
// explorer. Nothing here knows what an explorer computes.

// ---------------------------------------------------------------------------------- elements

const SVG = "http://www.w3.org/2000/svg";

// Gives an element attributes and children; `false` and `null` leave an attribute out.
function dressed(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null) continue;
    made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// An HTML element; a child may be an element or a text.
export function element(tag, attributes = {}, ...children) {
  return dressed(document.createElement(tag), attributes, children);
}

// An SVG element.
export function svgElement(tag, attributes = {}, ...children) {
  return dressed(document.createElementNS(SVG, tag), attributes, children);
}

// An SVG picture with words for those who do not see it.
export function svgPicture(width, height, alt, ...children) {
  const viewBox = `0 0 ${width} ${height}`;
  return svgElement("svg", { viewBox, role: "img", "aria-label": alt }, ...children);
}

// A text in a picture, in the page's own colour.
export function svgText(x, y, text, attributes = {}) {
  return svgElement("text", { x, y, fill: "currentColor", ...attributes }, text);
}

// A number with three figures, as one would write it: 0.00012, 3.4, 1.2e+7.
export function short(value) {
  if (!Number.isFinite(value)) return "not a number";
  return String(Number(value.toPrecision(3)));
}

// A share as a whole number of hundredths: 48 %.
export function percent(share) {
  return `${Math.round(100 * share)} %`;
}

// ------------------------------------------------------------------------------------- style
// Ink is the page's own colour, so dark and light need no rules of their own. A page may set
// the three colours; as they are, they can be told apart by the colour-blind, and show on both.

const STYLE = `
.cifar-live {
  --live-a: var(--course-blue, #0173b2);
  --live-b: var(--course-orange, #d55e00);
  --live-c: var(--course-green, #029e73);
  --live-d: var(--course-pink, #c46a9b);
  --live-slope: color-mix(in srgb, var(--live-b) 75%, currentColor);
  --live-line: color-mix(in srgb, currentColor 25%, transparent);
  line-height: 1.4;
}
.cifar-live svg { display: block; width: 100%; max-width: 44rem; height: auto; }
.cifar-live svg text { font-size: 12px; font-family: inherit; }
.cifar-live canvas { display: block; width: 100%; image-rendering: pixelated; }
.cifar-live figure { margin: 0; min-width: 0; }
.cifar-live figcaption { font-size: .9rem; color: inherit; }
.cifar-live .controls {
  display: grid; gap: .25rem 1.25rem; border: 0; padding: 0; margin: 0 0 .75rem;
  grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr));
}
.cifar-live label { display: grid; grid-template-columns: 1fr auto; align-items: center; }
.cifar-live label > input, .cifar-live label > select { grid-column: 1 / -1; width: 100%; }
.cifar-live label.check > input { grid-column: auto; width: 1.5rem; height: 1.5rem; }
.cifar-live input, .cifar-live select, .cifar-live button {
  min-height: 2.25rem; font: inherit; box-sizing: border-box; accent-color: var(--live-a);
}
.cifar-live button {
  color: inherit; background: none; border: 2px solid currentColor; border-radius: .4rem;
  padding: .25rem .9rem; cursor: pointer;
}
.cifar-live button:disabled { opacity: .5; cursor: default; }
.cifar-live button.main { background: var(--live-a); border-color: var(--live-a); color: #fff; }
.cifar-live :focus-visible { outline: 3px solid var(--live-b); outline-offset: 2px; }
.cifar-live .row { display: flex; flex-wrap: wrap; gap: .5rem; margin: .5rem 0; }
.cifar-live .grid {
  display: grid; gap: 1rem 1.5rem; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr));
}
.cifar-live .legend { display: flex; flex-wrap: wrap; gap: 0 1rem; list-style: none;
  margin: 0; padding: 0; font-size: .9rem; }
.cifar-live .legend svg { display: inline-block; width: 1.5rem; height: .6rem; }
.cifar-live .words { min-height: 2.8em; margin: .5rem 0; }
.cifar-live summary { min-height: 44px; align-content: center; cursor: pointer; }
.cifar-live .scroll { overflow-x: auto; }
.cifar-live table { border-collapse: collapse; font-size: .8rem; width: auto; margin: 0; }
.cifar-live th, .cifar-live td { padding: .15rem .25rem; text-align: right; font-weight: 400;
  border: 1px solid var(--live-line); }
.cifar-live .pictures { display: flex; flex-wrap: wrap; gap: .5rem; list-style: none;
  padding: 0; margin: .25rem 0; font-size: .75rem; }
.cifar-live .pictures li { width: 5.5rem; }
.cifar-live caption { text-align: left; caption-side: top; color: inherit; padding: 0; }
.cifar-live .tall { writing-mode: vertical-rl; text-align: right; vertical-align: bottom; }
.cifar-live .cells { width: 100%; max-width: 36rem; }
.cifar-live .cells td { padding: 0; }
.cifar-live .cells button { width: 100%; min-width: 1.75rem; padding: 0; border: 0;
  border-radius: 0; }
.cifar-live .cells [aria-pressed=true] { box-shadow: inset 0 0 0 3px currentColor; }
.cifar-live .pair { display: grid; gap: .25rem .75rem; align-items: end;
  grid-template-columns: repeat(2, minmax(0, 21rem)); }
.cifar-live .over { position: relative; }
.cifar-live .over > svg { position: absolute; inset: 0; height: 100%; max-width: none; }
.cifar-live .terms { display: flex; flex-wrap: wrap; gap: .25rem .6rem; align-items: center;
  margin: .75rem 0; font-variant-numeric: tabular-nums; }
@media (pointer: coarse) {
  .cifar-live input, .cifar-live select, .cifar-live button { min-height: 44px; }
  .cifar-live label.check { min-height: 44px; }
}`;

// Marks an element as a live page's, and puts the style into the page, once.
export function dress(el) {
  el.classList.add("cifar-live");
  const root = el.getRootNode();
  const place = root.head ?? root;                       // of a page, or of a shadow
  if (!place.querySelector("style[data-cifar-live]")) {
    place.append(element("style", { "data-cifar-live": true }, STYLE));
  }
}

// ---------------------------------------------------------------------------------- controls
// A control is described by what it holds: { label, options }, { label, check: true },
// { label, text: true }, or { label, min, max, step } and, if wanted, `show`, which writes the
// slider's number for the reader.

// The native control of a description, with its value.
function nativeControl(control, value) {
  if (control.options) {
    const option = (each) => element("option", { value: each }, `${each}`);
    const select = element("select", {}, ...control.options.map(option));
    select.value = value;
    return select;
  }
  if (control.check) {
    const box = element("input", { type: "checkbox" });
    box.checked = value;
    return box;
  }
  if (control.text) return element("input", { type: "text", value, spellcheck: "false" });
  const { min, max, step } = control;
  return element("input", { type: "range", min, max, step, value });
}

// The value that a native control has, in the kind that its description says.
function valueOf(control, input) {
  if (control.check) return input.checked;
  if (control.text) return input.value;
  if (!control.options) return Number(input.value);
  return control.options.find((each) => `${each}` === input.value);
}

// A label with its control. `changed` is called with each new value.
export function labelled(control, value, changed) {
  const input = nativeControl(control, value);
  input.dataset.lmSuppressShortcuts = "true";            // or JupyterLab takes the arrow keys
  const show = control.show ?? String;
  const isSlider = input.type === "range";
  const shown = element("output", {}, isSlider ? show(value) : "");
  input.addEventListener(isSlider ? "input" : "change", () => {
    const now = valueOf(control, input);
    if (isSlider) {
      shown.textContent = show(now);
      if (control.show) input.setAttribute("aria-valuetext", show(now));
    }
    changed(now);
  });
  const name = element("span", {}, control.label);
  return element("label", { class: control.check ? "check" : null }, name, shown, input);
}

// Puts a value into a control that is there, so that it says what holds now.
function putValue(label, control, value) {
  const input = label.querySelector("input, select");
  if (control.check) input.checked = value;
  else input.value = value;
  if (input.type === "range") {
    label.querySelector("output").textContent = (control.show ?? String)(value);
  }
}

// ------------------------------------------------------------------------------------ charts

// About `n` round numbers from `low` to `high`.
export function roundTicks(low, high, n = 4) {
  const rough = (high - low) / n || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((times) => times * power >= rough) * power;
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high + step * 1e-9; i++) ticks.push(i * step);
  return ticks;
}

// Where numbers stand in a chart of that size: functions of x and of y, and the edges.
export function plane(xRange, yRange, width, height) {
  const edge = { left: 46, right: width - 8, top: 8, bottom: height - 38 };
  const along = (range, from, to) => (value) =>
    from + ((value - range[0]) / (range[1] - range[0] || 1)) * (to - from);
  return {
    x: along(xRange, edge.left, edge.right),
    y: along(yRange, edge.bottom, edge.top),
    ...edge,
  };
}

// Axis lines, ticks and names of a chart.
export function axes(at, xRange, yRange, xName, yName) {
  const group = svgElement("g", {});
  const line = (x1, y1, x2, y2) =>
    group.append(svgElement("line", { x1, y1, x2, y2, stroke: "var(--live-line)" }));
  for (const tick of roundTicks(...yRange)) {
    line(at.left, at.y(tick), at.right, at.y(tick));
    const place = { "text-anchor": "end", "dominant-baseline": "middle" };
    group.append(svgText(at.left - 6, at.y(tick), short(tick), place));
  }
  for (const tick of roundTicks(...xRange)) {
    line(at.x(tick), at.bottom, at.x(tick), at.bottom + 4);
    group.append(svgText(at.x(tick), at.bottom + 17, short(tick), { "text-anchor": "middle" }));
  }
  line(at.left, at.bottom, at.right, at.bottom);
  const middle = (at.left + at.right) / 2;
  group.append(svgText(middle, at.bottom + 33, xName, { "text-anchor": "middle" }));
  const turned = { transform: `rotate(-90 11 ${(at.top + at.bottom) / 2})` };
  group.append(svgText(11, (at.top + at.bottom) / 2, yName,
    { "text-anchor": "middle", ...turned }));
  return group;
}

// A line through points [x, y]; it breaks where a number is missing, and stays near the chart.
export function polyline(at, points, colour, dash = null) {
  let path = "";
  let isBroken = true;
  for (const [x, y] of points) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      isBroken = true;
      continue;
    }
    const px = Math.min(Math.max(at.x(x), -9999), 9999).toFixed(1);
    const py = Math.min(Math.max(at.y(y), -9999), 9999).toFixed(1);
    path += `${isBroken ? "M" : "L"}${px} ${py}`;
    isBroken = false;
  }
  return svgElement("path", { d: path, fill: "none", stroke: colour, "stroke-width": 2,
    "stroke-dasharray": dash });
}

// A list that says which line is which.
export function legend(series) {
  const entries = series.map(({ name, colour, dash }) => {
    const line = svgElement("line", { x1: 0, y1: 4, x2: 24, y2: 4, stroke: colour,
      "stroke-width": 3, "stroke-dasharray": dash ?? null });
    const sample = svgElement("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" }, line);
    return element("li", {}, sample, ` ${name}`);
  });
  return element("ul", { class: "legend" }, ...entries);
}

// A chart of lines. A series is { name, points, colour, dash }.
export function lineChart({ series, xRange, yRange, xName, yName, alt,
                            width = 420, height = 260 }) {
  const at = plane(xRange, yRange, width, height);
  const lines = series.map(({ points, colour, dash }) => polyline(at, points, colour, dash));
  const picture = svgPicture(width, height, alt,
    axes(at, xRange, yRange, xName, yName), ...lines);
  return element("figure", {}, picture, legend(series));
}

// ---------------------------------------------------------------------------------- explorer

// The `render` of an explorer: controls, a picture of what `compute` gives for their values,
// and words that say the same. `start` holds the values at the beginning; `settle`, if there is
// one, may set others after some have `changed`. A picture may call `change` with new values,
// and marks the part to which the focus goes back with data-focus. What `compute` cannot take,
// it answers with { fault }, a sentence.
export function explorer({ title, controls, start, settle, compute, picture, words }) {
  return async function render({ model, el }) {
    dress(el);
    const settings = { ...start };
    const data = await model.get("data");
    const place = element("div", {});
    const said = element("p", { class: "words", role: "status" });

    // Computes and draws for the settings as they are.
    function refresh() {
      const result = compute(settings, data);
      if (result.fault) {
        said.textContent = result.fault;
        return;
      }
      const hadFocus = place.contains(el.getRootNode().activeElement);
      const scrolled = place.querySelector(".scroll")?.scrollLeft;
      place.replaceChildren(picture(result, settings, change));
      if (scrolled) place.querySelector(".scroll").scrollLeft = scrolled;
      if (hadFocus) place.querySelector("[data-focus]")?.focus();
      said.textContent = words(result, settings);
    }

    // Takes over some values, and what follows from them.
    function take(changed) {
      Object.assign(settings, changed);
      settle?.(settings, changed);
    }

    // Takes over values from a control or from the picture, and shows them everywhere.
    function change(changed) {
      take(changed);
      for (const [name, label] of Object.entries(labels)) {
        putValue(label, controls[name], settings[name]);
      }
      model.set("state", { ...settings });
      model.save_changes();
      refresh();
    }

    take(model.get("state"));
    const labels = {};
    for (const [name, control] of Object.entries(controls)) {
      labels[name] = labelled(control, settings[name], (value) => change({ [name]: value }));
    }
    const fieldset = element("fieldset", { class: "controls", "aria-label": title },
      ...Object.values(labels));
    el.replaceChildren(fieldset, place, said);
    refresh();
  };
}
