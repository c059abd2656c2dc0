// The layers of a picture on the screen: the picture, the heat above it, the marks, and lines. A stroke draws only the
// box that it touched.
import { el, svg } from "./dom.js";
import { around } from "./mask.js";

export const COLOURS = { irrelevant: [196, 81, 11], relevant: [0, 117, 90] };
const HATCH = 7;

/** A picture with heat above it, drawn at a view that several may share. */
export class Stage {
  constructor(view, { image, hasMap, pixelated, label }) {
    this.view = view;
    this.pixelated = pixelated;
    this.base = layer(image);
    this.heat = hasMap ? layer(null) : null;
    this.box = el("div", { class: "stage", role: "img", "aria-label": label }, this.base.canvas, this.heat?.canvas);
  }

  setMap(map) {
    this.heat.picture = map;
    this.paint(this.heat);
  }

  /** Takes the room that its box has now. */
  resize() {
    const { clientWidth, clientHeight } = this.box;
    for (const canvas of this.box.querySelectorAll("canvas")) {
      canvas.width = Math.max(1, Math.round(clientWidth * devicePixelRatio));
      canvas.height = Math.max(1, Math.round(clientHeight * devicePixelRatio));
    }
    this.redraw();
  }

  redraw() {
    for (const part of [this.base, this.heat]) if (part?.picture) this.paint(part);
  }

  paint({ canvas, context, picture }) {
    const { view } = this, ratio = devicePixelRatio;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.setTransform(view.scale * ratio, 0, 0, view.scale * ratio, view.x * ratio, view.y * ratio);
    context.imageSmoothingEnabled = !(this.pixelated || view.scale * ratio > 6);
    context.imageSmoothingQuality = view.scale * ratio < 0.5 ? "medium" : "low";
    context.drawImage(picture, 0, 0, view.width, view.height);
  }
}

function layer(picture) {
  const canvas = el("canvas", { "aria-hidden": "true" });
  return { canvas, context: canvas.getContext("2d"), picture };
}

/** A mask in its colour, kept as a canvas of the picture's size and updated box by box. */
class Colouring {
  constructor(mask, colour) {
    this.mask = mask;
    this.colour = new Uint32Array(new Uint8ClampedArray([...colour, 255]).buffer)[0];
    this.canvas = null;
  }

  update(box) {
    if (!box) return;
    if (!this.canvas) {
      this.canvas = new OffscreenCanvas(this.mask.width, this.mask.height);
      this.context = this.canvas.getContext("2d");
    }
    const [left, top, right, bottom] = box;
    const image = new ImageData(right - left, bottom - top);
    const words = new Uint32Array(image.data.buffer);
    this.mask.crop(box).forEach((value, place) => { words[place] = value ? this.colour : 0; });
    this.context.putImageData(image, left, top);
  }
}

/** Masks above a stage, hatched in two directions so that colour is not all that tells them apart. */
export class MarkLayer {
  constructor(stage, masks) {
    this.stage = stage;
    this.canvas = el("canvas", { class: "marks", "aria-hidden": "true" });
    this.context = this.canvas.getContext("2d");
    this.scratch = document.createElement("canvas").getContext("2d");
    this.colourings = Object.entries(masks).map(([polarity, mask]) => ({
      colouring: new Colouring(mask, COLOURS[polarity]),
      hatch: hatch(polarity),
    }));
    this.due = null;
    stage.box.append(this.canvas);
  }

  /** These pixels changed: drawn with the next frame. */
  touch(box, mask) {
    if (!box) return;
    for (const { colouring } of this.colourings) if (colouring.mask === mask) colouring.update(box);
    if (!this.due) requestAnimationFrame(() => this.paint());
    this.due = around(this.due, box);
  }

  redraw() {
    this.due = [0, 0, this.stage.view.width, this.stage.view.height];
    this.paint();
  }

  paint() {
    const { view } = this.stage, ratio = devicePixelRatio, [left, top, right, bottom] = this.due;
    this.due = null;
    const from = view.onScreen({ x: left, y: top }), to = view.onScreen({ x: right, y: bottom });
    const x = Math.max(0, Math.floor(from.x * ratio) - 4), y = Math.max(0, Math.floor(from.y * ratio) - 4);
    const width = Math.min(this.canvas.width, Math.ceil(to.x * ratio) + 4) - x;
    const height = Math.min(this.canvas.height, Math.ceil(to.y * ratio) + 4) - y;
    if (width <= 0 || height <= 0) return;
    this.context.clearRect(x, y, width, height);
    for (const each of this.colourings) if (each.colouring.canvas) this.paintOne(each, x, y, width, height);
  }

