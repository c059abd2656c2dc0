// Loss and quality per epoch, as they come: small charts that grow, below the name of the model that is trained.
import { el, number, svg } from "./dom.js";

const WIDTH = 300, HEIGHT = 96, EDGE = 6;

export class Curves {
  constructor() {
    this.node = el("div", { class: "trainings" });
    this.charts = null;
  }

  /** Whether a model is being trained. */
  get isDrawing() {
    return this.charts !== null;
  }

  /** The training of another model begins; those before stay. */
  begin(name) {
    this.charts = new Map();
    this.row = el("div", { class: "curves" });
    this.node.append(el("section", { class: "training", "aria-label": `Training of “${name}”` }, el("h2", {}, name), this.row));
  }

  end() {
    this.charts = null;
  }

  add({ number: epoch, num_epochs: epochs, loss, penalties = {}, validation = {} }) {
    if (!this.charts) this.begin("training");
    const values = { loss, ...penalties, ...Object.fromEntries(Object.entries(validation).map(([name, value]) => [`validation ${name}`, value])) };
    for (const [name, value] of Object.entries(values)) if (Number.isFinite(value)) this.chart(name.replaceAll("_", " ")).add(epoch, epochs, value);
  }

  chart(name) {
    if (!this.charts.has(name)) {
      const made = new Chart(name);
      this.charts.set(name, made);
      this.row.append(made.node);
    }
    return this.charts.get(name);
  }
}

class Chart {
  constructor(name) {
    this.points = [];
    this.line = svg("polyline", { class: "curve" });
    this.dot = svg("circle", { class: "curve-end", r: 3 });
    this.latest = el("span", { class: "number" });
    this.least = svg("text", { x: 2, y: HEIGHT - 2, class: "end" });
    this.most = svg("text", { x: 2, y: 11, class: "end" });
    this.node = el("figure", { class: "chart" },
      el("figcaption", {}, name, " ", this.latest),
      svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${name} per epoch` }, this.line, this.dot, this.least, this.most));
  }

  add(epoch, epochs, value) {
    if (this.points.length && epoch <= this.points.at(-1)[0]) this.points = [];
    this.points.push([epoch, value]);
    const values = this.points.map((point) => point[1]);
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    const x = (at) => 44 + ((at - 1) / Math.max(1, epochs - 1)) * (WIDTH - 44 - EDGE);
    const y = (at) => HEIGHT - EDGE - ((at - low) / span) * (HEIGHT - 2 * EDGE);
    this.line.setAttribute("points", this.points.map(([at, found]) => `${x(at).toFixed(1)},${y(found).toFixed(1)}`).join(" "));
    this.dot.setAttribute("cx", x(epoch));
    this.dot.setAttribute("cy", y(value));
    this.latest.textContent = number(value);
    this.least.textContent = number(low, 2);
    this.most.textContent = high > low ? number(high, 2) : "";
  }
}
