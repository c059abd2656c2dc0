// One item to review, of any kind. It knows no address but those in the item, and asks all else of its `transport`:
// answer(body), whatif(values), whynot(wanted), taught(item), count(body), next(), explain(method), reviewer(), and where
// there are names to ask for introduce(place, then); so a notebook can show it too.
import { button, capitalised, chance, el, plural } from "./dom.js";
import { mountImage } from "./image.js";
import { Shortcuts } from "./keys.js";
import { newKey } from "./memory.js";
import { Panel, THINGS } from "./panel.js";
import { mountTable } from "./table.js";
import { taughtBy } from "./taught.js";
import { mountText } from "./text.js";

const KINDS = { image: mountImage, table: mountTable, text: mountText };

/** Shows the item in the root and, after each answer, the next one there. Returns {destroy}. */
export async function mountItem(root, item, transport, { keyTarget = document } = {}) {
  const session = new Session(root, transport, keyTarget);
  await session.show(item);
  return session;
}

class Session {
  constructor(root, transport, keyTarget) {
    this.root = root;
    this.transport = transport;
    this.live = el("p", { class: "announced", "aria-live": "polite" });
    this.place = el("div", { class: "item" });
    root.replaceChildren(this.place, this.live);
    this.shortcuts = new Shortcuts(keyTarget, () => this.keys());
    this.clock = new Clock();
  }

  announce(words) {
    this.live.textContent = words;
  }

  async show(item) {
    this.work?.destroy?.();
    this.work = null;
    this.item = item;
    this.panel = new Panel(item, {
      count: (body) => this.transport.count(body),
      work: () => this.work,
      answer: (answer) => this.answer(answer),
      help: () => this.shortcuts.help(),
    });
    const seen = el("div", { class: "see" }, el("p", { class: "muted" }, "Loading"));
    this.place.dataset.kind = item.kind;
    this.place.replaceChildren(head(item), el("div", { class: "work" }, seen, this.panel.node));
    const work = await this.mounted(item).catch((error) => {
      const again = button("Try again", () => this.show(item), { class: "main" });
      seen.replaceChildren(el("p", { class: "trouble", role: "alert" }, `This cannot be shown now: ${error.message}`), again);
      return null;
    });
    if (!work) return;
    if (this.item !== item) {
      work.destroy?.();
      return;
    }
    this.work = work;
    seen.replaceChildren(work.node, taughtBy(item, this.transport));
    this.panel.begin();
    this.clock.start();
    requestAnimationFrame(() => setTimeout(() => performance.mark("first-view")));
  }

  mounted(item) {
    return KINDS[item.kind](item, {
      announce: (words) => this.announce(words),
      changed: () => this.panel.changed(),
      explain: (method) => this.transport.explain(method),
      whatif: (values) => this.transport.whatif(values),
      whynot: (wanted) => this.transport.whynot(wanted),
      predicted: (prediction, certainty) => this.predicted(prediction, certainty),
      scope: () => this.panel.scope,
    });
  }

  /** What the model would say of changed values; null for the values of the row. */
  predicted(prediction, certainty) {
    const place = this.place.querySelector(".if-changed");
    place.textContent = prediction === null ? "" : ` → ${prediction}${certainty ? ` (${chance(certainty)})` : ""}`;
  }

  async answer(answer) {
    const { item, panel } = this;
    await panel.choosing;
    if (this.isMoving || this.item !== item) return;
    const { work } = this;
    const says = answer === "marked" ? (await work.regions()).map((each) => ({ ...each, scope: panel.scope })) : [];
    if (answer === "marked" && !says.length) {
      panel.problem("Nothing is marked yet. If there is nothing to mark, choose one of the answers below.");
      return;
    }
    if (this.transport.introduce?.(panel.introduction, () => this.answer(answer))) return;
    this.isMoving = true;
    this.place.setAttribute("aria-busy", "true");
    try {
      await this.transport.answer({
        key: newKey(), split: item.split, row: item.row, name: item.name, version: item.version, fingerprint: item.fingerprint,
        author: this.transport.reviewer(), seconds: this.clock.seconds(), answer, note: panel.note, says,
        shown: item.proposals.map(({ id }) => id),
      });
      const next = await this.transport.next();
      if (next.done) this.finish(next.sentence);
      else await this.show(next);
      if (!next.done) this.panel.tell(this.transport.told?.(item) ?? "");
      if (!next.done) this.announce(`Next: ${next.name}`);
    } catch (error) {
      this.panel.problem(error.message);
    } finally {
      this.isMoving = false;
      this.place.removeAttribute("aria-busy");
    }
  }

  /** Puts back what an answer of before says: its marks, where they hold, and why. */
  async restore({ says, note }) {
    if (!this.work) return;
    await this.work.restore(says);
    this.panel.restore({ scope: says[0]?.scope ?? "row", note });
  }

  finish(sentence) {
    this.work?.destroy?.();
    this.work = null;
    this.panel = null;
    this.place.replaceChildren(el("p", { class: "lead" }, sentence));
  }

  keys() {
    if (!this.panel) return [];
    if (!this.work) return this.panel.keys;
    return [
      ...this.panel.keys,
      { key: "z", words: "Undo", act: () => this.work.back() },
      { key: "z", isShift: true, words: "Redo", act: () => this.work.forward() },
      ...this.work.keys,
    ];
  }

  destroy() {
    this.shortcuts.destroy();
    this.work?.destroy?.();
  }
}

function head(item) {
  const verdict = item.is_right === null ? "" : item.is_right ? "right" : "wrong";
  return el("header", { class: "item-head" },
    el("h1", {}, item.name),
    el("p", { class: "facts" },
      el("span", {}, "Label ", el("strong", {}, item.label)),
      el("span", {}, "The model says ", el("strong", {}, item.prediction), item.certainty ? ` (${chance(item.certainty)})` : "", el("span", { class: "if-changed" })),
      verdict ? el("span", { class: `badge ${verdict}` }, verdict) : null,
      item.left ? el("span", { class: "muted" }, `${plural(item.left, THINGS[item.kind])} left`) : null),
    item.explains ? el("p", { class: "explains" }, capitalised(item.explains)) : null);
}

/** Seconds that an item was looked at: a hidden page does not count. */
class Clock {
  constructor() {
    this.start();
    document.addEventListener("visibilitychange", () => (document.hidden ? this.stop() : this.resume()));
  }

  start() {
    this.spent = 0;
    this.since = document.hidden ? null : performance.now();
  }

  stop() {
    this.spent = this.seconds();
    this.since = null;
  }

  resume() {
    this.since ??= performance.now();
  }

  seconds() {
    return this.spent + (this.since === null ? 0 : (performance.now() - this.since) / 1000);
  }
}
