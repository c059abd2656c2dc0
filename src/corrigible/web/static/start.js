// The study in one look.
import { itemHref } from "./api.js";
import { el, plural } from "./dom.js";
import { startJob } from "./jobs.js";

export async function mount(main, study) {
  const { counts } = study;
  main.replaceChildren(
    el("h1", {}, study.title),
    el("section", { class: "next-step" },
      el("p", { class: "lead" }, study.next.sentence),
      el("p", { class: "buttons" }, el("a", { class: "button main", href: study.next.href }, words(study.next.href)))),
    ...study.warnings.map((warning) => el("p", { class: "caution" }, warning)),
    el("section", { class: "counts-line", "aria-label": "So far" },
      figure(counts.reviewed, `of ${plural(counts.rows, "row")} reviewed`),
      figure(counts.marked, "rows with marks"), figure(counts.said, counts.said === 1 ? "thing said" : "things said")),
    accuracy(study),
    suspects(study),
  );
}

function words(href) {
  if (href.startsWith("/item")) return "Review items";
  if (href.startsWith("/correct")) return "To the correction";
  if (href.startsWith("/report")) return "To the report";
  return "Go on";
}

function figure(value, text) {
  return el("p", { class: "figure" }, el("strong", {}, value.toLocaleString("en")), " ", text);
}

function accuracy({ accuracy: found, model }) {
  if (!found.length) return el("section", {}, el("h2", {}, "How good the model is"), el("p", { class: "muted" }, "Not measured yet."));
  return el("section", {},
    el("h2", {}, "How good the model is"),
    el("p", { class: "muted" }, `${model.label}; with the interval that chance alone explains`),
    el("table", { class: "accuracy" },
      el("thead", {}, el("tr", {}, ["Part", "Value", "From – to", "Rows"].map((name) => el("th", { scope: "col" }, name)), el("th", { scope: "col" }, el("span", { class: "unseen" }, "Drawn")))),
      el("tbody", {}, found.map(({ part, value, low, high, count }) => el("tr", {},
        el("th", { scope: "row" }, part === "all" ? "all rows" : part), el("td", {}, value), el("td", {}, low && high ? `${low} – ${high}` : "–"),
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
  return el("li", {}, el("a", { href: first ? `${itemHref(first[0], first[1])}?strategy=suspect:${rank}` : `/items?suspect=${rank}`, class: "suspect" },
    picture ? el("img", { src: picture, alt: "", width: 96, height: 96 }) : el("span", { class: "no-picture", "aria-hidden": "true" }, String(rank)),
    el("span", {}, el("strong", {}, title), el("span", { class: "sentence" }, sentence),
      el("small", {}, tells ? "It tells the label by itself. " : "It does not tell the label by itself. ", plural(rows.length, "example")))),
  el("a", { class: "all-rows", href: `/items?suspect=${rank}` }, "all its rows"));
}

