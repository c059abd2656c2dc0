// What a reviewer says about an item: proposals to choose, what a mark means, where it applies, and the answers.
import { button, choice, el, percent, plural, settled, when } from "./dom.js";

const POLARITIES = { irrelevant: "Must not matter", relevant: "Should matter" };
const ANSWERS = [
  { answer: "nothing wrong", key: "n", words: "Nothing wrong" },
  { answer: "label is wrong", key: "l", words: "Label is wrong" },
  { answer: "not sure", key: "u", words: "Not sure" },
  { answer: "skipped", key: "x", words: "Skip" },
];
export const THINGS = { image: "image", table: "row", text: "text" };
let latest = 0;

export class Panel {
  /** `work()` is the view of the item, `answer(answer)` gives an answer, `count(body)` says how many a rule is about. */
  constructor(item, { work, answer, count, help }) {
    Object.assign(this, { item, work, answer, count, help });
    this.polarity = "irrelevant";
    this.scope = "row";
    this.number = ++latest;
    this.choosing = new Promise((resolve) => { this.isReady = resolve; });
    this.ask = settled(250, () => this.counted());
    this.node = el("div", { class: "say" }, this.parts());
  }

  /** Whether labels are classes; amounts have no rows of the same label. */
  get hasClasses() {
    return this.item.is_right !== null;
  }

  parts() {
    const thing = THINGS[this.item.kind];
    this.proposals = el("ol", { class: "proposals" }, this.item.proposals.map((each, place) => this.proposal(each, place)));
    this.meaning = choice("What I mark", `polarity-${this.number}`, Object.entries(POLARITIES), this.polarity, (value) => this.setPolarity(value));
    this.where = choice("It holds for", `scope-${this.number}`,
      [["row", `this ${thing}`], ...(this.hasClasses ? [["class", `all “${this.item.label}”`]] : []), ["dataset", `every ${thing}`]], this.scope, (value) => this.setScope(value));
    this.counts = el("p", { class: "counts", "aria-live": "polite" });
    this.noteField = el("input", { type: "text", maxlength: 500, placeholder: "optional", autocomplete: "off" });
    this.save = button("", () => this.answer("marked"), { class: "main save", title: "Save and next (Enter)" });
    this.introduction = el("div", { class: "introduction" });
    this.trouble = el("p", { class: "trouble", role: "alert" });
    this.told = el("p", { class: "told", role: "status" });
    return [
      el("section", {}, el("h2", {}, "What the model looks at"), this.order(), this.proposals,
        this.item.absence ? el("p", { class: "absence" }, this.item.absence) : null),
      el("section", { class: "mark" }, this.meaning, this.where, this.counts,
        el("label", { class: "note" }, "Why ", this.noteField)),
      el("section", { class: "answers" }, this.introduction, this.trouble, this.told, this.save, ANSWERS.map(({ answer, key, words }) =>
        button(words, () => this.answer(answer), { title: `${words} (${key.toUpperCase()})`, "data-answer": answer })),
      button(["All of it by keyboard: ", el("kbd", {}, "?")], () => this.help(), { class: "keys-hint" })),
      this.item.said.length ? el("section", { class: "said" }, el("h2", {}, "Remarks so far"), el("ul", {}, this.item.said.map(remark))) : null,
    ];
  }

  /** What the numbers beside proposals are, and in which order they stand. */
  order() {
    const { proposals } = this.item;
    if (!proposals.length) return null;
    const isByEffect = proposals.some(({ effect }) => Number.isFinite(effect));
    return el("p", { class: "order" }, el("span", {}, isByEffect ? "Strongest effect first" : "Largest share first"), el("span", {}, "Share of the explanation"));
  }

