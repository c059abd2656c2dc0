// A text to review: its words coloured by their share; words to click, or a phrase to mark wherever it stands.
import { colourKey, el, percent } from "./dom.js";
import { FeatureMarks } from "./marks.js";

const FULL_AT = 4;
export const WORDS_SCALE = { fullAt: FULL_AT, part: "word", thing: "text" };

/** Builds the view of a text; `context` offers changed() and announce(words), `scope()` where marks hold. */
export async function mountText(item, context) {
  return new TextWork(item, context);
}

/** Colours a word by its share of the explanation; full from FULL_AT times the average of so many words on, so that
 * colours of several texts compare. */
export function coloured(node, share, count) {
  node.style.setProperty("--strength", `${Math.round(48 * Math.min(1, (Math.abs(share) * count) / FULL_AT))}%`);
  node.classList.add(share >= 0 ? "for" : "against");
  return node;
}

class TextWork {
  constructor(item, context) {
    Object.assign(this, { item, context });
    this.marks = new FeatureMarks(() => this.changed());
    this.current = 0;
    this.words = item.text.map((entry, place) => this.word(entry, place));
    this.list = el("div", {
      class: "words", role: "listbox", tabindex: 0, "aria-multiselectable": "true",
      "aria-label": "The words of the text. Arrow keys move, the space bar marks, Shift with an arrow marks several.",
      onkeydown: (event) => this.key(event), onpointerdown: (event) => this.down(event),
      onpointermove: (event) => this.drag(event), onpointerup: () => { this.from = null; }, onpointercancel: () => { this.from = null; },
    }, this.words.flatMap((word) => [word, " "]));
    this.node = el("div", { class: "text-work" },
      el("p", { class: "key-line" }, colourKey(item.prediction, WORDS_SCALE)),
      this.list,
      el("p", { class: "muted" }, "Click words, or drag over a phrase. With “every text”, the phrase is marked wherever it stands."));
    this.changed();
  }

  word({ word, share }, place) {
    const node = el("span", {
      class: "word", role: "option", id: `word-${this.item.split}-${this.item.row}-${place}`, "aria-selected": "false",
      title: `${word}: ${percent(share, { signed: true })}`,
    }, word);
    return coloured(node, share, this.item.text.length);
  }

  placeOf(target) {
    return this.words.indexOf(target?.closest?.(".word"));
  }

  down(event) {
    const place = this.placeOf(event.target);
    if (place < 0) return;
    this.from = place;
    this.to = place;
    this.isMarking = this.marks.toggle([place]);
    this.move(place);
  }

  drag(event) {
    if (this.from === null || this.from === undefined || !event.buttons) return;
    const place = this.placeOf(document.elementFromPoint(event.clientX, event.clientY));
    if (place < 0 || place === this.to) return;
    this.to = place;
    this.mark(this.from, place, this.isMarking ? this.marks.polarity : null);
  }

  mark(from, to, polarity) {
    const places = [];
    for (let place = Math.min(from, to); place <= Math.max(from, to); place++) places.push(place);
    this.marks.set(places, polarity);
  }

  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -8, ArrowDown: 8, Home: -Infinity, End: Infinity };
    if (event.key === " ") this.marks.toggle([this.current]);
    else if (steps[event.key]) {
      const place = Math.min(this.words.length - 1, Math.max(0, this.current + steps[event.key]));
      if (event.shiftKey) this.mark(this.current, place, this.marks.polarity);
      this.move(place);
    } else return;
    event.preventDefault();
  }

  move(place) {
    this.words[this.current].classList.remove("is-current");
    this.current = place;
    this.words[place].classList.add("is-current");
    this.list.setAttribute("aria-activedescendant", this.words[place].id);
  }

  changed() {
    this.words.forEach((word, place) => {
      const polarity = this.marks.of(place);
      word.setAttribute("aria-selected", String(Boolean(polarity)));
      word.dataset.marked = polarity || "";
    });
    this.context.changed();
  }

  /** In this text its places; for a rule each run of neighbouring words as a phrase. */
  made(places) {
    const sorted = [...places].sort((one, other) => one - other);
    if (this.context.scope() === "row") return [{ type: "places", places: sorted }];
    const runs = [];
    for (const place of sorted) {
      if (runs.length && runs.at(-1).at(-1) === place - 1) runs.at(-1).push(place);
      else runs.push([place]);
    }
    return runs.map((run) => ({ type: "phrase", words: run.map((place) => this.item.text[place].word) }));
  }

  placesOf(id) {
    return this.placesIn(this.item.proposals.find((each) => each.id === id)?.region);
  }

  placesIn(region) {
    if (!region) return [];
    return region.type === "places" ? region.places : occurrences(this.item.text.map(({ word }) => word), region.words);
  }

  // What every kind of item offers.
  get isEmpty() { return this.marks.isEmpty; }
  async regions() { return this.marks.regions((places) => this.made(places)); }
  setPolarity(polarity) { this.marks.polarity = polarity; }
  chosen(id) { return this.marks.ofAll(this.placesOf(id)); }
  choose(id) { this.marks.toggle(this.placesOf(id)); }
  point(id) {
    const places = id === null ? [] : this.placesOf(id);
    this.words.forEach((word, place) => word.classList.toggle("is-pointed", places.includes(place)));
  }
  async restore(says) { for (const { polarity, region } of says) this.marks.set(this.placesIn(region), polarity); }
  back() { return this.marks.back(); }
  forward() { return this.marks.forward(); }
  get keys() { return []; }
}

function occurrences(text, phrase) {
  const plain = (word) => word.toLowerCase();
  return text.flatMap((_, start) => {
    const isHere = phrase.every((word, place) => text[start + place] !== undefined && plain(text[start + place]) === plain(word));
    return isHere ? phrase.map((_, place) => start + place) : [];
  });
}
