// What a correction changed, on the same items, and the decision about it.
import { itemHref } from "./api.js";
import { button, chance, colourKey, el, percent } from "./dom.js";
import { coloured, WORDS_SCALE } from "./text.js";
import { reviewer } from "./who.js";

const MOST_BARS = 8;
const TONES = { corrected: "good", "partly corrected": "middling", "no reliance found": "middling", failed: "bad" };

/** The parts of the page that show an outcome; `decide(decision, author, note)` stores the decision, `measure()`
 * measures both models. */
export function outcome(found, { things, isMeasuring, measure, decide }) {
  return [
    found.verdict ? verdict(found) : null,
    decision(found, { isMeasuring, measure, decide }),
    found.doubts.length ? el("section", { class: "caution" }, el("h2", {}, "Look again at"), el("ul", {}, found.doubts.map((words) => el("li", {}, words)))) : null,
    el("section", {}, el("h2", {}, `The same ${things}, before and after`), key(found), el("div", { class: "cards" }, found.items.map(card))),
    measurements(found),
  ].filter(Boolean);
}

function verdict({ verdict: { outcome: found, sentence, where }, measured }) {
  const on = measured ? `Verdict on ${where} rows` : `First verdict, on ${where} rows; the final one follows when it is measured`;
  return el("section", { class: `verdict ${measured ? TONES[found] || "middling" : "middling"}` },
    el("p", { class: "lead" }, sentence), el("p", { class: "muted" }, on));
}

function decision(found, { isMeasuring, measure, decide }) {
  if (found.decided) {
    return el("section", { class: "decision" }, el("p", { class: "lead", role: "status" }, found.decided === "kept"
      ? "This correction was kept: it is the model that all else works with now."
      : "This correction was discarded: the model before it is used. Nothing was deleted."));
  }
  const note = el("input", { type: "text", maxlength: 500, placeholder: "optional", autocomplete: "off" });
  const trouble = el("p", { class: "trouble", role: "alert" });
  const choose = (value) => async () => {
    try {
      await decide(value, reviewer(), note.value.trim());
    } catch (error) {
      trouble.textContent = error.message;
    }
  };
  const isGood = found.verdict?.outcome !== "failed";
  const keep = button("Keep", choose("keep"), { class: isGood ? "main" : "", disabled: !found.measured, "aria-describedby": "why-not-yet" });
  return el("section", { class: "decision", "aria-label": "Keep or discard" },
    el("label", { class: "note" }, "Why ", note),
    el("p", { class: "buttons" }, keep, button("Discard", choose("discard"), { class: isGood ? "" : "main" })),
    found.measured ? null : unmeasured(isMeasuring, measure), trouble);
}

/** Why the correction cannot be kept yet, and how it can. */
function unmeasured(isMeasuring, measure) {
  const why = el("p", { class: "muted", id: "why-not-yet" },
    isMeasuring ? "It can be kept when it is measured, which is going on." : "It can be kept when it is measured on rows that nobody trained with.");
  if (isMeasuring) return why;
  const start = button("Measure now", () => {
    start.disabled = true;
    return measure();
  }, { class: "main" });
  return el("div", {}, why, start);
}

/** What the colours of the cards mean. */
function key({ items: [first], full_at: fullAt }) {
  if (!first) return null;
  const scale = first.picture ? { fullAt, part: "pixel", thing: "image" } : first.after.text ? WORDS_SCALE : {};
  return el("p", { class: "key-line" }, colourKey("what is predicted", scale));
}

function card(item) {
  const { split, row, name, label, before, after, picture, reviewed } = item;
  const sides = [["before", before], ["after", after]];
  return el("figure", { class: "card" },
    el("figcaption", {}, el("a", { class: "file", href: itemHref(split, row) }, name), `label ${label}`, reviewed ? ", reviewed" : ""),
    el("div", { class: "pair" }, sides.map(([when, side]) => el("div", {},
      picture ? el("div", { class: "over" }, el("img", { src: picture, alt: `${name}, ${when}` }), side.map ? el("img", { src: side.map, alt: "", class: "heat" }) : null) : null,
      side.table ? bars(item, side) : null, side.text ? words(side.text) : null,
      el("p", { class: side.prediction === label ? "" : "wrong" }, el("span", { class: "muted" }, `${when}: `), side.prediction, ` (${chance(side.certainty)})`)))));
}

/** The features that weigh most, before or after, on a scale that both sides share. */
function bars({ before, after }, side) {
  const size = ({ share }) => Math.abs(share);
  const largest = Math.max(...before.table.map(size), ...after.table.map(size), 1e-9);
  const weight = (entry, place) => Math.max(size(entry), size(after.table[place]));
  const places = before.table.map((entry, place) => [weight(entry, place), place]).sort(([one], [other]) => other - one).slice(0, MOST_BARS);
  return el("ul", { class: "small-bars" }, places.map(([, place]) => {
    const { title, share } = side.table[place];
    const bar = el("i", { class: share >= 0 ? "for" : "against" });
    bar.style.width = `${(50 * Math.abs(share)) / largest}%`;
    return el("li", {}, el("span", {}, title), el("span", { class: "track" }, bar), el("span", { class: "number" }, percent(share, { signed: true })));
  }));
}

function words(text) {
  return el("p", { class: "words" }, text.flatMap(({ word, share }) => [coloured(el("span", { class: "word" }, word), share, text.length), " "]));
}

function measurements({ measurements: found }) {
  if (!found.length) return null;
  return el("section", {}, el("h2", {}, "Measured"),
    el("div", { class: "wide" }, el("table", {},
      el("thead", {}, el("tr", {}, ["What", "On", "Before", "After", "Change"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, found.map(({ metric, part, before, after, is_better: isBetter, note }) => el("tr", {},
        el("th", { scope: "row" }, metric), el("td", {}, part === "all" ? "all rows" : part), el("td", {}, before), el("td", {}, after),
        el("td", {}, isBetter === true ? el("span", { class: "badge right" }, "better") : isBetter === false ? el("span", { class: "badge wrong" }, "worse") : null,
          note ? el("span", { class: "muted" }, ` ${note}`) : null)))))));
}
