// What a correction changed, on the same items, and the decision about it.
import { itemHref } from "./api.js";
import { button, capitalised, chance, el } from "./dom.js";
import { reviewer } from "./who.js";

const TONES = { corrected: "good", "partly corrected": "middling", "no reliance found": "middling", failed: "bad" };

/** The parts of the page that show an outcome; `decide(decision, author, note)` stores the decision, `measure()`
 * measures both models. */
export function outcome(found, { things, isMeasuring, measure, decide }) {
  return [
    found.verdict ? verdict(found) : null,
    decision(found, { isMeasuring, measure, decide }),
    found.doubts.length ? el("section", { class: "caution" }, el("h2", {}, "Look again at"), el("ul", {}, found.doubts.map((words) => el("li", {}, words)))) : null,
    el("section", {}, el("h2", {}, `The same ${things}, before and after`), el("div", { class: "cards" }, found.items.map(card))),
    measurements(found),
  ].filter(Boolean);
}

function verdict({ verdict: { outcome: found, sentence, where }, measured }) {
  const on = measured ? `Verdict on ${where} rows, which nobody trained with` : `First verdict, on ${where} rows; the final one follows when it is measured`;
  return el("section", { class: `verdict ${measured ? TONES[found] || "middling" : "middling"}` },
    el("p", { class: "outcome" }, el("strong", {}, capitalised(found)), el("span", { class: "muted" }, ` · ${on}`)),
    el("p", { class: "lead" }, sentence));
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

function card(item) {
  const { split, row, name, label, before, after, picture, reviewed } = item;
  const sides = [["before", before], ["after", after]];
  return el("figure", { class: "card" },
    el("figcaption", {}, el("a", { class: "file", href: itemHref(split, row) }, name), `label ${label}`, reviewed ? ", reviewed" : ""),
    el("div", { class: "pair" }, sides.map(([when, side]) => el("div", {},
      picture ? el("div", { class: "over" }, el("img", { src: picture, alt: `${name}, ${when}` }), side.map ? el("img", { src: side.map, alt: "", class: "heat" }) : null) : null,
      side.table ? bars(side.table) : null, side.text ? words(side.text) : null,
      el("p", { class: side.prediction === label ? "" : "wrong" }, el("span", { class: "muted" }, `${when}: `), side.prediction, ` (${chance(side.certainty)})`)))));
}

function bars(table) {
  const largest = Math.max(...table.map(({ share }) => Math.abs(share)), 1e-9);
  return el("ul", { class: "small-bars" }, table.slice(0, 8).map(({ title, share }) => {
    const bar = el("i", { class: share >= 0 ? "for" : "against" });
    bar.style.width = `${(50 * Math.abs(share)) / largest}%`;
    return el("li", {}, el("span", {}, title), el("span", { class: "track" }, bar));
  }));
}

function words(text) {
  const largest = Math.max(...text.map(({ share }) => Math.abs(share)), 1e-9);
  return el("p", { class: "words" }, text.flatMap(({ word, share }) => {
    const node = el("span", { class: `word ${share >= 0 ? "for" : "against"}` }, word);
    node.style.setProperty("--strength", `${Math.round((48 * Math.abs(share)) / largest)}%`);
    return [node, " "];
  }));
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
