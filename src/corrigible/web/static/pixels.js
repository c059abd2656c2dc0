// Pictures as numbers: masks and segments as PNG files and back, and the outline of a mask.
import { Mask } from "./mask.js";

const FINEST = 640;

/** The decoded picture of this address. */
export async function picture(url) {
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch {
    throw new Error("a picture could not be loaded.");
  }
  return image;
}

async function values(url, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.drawImage(await picture(url), 0, 0, width, height);
  return context.getImageData(0, 0, width, height).data;
}

/** The mask that a PNG shows: marked where it is light and opaque. */
export async function maskOf(url, width, height) {
  const found = await values(url, width, height);
  const mask = new Mask(width, height);
  for (let place = 0; place < mask.data.length; place++) {
    mask.data[place] = found[4 * place] > 127 && found[4 * place + 3] > 127 ? 1 : 0;
  }
  return mask;
}

/** The number of the segment of each pixel. */
export async function segmentsOf(url, width, height) {
  const found = await values(url, width, height);
  const labels = new Uint16Array(width * height);
  for (let place = 0; place < labels.length; place++) labels[place] = found[4 * place] + 256 * found[4 * place + 1];
  return labels;
}

/** The mask as a PNG in a data address: white where it is marked, else black. */
export async function pngOf(mask) {
  const canvas = new OffscreenCanvas(mask.width, mask.height);
  const image = new ImageData(mask.width, mask.height);
  const words = new Uint32Array(image.data.buffer);
  for (let place = 0; place < words.length; place++) words[place] = mask.data[place] ? 0xffffffff : 0xff000000;
  canvas.getContext("2d").putImageData(image, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** The borders between marked and other pixels, as the path of an SVG in the picture's pixels; of a large mask, as it is
 * on a grid of at most about FINEST places. */
export function outlineOf(mask) {
  const step = Math.ceil(Math.max(mask.width, mask.height) / FINEST);
  const width = Math.ceil(mask.width / step), height = Math.ceil(mask.height / step);
  const at = (x, y) => (x >= 0 && y >= 0 && x < width && y < height ? mask.data[y * step * mask.width + x * step] : 0);
  return [
    ...runs(height + 1, width, (y, x) => at(x, y - 1) !== at(x, y), (y, x, length) => `M${x * step} ${y * step}h${length * step}`),
    ...runs(width + 1, height, (x, y) => at(x - 1, y) !== at(x, y), (x, y, length) => `M${x * step} ${y * step}v${length * step}`),
  ].join("");
}

/** What `made(line, start, length)` makes of each run of places on each line where `is(line, place)` holds. */
function runs(lines, places, is, made) {
  const found = [];
  for (let line = 0; line < lines; line++) {
    for (let place = 0; place < places; place++) {
      const start = place;
      while (place < places && is(line, place)) place++;
      if (place > start) found.push(made(line, start, place - start));
    }
  }
  return found;
}

/** The path of outlines that the server sends as lists of points. */
export function pathOf(outlines) {
  return outlines.map((points) => `M${points.map(([x, y]) => `${x} ${y}`).join("L")}Z`).join("");
}