  /** One mask within a box of the screen: its colour, hatched, with a border around it. */
  paintOne({ colouring, hatch: lines }, x, y, width, height) {
    const { scratch } = this;
    if (scratch.canvas.width < width || scratch.canvas.height < height) {
      scratch.canvas.width = Math.max(scratch.canvas.width, width);
      scratch.canvas.height = Math.max(scratch.canvas.height, height);
    }
    const drawn = (dx, dy) => this.drawMask(scratch, colouring.canvas, { x: x - dx, y: y - dy, width, height });
    scratch.setTransform(1, 0, 0, 1, 0, 0);
    scratch.globalCompositeOperation = "source-over";
    scratch.clearRect(0, 0, width, height);
    for (const [dx, dy] of [[-2, 0], [2, 0], [0, -2], [0, 2]]) drawn(dx, dy);
    scratch.setTransform(1, 0, 0, 1, 0, 0);
    scratch.globalCompositeOperation = "source-in";
    scratch.fillStyle = "#fff";
    scratch.fillRect(0, 0, width, height);
    scratch.globalCompositeOperation = "source-over";
    drawn(0, 0);
    scratch.globalCompositeOperation = "source-atop";
    scratch.setTransform(1, 0, 0, 1, -x % HATCH, -y % HATCH);
    scratch.fillStyle = lines;
    scratch.fillRect(0, 0, width + 2 * HATCH, height + 2 * HATCH);
    this.context.drawImage(scratch.canvas, 0, 0, width, height, x, y, width, height);
  }

  drawMask(context, source, { x, y, width: shownWidth, height: shownHeight }) {
    const { view } = this.stage, ratio = devicePixelRatio, scale = view.scale * ratio;
    context.imageSmoothingEnabled = false;
    context.setTransform(scale, 0, 0, scale, view.x * ratio - x, view.y * ratio - y);
    const left = Math.max(0, Math.floor((x - view.x * ratio) / scale) - 1);
    const top = Math.max(0, Math.floor((y - view.y * ratio) / scale) - 1);
    const width = Math.min(view.width - left, Math.ceil(shownWidth / scale) + 3);
    const height = Math.min(view.height - top, Math.ceil(shownHeight / scale) + 3);
    if (width > 0 && height > 0) context.drawImage(source, left, top, width, height, left, top, width, height);
  }
}

function hatch(polarity) {
  const tile = new OffscreenCanvas(HATCH, HATCH);
  const context = tile.getContext("2d");
  context.strokeStyle = "rgba(255, 255, 255, 0.55)";
  context.lineWidth = 1.5;
  const slope = polarity === "irrelevant" ? 1 : -1;
  for (const shift of [-HATCH, 0, HATCH]) {
    context.moveTo(shift, slope > 0 ? HATCH : 0);
    context.lineTo(shift + HATCH, slope > 0 ? 0 : HATCH);
  }
  context.stroke();
  return context.createPattern(tile, "repeat");
}

/** Lines above a stage that keep their width at any scale. */
export class LineLayer {
  constructor(stage) {
    this.stage = stage;
    this.group = svg("g");
    this.labels = [];
    this.node = svg("svg", { class: "lines", "aria-hidden": "true" }, this.group);
    stage.box.append(this.node);
  }

  redraw() {
    const { view } = this.stage;
    this.group.setAttribute("transform", `translate(${view.x} ${view.y}) scale(${view.scale})`);
    for (const { node, at } of this.labels) {
      const { x, y } = view.onScreen(at);
      node.setAttribute("transform", `translate(${x + 4} ${y + 4})`);
    }
  }

  /** A few characters that keep their size at any scale, below and right of a place in the picture. */
  label(words, at) {
    const node = svg("g", { class: "label" }, svg("rect", { width: 18, height: 18, rx: 4 }), svg("text", { x: 9, y: 13.5 }, words));
    this.labels.push({ node, at });
    this.node.append(node);
    return node;
  }

  /** A line with a light border, whose path can be changed. */
  add(kind, path = "") {
    const parts = ["halo", "line"].map((name) => svg("path", { class: `${name} ${kind}`, d: path, "vector-effect": "non-scaling-stroke" }));
    const node = svg("g", {}, parts);
    this.group.append(node);
    return { node, path: (d) => parts.forEach((part) => part.setAttribute("d", d)) };
  }
}
