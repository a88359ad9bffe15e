// Brings a picture to a network's size as `cifar-course predict` does, which leaves that to
// Pillow's ImageOps.fit: the middle of the picture, by cubic interpolation, over a wider
// neighbourhood where the picture shrinks. Pillow computes in whole numbers; so do we, and the
// bytes are the same, but for those of tall pictures: since release 13 Pillow makes these lower
// first and then narrower, which moves a photograph's bytes by 1 at most.
// nbs/lib/web/test_picture.ipynb compares.

const BITS = 22;                                         // of a share's fraction, as in Pillow
const ONE = 2 ** BITS;

// The cubic of Keys (1981) with a = -1/2: how much a pixel counts, `x` pixels away.
function cubic(x) {
  const far = Math.abs(x);
  if (far < 1) return (1.5 * far - 2.5) * far * far + 1;
  if (far < 2) return (((far - 5) * far + 8) * far - 4) * -0.5;
  return 0;
}

// For each of `nOut` places along the stretch `from` … `to` of `nIn` pixels: the first pixel
// that counts for it, and the shares of that one and of those after it, in 1 / ONE.
function sharesAlong(nIn, from, to, nOut) {
  const scale = Math.fround(to - from) / nOut;
  const wider = Math.max(scale, 1);
  const perPixel = 1 / wider;
  const reach = 2 * wider;
  const places = [];
  for (let place = 0; place < nOut; place++) {
    const centre = from + (place + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const end = Math.min(Math.trunc(centre + reach + 0.5), nIn);
    const exact = [];
    let sum = 0;
    for (let pixel = first; pixel < end; pixel++) {
      const share = cubic((pixel - centre + 0.5) * perPixel);
      exact.push(share);
      sum += share;
    }
    const rounded = (share) => Math.trunc((share / sum) * ONE + (share < 0 ? -0.5 : 0.5));
    places.push({ first, shares: Int32Array.from(exact, rounded) });
  }
  return places;
}

// A sum of bytes times shares as a byte.
function byteOf(sum) {
  return Math.min(Math.max((sum + ONE / 2) >> BITS, 0), 255);
}

// The largest part of a picture that has the wanted form, in its middle: [left, top, right,
// bottom], with fractions of pixels in 32 bits, as in Pillow.
export function middle(width, height, wanted) {
  const form = wanted.width / wanted.height;
  let inWidth = width;
  let inHeight = height;
  if (width / height > form) inWidth = form * height;
  if (width / height < form) inHeight = width / form;
  const left = (width - inWidth) * 0.5;
  const top = (height - inHeight) * 0.5;
  return [left, top, left + inWidth, top + inHeight].map(Math.fround);
}

// Grey of colours, as Pillow's conversion to L.
function grey(red, green, blue) {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
}

// Takes in a picture by bands of rows, so that a large one is never in memory as a whole, and
// makes it narrower at once; `bytes` makes it lower in the end.
export class Fitter {
  // `wanted` is { channels, width, height }: 3 channels for colours, 1 for grey.
  constructor(width, height, wanted) {
    const [left, top, right, bottom] = middle(width, height, wanted);
    this.wanted = wanted;
    this.columns = sharesAlong(width, left, right, wanted.width);
    this.rows = sharesAlong(height, top, bottom, wanted.height);
    const last = this.rows.at(-1);
    this.top = this.rows[0].first;                       // the rows and columns that count
    this.bottom = last.first + last.shares.length;
    const lastColumn = this.columns.at(-1);
    this.left = this.columns[0].first;
    this.right = lastColumn.first + lastColumn.shares.length;
    const rowSize = wanted.width * wanted.channels;
    this.narrow = new Uint8Array((this.bottom - this.top) * rowSize);
  }

  // Takes in the rows from `top` on: bytes red, green, blue, opacity of each pixel from `left`
  // to `right`. They are opaque, for they were laid on white.
  take(top, pixels) {
    const { channels, width } = this.wanted;
    const size = (this.right - this.left) * 4;
    if (channels === 1) makeGrey(pixels);
    for (let row = 0; row * size < pixels.length; row++) {
      const to = (top + row - this.top) * width * channels;
      this.columns.forEach(({ first, shares }, x) => {
        const from = row * size + (first - this.left) * 4;
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let k = 0; k < shares.length; k++) sum += shares[k] * pixels[from + 4 * k + c];
          this.narrow[to + x * channels + c] = byteOf(sum);
        }
      });
    }
  }

  // The picture as bytes (channels, height, width), once all rows were taken in.
  bytes() {
    const { channels, width, height } = this.wanted;
    const bytes = new Uint8Array(channels * height * width);
    const rowSize = width * channels;
    this.rows.forEach(({ first, shares }, y) => {
      for (let i = 0; i < rowSize; i++) {
        const from = (first - this.top) * rowSize + i;
        let sum = 0;
        for (let k = 0; k < shares.length; k++) {
          sum += shares[k] * this.narrow[from + k * rowSize];
        }
        const c = i % channels;
        bytes[(c * height + y) * width + (i - c) / channels] = byteOf(sum);
      }
    });
    return bytes;
  }
}

// Puts a pixel's grey in the place of its red.
function makeGrey(pixels) {
  for (let i = 0; i < pixels.length; i += 4) {
    pixels[i] = grey(pixels[i], pixels[i + 1], pixels[i + 2]);
  }
}
