// The study in one look.
import { itemHref, read } from "./api.js";
import { capitalised, el, plural } from "./dom.js";
import { markedThumb } from "./thumbs.js";
import { startJob } from "./jobs.js";

const PAUSE = 1500, MOST_LOOKS = 200;

export async function mount(main, study) {
  show(main, study);
  follow(main, study);
}

/** Shows what the server finds out while it loads. */
async function follow(main, study) {
  let shown = JSON.stringify(study);
  for (let look = 0; look < MOST_LOOKS && isBeingLoaded(study); look++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    study = await read("/api/study").catch(() => study);
    if (JSON.stringify(study) !== shown) show(main, study);
    shown = JSON.stringify(study);
  }
}

/** Whether the server still loads the data, or asks the model about each row. */
function isBeingLoaded({ loading, classes, accuracy: found }) {
  return loading || (classes.length > 0 && found.length === 0);
}

function show(main, study) {
  const { counts, next, loading, thing } = study;
  const isThere = counts.rows > 0;
  const lead = loading ? "The model and the data are being loaded." : isThere ? next.sentence : "There is nothing to review yet.";
  main.replaceChildren(
    el("h1", {}, study.title),
    el("section", { class: "next-step" },
      el("p", { class: "lead" }, lead),
      loading ? el("progress", { "aria-label": "Loading" }) : isThere ? nextButton(next, thing) : null),
    ...study.warnings.map((warning) => el("p", { class: "caution" }, warning)),
    ...(isThere ? [
      el("section", { class: "counts-line", "aria-label": "So far" },
        figure(counts.reviewed, `of ${plural(counts.rows, thing)} reviewed`),
        figure(counts.marked, `${thing}${counts.marked === 1 ? "" : "s"} with marks`),
        figure(counts.said, counts.said === 1 ? "remark" : "remarks")),
      accuracy(study),
      suspects(study),
    ] : []),
  );
}

/** The one thing to do next; where that is to review, the item itself. */
function nextButton({ href }, thing) {
  const words = { "/items": "Begin with the first", "/items?suspect=1": "Look at them", "/correct": "To the correction", "/report": "To the report" };
  const go = async (event) => {
    if (href !== "/items") return;
    event.preventDefault();
    const next = await read("/api/next");
    location.href = next.done ? href : itemHref(next.split, next.row);
  };
  return el("p", { class: "buttons" },
    el("a", { class: "button main", href, onclick: go }, words[href] || "Go on"),
    href === "/items" ? null : el("a", { class: "button", href: "/items" }, `Review ${thing}s`));
}

function figure(value, text) {
  return el("p", { class: "figure" }, el("strong", {}, value.toLocaleString("en")), " ", text);
}

function accuracy({ accuracy: found, model, classes, thing, measured_on: split }) {
  const missing = classes.length ? `The model is being asked about each ${thing}.` : "The report measures it: the labels are no classes.";
  if (!found.length) return el("section", {}, el("h2", {}, "How good the model is"), el("p", { class: "muted" }, missing));
  return el("section", {},
    el("h2", {}, "How good the model is"),
    el("p", { class: "muted" }, `The ${model.label} model on the ${plural(found[0].count, thing)} of ${split}: the share that it predicts right, with a 95 % interval.`),
    el("table", { class: "accuracy" },
      el("thead", {}, el("tr", {}, ["Class", "Right", "95 % interval", capitalised(`${thing}s`)].map((name) => el("th", { scope: "col" }, name)), el("th", { scope: "col" }, el("span", { class: "unseen" }, "Drawn")))),
      el("tbody", {}, found.map(({ part, value, low, high, count }) => el("tr", {},
        el("th", { scope: "row" }, part), el("td", {}, value), el("td", {}, low && high ? `${low} – ${high}` : "–"),
        el("td", { class: "count" }, count.toLocaleString("en")), el("td", {}, whisker(value, low, high)))))));
}

/** The value and its interval on a line from 0 to 1. */
function whisker(value, low, high) {
  const [at, from, to] = [value, low, high].map(share);
  if (!Number.isFinite(at)) return null;
  const line = el("i", { class: "interval" }), dot = el("i", { class: "dot" });
  if (Number.isFinite(from)) {
    line.style.left = `${100 * from}%`;
    line.style.width = `${100 * (to - from)}%`;
  }
  dot.style.left = `${100 * at}%`;
  return el("span", { class: "whisker", "aria-hidden": "true" }, line, dot);
}

function share(text) {
  const value = parseFloat(String(text).replace("−", "-"));
  const found = String(text).includes("%") ? value / 100 : value;
  return found >= 0 && found <= 1 ? found : NaN;
}

function suspects({ suspects: found }) {
  const list = found.length
    ? el("ol", { class: "suspects" }, found.map(suspect))
    : el("p", {}, "Nobody has looked for regions that the model may rely on wrongly. ", startJob("suspect", "Look for them now"));
  return el("section", {}, el("h2", {}, "What the model may rely on wrongly"), list);
}

function suspect({ rank, title, sentence, tells_label: tells, picture, rows }) {
  const [first] = rows;
  return el("li", {}, el("a", { href: first ? `${itemHref(first[0], first[1])}?suspect=${rank}` : `/items?suspect=${rank}`, class: "suspect" },
    picture && first ? markedThumb(first, picture) : el("span", { class: "no-picture", "aria-hidden": "true" }, String(rank)),
    el("span", {}, el("strong", {}, title), el("span", { class: "sentence" }, sentence),
      el("small", {}, tells ? "It tells the label by itself. " : "It does not tell the label by itself. ", plural(rows.length, "example")))),
  el("a", { class: "all-rows", href: `/items?suspect=${rank}` }, "its examples"));
}

