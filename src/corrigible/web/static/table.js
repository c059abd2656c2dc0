// A row of a table to review: the share of each feature beside its value and where that lies among all rows; features to
// mark, and values to change.
import { button, colourKey, el, percent, settled } from "./dom.js";
import { FeatureMarks } from "./marks.js";
import { whyNot } from "./whynot.js";

/** Builds the view of a row; `context` offers changed(), announce(words), whatif(values), whynot(wanted) and predicted(…). */
export async function mountTable(item, context) {
  return new TableWork(item, context);
}

class TableWork {
  constructor(item, context) {
    Object.assign(this, { item, context });
    this.marks = new FeatureMarks(() => this.changed());
    this.values = {};
    this.asked = 0;
    this.isChanging = false;
    this.ask = settled(200, () => this.whatif());
    this.rows = new Map(item.table.map((entry) => [entry.feature, this.row(entry)]));
    this.changeButton = button("What if …", () => this.change(), { "aria-pressed": "false", title: "Change values and see the prediction move (W)" });
    this.resetButton = button("Back to the values of the row", () => this.reset(), { hidden: true });
    this.why = whyNot(item.others, {
      ask: (wanted) => context.whynot(wanted), show: (values) => this.show(values), mark: (features) => this.marks.set(features, "irrelevant"),
    });
    this.node = el("div", { class: "table-work" },
      el("p", { class: "key-line" },
        colourKey(item.prediction),
        el("span", { class: "buttons" }, this.changeButton, this.resetButton)),
      this.why?.node,
      el("p", { class: "features-head", "aria-hidden": "true" }, ["Feature", "Value", "Against or for", "Share", "Among all rows", ""].map((words) => el("span", {}, words))),
      el("ul", { class: "features" }, [...this.rows.values()].map((row) => row.node)));
    this.draw(item.table);
    this.changed();
  }

  row(entry) {
    const mark = button("", () => this.marks.toggle([entry.feature]), { class: "mark-one", "aria-pressed": "false" });
    const bar = el("i"), before = el("i", { class: "before" }), share = el("span", { class: "number" });
    const field = entryField(entry, (value) => this.edited(entry.feature, value));
    const shown = el("span", { class: "value" }, written(entry));
    const dot = el("i", { class: "dot" });
    const node = el("li", {},
      el("span", { class: "name" }, entry.title), el("span", { class: "value-cell" }, shown, field),
      el("span", { class: "track" }, before, bar), share,
      population(entry, dot), mark);
    return { node, mark, bar, before, share, field, shown, dot, entry };
  }

  /** Draws shares, and beside them those of the row as it is where values were changed. */
  draw(table) {
    const sizes = [...table, ...this.item.table].map(({ share }) => Math.abs(share));
    const largest = Math.max(...sizes, 1e-9);
    const own = new Map(this.item.table.map(({ feature, share }) => [feature, share]));
    for (const entry of table) {
      const row = this.rows.get(entry.feature);
      place(row.bar, entry.share, largest);
      place(row.before, table === this.item.table ? 0 : own.get(entry.feature), largest);
      row.share.textContent = percent(entry.share, { signed: true });
      if (entry.population) row.dot.style.left = `${100 * entry.population.at}%`;
    }
  }

  changed() {
    for (const [feature, { mark, node, entry }] of this.rows) {
      const polarity = this.marks.of(feature);
      const words = { irrelevant: "must not matter", relevant: "should matter" };
      mark.setAttribute("aria-pressed", String(Boolean(polarity)));
      mark.textContent = polarity ? words[polarity] : "mark";
      mark.setAttribute("aria-label", `${mark.textContent}: ${entry.title}${polarity ? "" : ` ${words[this.marks.polarity]}`}`);
      node.dataset.marked = polarity || "";
    }
    this.context.changed();
  }

  change(isChanging = !this.isChanging) {
    this.isChanging = isChanging;
    this.changeButton.setAttribute("aria-pressed", String(isChanging));
    this.node.classList.toggle("is-changing", isChanging);
    if (isChanging) this.rows.values().next().value?.field.focus();
    else this.reset();
  }