  proposal({ id, title, share }, place) {
    return el("li", {}, el("button", {
      type: "button", "aria-pressed": "false", "data-proposal": id,
      onclick: () => this.choose(id),
      onpointerenter: () => this.work()?.point?.(id), onpointerleave: () => this.work()?.point?.(null),
      onfocus: () => this.work()?.point?.(id), onblur: () => this.work()?.point?.(null),
    }, el("kbd", {}, String(place + 1)), el("strong", {}, title), el("small", {}, share === null ? "suspected" : percent(share))));
  }

  /** The view of the item is there; what was chosen before that is chosen now. */
  begin() {
    this.setPolarity(this.polarity);
    this.changed();
    this.isReady();
  }

  get note() {
    return this.noteField.value.trim();
  }

  restore({ scope, note }) {
    this.noteField.value = note;
    this.setScope(scope);
  }

  choose(id) {
    this.choosing = this.choosing.then(() => this.work()?.choose(id));
  }

  setPolarity(polarity) {
    this.polarity = polarity;
    this.meaning.choose(polarity);
    this.work()?.setPolarity(polarity);
    this.node.dataset.polarity = polarity;
  }

  setScope(scope) {
    this.scope = scope;
    this.where.choose(scope);
    this.changed();
  }

  /** The marks, or where they apply, are others than before. */
  changed() {
    const work = this.work();
    if (!work) return;
    for (const each of this.proposals.querySelectorAll("button")) {
      const chosen = work.chosen(each.dataset.proposal);
      each.setAttribute("aria-pressed", String(Boolean(chosen)));
      each.dataset.chosen = chosen || "";
    }
    if (!work.isEmpty) this.problem("");
    this.save.textContent = "Save and next";
    this.save.setAttribute("aria-disabled", String(work.isEmpty));
    this.counts.textContent = this.scope === "row" || work.isEmpty ? "" : `Counting the ${THINGS[this.item.kind]}s that this is about`;
    if (this.counts.textContent) this.ask();
  }

  /** Says about how many rows a rule is, before it is saved. */
  async counted() {
    const { scope } = this;
    const regions = await this.work().regions();
    try {
      const found = await Promise.all(regions.map(({ region }) =>
        this.count({ region, scope, label: this.item.label, split: this.item.split, row: this.item.row })));
      if (scope !== this.scope || this.work()?.isEmpty) return;
      this.counts.textContent = found.map(({ sentence }) => sentence).join(" ");
      if (found.length === 1) this.save.textContent = `Save for ${plural(found[0].rows, THINGS[this.item.kind])} and next`;
    } catch (error) {
      this.counts.textContent = `How many ${THINGS[this.item.kind]}s this is about is not known: ${error.message}`;
    }
  }

  /** What became of the answer before. */
  tell(words) {
    this.told.textContent = words;
  }

  problem(words) {
    this.trouble.textContent = words;
  }

  get keys() {
    const chosen = this.item.proposals.slice(0, 9).map(({ id, title }, place) => ({ key: String(place + 1), words: title, act: () => this.choose(id) }));
    const scopes = this.hasClasses ? ["row", "class", "dataset"] : ["row", "dataset"];
    return [
      { key: "Enter", words: "Save what is marked, and next", act: () => this.answer("marked") },
      ...ANSWERS.map(({ answer, key, words }) => ({ key, words, act: () => this.answer(answer) })),
      ...chosen,
      { key: "m", words: "Mark what must not matter", act: () => this.setPolarity("irrelevant") },
      { key: "s", words: "Mark what should matter", act: () => this.setPolarity("relevant") },
      { key: "a", words: "Where it holds: this one, its class, all", act: () => this.setScope(scopes[(scopes.indexOf(this.scope) + 1) % scopes.length]) },
    ];
  }
}

function remark({ author, at, polarity, text, note }) {
  const meant = POLARITIES[polarity] ? POLARITIES[polarity].toLowerCase() : polarity;
  return el("li", {}, el("strong", {}, author || "anonymous"), " ", el("span", { class: "muted" }, when(at)), el("br"),
    text || meant, note ? el("span", { class: "muted" }, ` (${note})`) : null);
}
