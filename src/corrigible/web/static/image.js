// An image to review: the picture with its heat, proposals as outlines, and tools to mark what is meant.
import { LineLayer, MarkLayer, Stage } from "./canvas.js";
import { button, colourKey, el } from "./dom.js";
import { Marking } from "./marking.js";
import { maskOf, outlineOf, pathOf, picture, segmentsOf } from "./pixels.js";
import { Pointing } from "./pointing.js";
import { TOOLS, Tools } from "./tools.js";
import { View } from "./view.js";

const HEAT_AT_FIRST = 55;

/** Builds the view of an image; `context` offers announce(words), changed() and explain(method). */
export async function mountImage(item, context) {
  return new ImageWork(item, context, await picture(item.image.picture));
}

/** When the browser has drawn what is there: what takes long then delays nothing that can be seen. */
function drawn() {
  return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

class ImageWork {
  constructor(item, context, base) {
    const { image } = item;
    this.item = item;
    this.context = context;
    this.view = new View(image.width, image.height);
    this.stage = new Stage(this.view, { image: base, hasMap: Boolean(image.map), pixelated: image.pixelated, label: `The picture ${item.name}` });
    this.twin = new Stage(this.view, { image: base, hasMap: Boolean(image.map), pixelated: image.pixelated, label: "The same picture with what the model looks at" });
    this.marking = new Marking(image.width, image.height, {
      touched: (box, mask) => this.marks.touch(box, mask),
      changed: () => this.changed(),
    });
    this.marks = new MarkLayer(this.stage, this.marking.masks);
    this.lines = new LineLayer(this.stage);
    this.proposals = [];
    this.tools = new Tools(this);
    this.tools.size = Math.max(1, Math.round(Math.max(image.width, image.height) / 18));
    this.isBeside = false;
    this.prepareStage();
    this.build(Boolean(image.map));
    this.heat(HEAT_AT_FIRST);
    this.ready = drawn().then(() => this.loadMap()).then(() => this.loadProposals()).catch(() => this.announce("The proposals could not be loaded."));
  }

  // What the tools ask for.
  scale() { return this.view.scale; }
  announce = (words) => this.context.announce(words);
  segments = () => (this.labels ??= segmentsOf(this.item.image.segments, this.view.width, this.view.height));

  prepareStage() {
    const { box } = this.stage;
    Object.entries({
      tabindex: 0, role: "application", "aria-roledescription": "picture to mark",
      "aria-label": `The picture ${this.item.name}. Arrow keys move a cross, the space bar uses the tool there.`,
    }).forEach(([name, value]) => box.setAttribute(name, value));
    this.pointing = new Pointing({
      box, view: this.view, tools: this.tools, lines: this.lines,
      redrawn: () => this.redraw(), announce: (words) => this.announce(words),
    });
    for (const stage of [this.stage, this.twin]) stage.box.style.aspectRatio = `${this.view.width} / ${this.view.height}`;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(box);
  }

  build(hasMap) {
    this.toolbar = el("div", { class: "tools", role: "toolbar", "aria-label": "Tools" },
      TOOLS.filter((tool) => tool.name !== "wand" || this.item.image.segments).map((tool) => button(tool.words, () => this.use(tool.name), {
        "data-tool": tool.name, "aria-pressed": "false", title: `${tool.words}: ${tool.help} (${tool.key.toUpperCase()})`,
      })));
    this.sizing = el("input", {
      type: "range", min: 1, max: Math.max(3, Math.round(Math.max(this.view.width, this.view.height) / 3)), value: this.tools.size,
      oninput: () => this.resizeBrush(Number(this.sizing.value)),
    });
    this.undo = button("Undo", () => this.back(), { title: "Undo (Z)" });
    this.redo = button("Redo", () => this.forward(), { title: "Redo (Shift Z)" });
    const zoom = el("div", { class: "group" },
      button("−", () => this.zoom(1 / 1.5), { "aria-label": "Zoom out", title: "Zoom out (−)" }),
      button("Fit", () => this.fit(), { title: "The whole picture (0)" }),
      button("+", () => this.zoom(1.5), { "aria-label": "Zoom in", title: "Zoom in (+)" }));
    this.twinBox = el("div", { class: "beside", hidden: true }, this.twin.box);
    this.node = el("div", { class: "image-work" },
      el("div", { class: "bar-of-tools" }, this.toolbar,
        this.sizeField = el("label", { class: "slider", hidden: true }, "Size ", this.sizing),
        el("div", { class: "group" }, this.undo, this.redo), zoom),
      el("div", { class: "stages" }, this.stage.box, this.twinBox),
      hasMap ? this.heatBar() : el("p", { class: "muted" }, "There is no map of this picture."));
    this.use(this.item.proposals.length ? "choose" : "brush");
    this.changed();
  }

  heatBar() {
    const methods = this.item.methods || [this.item.method];
    this.slider = el("input", { type: "range", min: 0, max: 100, step: 5, oninput: () => this.heat(Number(this.slider.value)) });
    this.menu = el("select", { onchange: () => this.explain(this.menu.value) },
      methods.map(({ name, title }) => el("option", { value: name, selected: name === this.item.method.name }, title)));
    this.besideButton = button("Side by side", () => this.beside(), { "aria-pressed": "false", title: "Side by side (D)" });
    return el("div", { class: "heat-bar" },
      el("label", { class: "slider" }, "Heat ", this.slider),
      el("label", {}, "Explained by ", this.menu), this.besideButton,
      el("span", { class: "muted" }, colourKey(this.item.prediction, { fullAt: this.item.image.full_at, part: "pixel", thing: "image" })));
  }

  async loadMap() {
    if (!this.item.image.map) return;
    const map = await picture(this.item.image.map).catch(() => null);
    if (map) for (const stage of [this.stage, this.twin]) stage.setMap(map);
    else this.announce("The map could not be loaded.");
  }

  async loadProposals() {
    const { width, height } = this.view;
    const masks = this.item.proposals.filter(({ region }) => region.type === "mask");
    const found = await Promise.all(masks.map(async (each) => ({ ...each, mask: await maskOf(each.region.png, width, height) })));
    this.proposals.push(...found);
    for (const each of found) {
      each.outline = this.lines.add("proposal", each.outlines?.length ? pathOf(each.outlines) : outlineOf(each.mask));
      this.lines.label(String(this.item.proposals.findIndex(({ id }) => id === each.id) + 1), firstPixel(each.mask));
    }
    this.lines.redraw();
    for (const { region } of this.item.said) {
      if (region?.type === "mask") this.lines.add("said", outlineOf(await maskOf(region.png, width, height)));
    }
    this.changed();
  }

  use(name) {
    this.tools.use(name);
    for (const each of this.toolbar.children) each.setAttribute("aria-pressed", String(each.dataset.tool === name));
    this.stage.box.dataset.tool = name;
    this.sizeField.hidden = name !== "brush" && name !== "eraser";
  }

  resizeBrush(size) {
    this.tools.size = Math.min(Number(this.sizing.max), Math.max(1, size));
    this.sizing.value = this.tools.size;
  }

  heat(strength) {
    this.strength = strength;
    if (this.slider) this.slider.value = strength;
    if (this.stage.heat) this.stage.heat.canvas.style.opacity = this.isBeside ? 0 : strength / 100;
    if (this.twin.heat) this.twin.heat.canvas.style.opacity = Math.max(strength, 40) / 100;
  }

  beside() {
    this.isBeside = !this.isBeside;
    this.besideButton?.setAttribute("aria-pressed", String(this.isBeside));
    this.twinBox.hidden = !this.isBeside;
    this.node.classList.toggle("is-beside", this.isBeside);
    this.heat(this.strength);
    this.resize();
  }

  async explain(method) {
    this.announce("The explanation is being computed.");
    const found = await this.context.explain(method);
    const map = await picture(found.image.map);
    for (const stage of [this.stage, this.twin]) stage.setMap(map);
    this.announce(`Explained by ${found.method.title}.`);
  }

  resize() {
    const { clientWidth, clientHeight } = this.stage.box;
    this.view.resize(clientWidth, clientHeight);
    this.stage.resize();
    if (this.isBeside) this.twin.resize();
    this.redraw();
  }

  redraw() {
    this.stage.redraw();
    if (this.isBeside) this.twin.redraw();
    this.marks.redraw();
    this.lines.redraw();
  }

  zoom(factor) {
    this.view.zoom(factor);
    this.redraw();
  }

  fit() {
    this.view.fit();
    this.redraw();
  }

  changed() {
    this.undo.disabled = !this.marking.history.done.length;
    this.redo.disabled = !this.marking.history.undone.length;
    for (const { id, outline } of this.proposals) outline.node.dataset.chosen = this.marking.chosen.get(id) || "";
    this.context.changed();
  }

  // What every kind of item offers.
  get isEmpty() { return this.marking.isEmpty; }
  regions() { return this.marking.regions(this.proposals); }
  setPolarity(polarity) { this.marking.polarity = polarity; }
  chosen(id) { return this.marking.chosen.get(id); }
  async choose(id) {
    await this.ready;
    this.tools.cancel();
    this.marking.toggle(this.proposals.find((each) => each.id === id));
  }
  point(id) { for (const each of this.proposals) each.outline.node.classList.toggle("is-pointed", each.id === id); }
  async restore(says) {
    await this.ready;
    for (const { polarity, region } of says) {
      const mask = await maskOf(region.png, this.view.width, this.view.height);
      this.marking.once((own, value) => own.of(mask, value), { polarity });
    }
  }
  back() { this.tools.cancel(); return this.marking.back(); }
  forward() { return this.marking.forward(); }
  destroy() { this.observer.disconnect(); }

  get keys() {
    const tools = TOOLS.filter((tool) => tool.name !== "wand" || this.item.image.segments);
    return [
      ...tools.map((tool) => ({ key: tool.key, words: `${tool.words}: ${tool.help}`, act: () => this.use(tool.name) })),
      { key: "[", words: "Smaller brush", act: () => this.resizeBrush(Math.floor(this.tools.size / 1.3)) },
      { key: "]", words: "Larger brush", act: () => this.resizeBrush(Math.ceil(this.tools.size * 1.3)) },
      { key: "+", words: "Zoom in", act: () => this.zoom(1.5) },
      { key: "-", shown: "−", words: "Zoom out", act: () => this.zoom(1 / 1.5) },
      { key: "0", words: "The whole picture", act: () => this.fit() },
      { key: "h", words: "Heat on or off", act: () => this.heat(this.strength ? 0 : HEAT_AT_FIRST) },
      { key: "d", words: "Side by side", act: () => this.beside() },
    ];
  }
}

function firstPixel(mask) {
  const place = mask.data.indexOf(1);
  return { x: place % mask.width, y: Math.floor(place / mask.width) };
}
