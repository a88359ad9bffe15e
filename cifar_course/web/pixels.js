// The stand-in's pictures that some explorers show, and canvases to show such pictures.
import { element, svgPicture } from "./panel.js";

export const SIDE = 32;                                  // pixels, of a picture

// The classes of the pictures that Python hands over, one of each.
export const PICTURES = ["automobile", "bird", "cat", "horse", "ship", "truck"];

// The bytes (3 * 32 * 32) of a picture that came as hexadecimal digits, two for each.
export function bytesOf(digits) {
  return Uint8Array.from({ length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

// A canvas of side * side pixels; `colourAt(i)` gives red, green and blue, from 0 to 255.
export function canvasOf(side, colourAt) {
  const canvas = element("canvas", { width: side, height: side, "aria-hidden": "true" });
  const image = new ImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    image.data.set([...colourAt(i), 255], 4 * i);        // rounds, and stays in 0…255
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

// A picture with a title, and shapes over it, in pixels; `pick` is told which pixel is clicked.
export function pictureWith(title, canvas, alt, shapes, pick) {
  const picture = svgPicture(canvas.width, canvas.height, alt, ...shapes);
  if (pick) {
    picture.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      const share = [(event.clientX - box.left) / box.width,
        (event.clientY - box.top) / box.height];
      pick(...share.map((each) => Math.floor(each * canvas.width)));
    });
  }
  return element("figure", {}, element("figcaption", {}, title),
    element("div", { class: "over" }, canvas, picture));
}

// The outline of a square of pixels.
export function squareAt(x, y, side) {
  return { x, y, width: side, height: side, fill: "none", stroke: "var(--live-b)",
    "stroke-width": 2, "vector-effect": "non-scaling-stroke" };
}
