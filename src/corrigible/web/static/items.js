// All items, to find some.
import { itemHref, read } from "./api.js";
import { button, capitalised, chance, el, menu, pager, plural, settled } from "./dom.js";

const SHOWN = [["all", "all"], ["wrong", "predicted wrongly"], ["unreviewed", "not reviewed"], ["reviewed", "reviewed"],
  ["marked", "with marks"], ["disagree", "reviewers disagree"]];

export async function mount(main, study) {
  const asked = Object.fromEntries(new URLSearchParams(location.search));
  const list = el("div", { class: "found", "aria-live": "polite" });
  if (study.loading) {
    main.replaceChildren(el("p", { class: "muted", role: "status" }, "The model and the data are being loaded."));
    await read("/api/items", asked); // Which waits for that.
    study = await read("/api/study");
  }
  const show = async () => {
    const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
    history.replaceState({}, "", query.size ? `/items?${query}` : "/items");
    list.replaceChildren(...found(await read("/api/items", asked), { thing: study.thing, asked, show }));
  };
  const set = (name) => (value) => {
    asked[name] = value;
    delete asked.page;
    show();
  };
  const field = (words, name, options) => menu(words, options, asked[name] || "", set(name));
  const search = el("input", { type: "search", value: asked.text || "", "aria-label": "Search by name or words", placeholder: "Search" });
  search.addEventListener("input", settled(250, () => set("text")(search.value)));
  main.replaceChildren(
    el("h1", {}, capitalised(`${study.thing}s`)),
    el("form", { class: "filters", role: "search", onsubmit: (event) => event.preventDefault() },
      field("Show", "show", SHOWN.map(([value, words]) => [value === "all" ? "" : value, words])),
      field("Split", "split", study.splits.map((name, place) => [place ? name : "", name])),
      study.classes.length ? field("Label", "class", [["", "all"], ...study.classes.map((name) => [name, name])]) : null,
      search,
      asked.suspect ? button(`Only suspect ${asked.suspect} ✕`, (event) => { delete asked.suspect; event.target.remove(); show(); }) : null),
    list);
  await show();
}

function found({ total, page, pages, items }, { thing, asked, show }) {
  const move = (to) => {
    asked.page = to;
    show();
    scrollTo(0, 0);
  };
  return [
    el("p", { class: "muted" }, plural(total, thing)),
    el("ul", { class: `tiles ${items.some((item) => item.thumb) ? "pictures" : "lines"}` }, items.map((item) => tile(item, asked.suspect))),
    pager(page, pages, move),
  ].filter(Boolean);
}

function tile({ split, row, name, label, prediction, is_right: isRight, certainty, answer, marks, thumb, snippet }, suspect) {
  return el("li", {}, el("a", { href: itemHref(split, row) + (suspect ? `?suspect=${suspect}` : "") },
    thumb ? el("img", { src: thumb, alt: "", loading: "lazy" }) : null,
    el("span", { class: "words-of-tile" },
      el("strong", {}, name), snippet ? el("span", { class: "snippet" }, snippet) : null,
      el("span", { class: isRight === false ? "wrong" : "" }, isRight || prediction === null ? label : `${label}, predicted ${prediction}`, certainty ? ` (${chance(certainty)})` : ""),
      answer || marks ? el("span", { class: "muted" }, [answer, marks ? plural(marks, "mark") : ""].filter(Boolean).join(", ")) : null)));
}