  /** Writes values of features into the row, in place of others that were tried. */
  show(values) {
    if (!this.isChanging) this.change(true);
    this.restoreFields();
    for (const [feature, value] of Object.entries(values)) {
      const { field, entry } = this.rows.get(feature);
      field.value = entry.kind === "number" ? plain(value) : value;
    }
    this.values = { ...values };
    this.resetButton.hidden = false;
    this.whatif();
  }

  edited(feature, value) {
    if (value === null) delete this.values[feature];
    else this.values[feature] = value;
    this.resetButton.hidden = false;
    this.ask();
  }

  async whatif() {
    const turn = ++this.asked;
    try {
      const found = await this.context.whatif({ ...this.values });
      if (turn !== this.asked) return;
      this.draw(found.table);
      this.context.predicted(found.prediction, found.certainty);
      this.context.announce(`The model would say ${found.prediction}.`);
    } catch (error) {
      if (turn === this.asked) this.context.announce(error.message);
    }
  }

  reset() {
    this.asked += 1;
    this.values = {};
    this.restoreFields();
    this.why?.clear();
    this.resetButton.hidden = true;
    this.draw(this.item.table);
    this.context.predicted(null);
  }

  restoreFields() {
    for (const { field, entry } of this.rows.values()) field.value = entry.kind === "number" ? plain(entry.value) : entry.value;
  }

  // What every kind of item offers.
  get isEmpty() { return this.marks.isEmpty; }
  async regions() { return this.marks.regions((names) => [{ type: "features", names }]); }
  setPolarity(polarity) { this.marks.polarity = polarity; this.changed(); }
  namesOf(id) { return this.item.proposals.find((each) => each.id === id)?.region.names ?? []; }
  chosen(id) { return this.marks.ofAll(this.namesOf(id)); }
  choose(id) { this.marks.toggle(this.namesOf(id)); }
  point(id) {
    const names = id === null ? [] : this.namesOf(id);
    for (const [feature, { node }] of this.rows) node.classList.toggle("is-pointed", names.includes(feature));
  }
  async restore(says) { for (const { polarity, region } of says) this.marks.set(region.names, polarity); }
  back() { return this.marks.back(); }
  forward() { return this.marks.forward(); }
  get keys() {
    return [{ key: "w", words: "What if: change values", act: () => this.change() }];
  }
}

function written({ value, unit }) {
  return `${String(value).replace(/^-/, "−")}${unit ? ` ${unit}` : ""}`;
}

function place(bar, share, largest) {
  const isFor = share >= 0;
  bar.className = `${bar.classList.contains("before") ? "before " : ""}${isFor ? "for" : "against"}`;
  bar.style.width = `${(50 * Math.abs(share)) / largest}%`;
}

/** Where the value lies among all rows: a line from the low to the high end with a dot. */
function population(entry, dot) {
  if (!entry.population) return el("span", { class: "population" });
  const { low, median, high } = entry.population;
  return el("span", { class: "population", role: "img", "aria-label": `among all rows from ${low} to ${high}, in the middle ${median}` },
    el("span", { class: "line" }, dot), el("small", {}, el("span", {}, String(low)), el("span", {}, String(high))));
}

/** A number as a field takes it, without narrow spaces and with a hyphen; empty where it is unknown. */
function plain(value) {
  const found = String(value).replace(/\s/g, "").replace("−", "-");
  return Number.isNaN(Number(found)) ? "" : found;
}

function entryField({ title, kind, value, levels, min, max }, edited) {
  const label = `What if ${title} were`;
  if (kind === "number") {
    const field = el("input", {
      type: "number", step: "any", min, max, value: plain(value), "aria-label": label, class: "field",
      oninput: () => edited(field.value === "" ? null : Number(field.value)),
    });
    return field;
  }
  const field = el("select", { "aria-label": label, class: "field", onchange: () => edited(field.value) },
    (levels || [value]).map((level) => el("option", { value: level }, String(level))));
  field.value = value;
  return field;
}
