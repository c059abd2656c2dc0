// Who said what when; retract, export, import.
import { read, send, sendFile } from "./api.js";
import { button, el, menu, pager, plural, when } from "./dom.js";
import { newKey } from "./memory.js";
import { markedThumb } from "./thumbs.js";
import { reviewer } from "./who.js";

const MEANINGS = { irrelevant: "must not matter", relevant: "should matter" };

export async function mount(main) {
  const asked = { state: "active" };
  const list = el("div", { "aria-live": "polite" });
  const show = async () => list.replaceChildren(...remarks(await read("/api/feedback", asked), asked, show));
  const set = (name) => (value) => {
    asked[name] = value.trim();
    delete asked.page;
    show();
  };
  const field = (words, name, options) => menu(words, options, asked[name] || "", set(name));
  main.replaceChildren(
    el("h1", {}, "Feedback"),
    el("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
      field("Show", "state", [["active", "what holds"], ["retracted", "what was retracted"], ["all", "all"]]),
      field("Meaning", "polarity", [["", "both"], ...Object.entries(MEANINGS)]),
      el("label", {}, "Said by ", el("input", { type: "search", onchange: (event) => set("author")(event.target.value), autocomplete: "off" }))),
    list, files(show));
  await show();
}

function remarks({ total, page, pages, entries: found, conflicts, agreement }, asked, show) {
  const move = (to) => {
    asked.page = to;
    show();
  };
  return [
    conflicts.length ? el("section", { class: "caution" }, el("h2", {}, "Where people contradict each other"),
      el("ul", {}, conflicts.map(({ sentence, href }) => el("li", {}, sentence, " ", href ? el("a", { href }, "look") : null)))) : null,
    agreement?.sentence ? el("p", { class: "muted" }, agreement.sentence) : null,
    el("p", { class: "muted" }, plural(total, "remark")),
    found.length ? el("ul", { class: "remarks" }, found.map((each) => remark(each, show))) : null,
    pager(page, pages, move),
  ].filter(Boolean);
}

function remark(each, show) {
  const { id, polarity, about, href, region, author, at, note, retracted } = each;
  const trouble = el("p", { class: "trouble", role: "alert" });
  const key = newKey();
  const retract = async () => {
    try {
      await send("/api/retract", { key, numbers: [id], author: reviewer(), note: "" });
      await show();
    } catch (error) {
      trouble.textContent = error.message;
    }
  };
  return el("li", { class: retracted ? "is-retracted" : "" },
    thumb(each),
    el("div", {},
      el("p", {}, el("strong", {}, region), ` ${MEANINGS[polarity] || polarity}, `, href ? el("a", { href }, about) : about),
      el("p", { class: "muted" }, `${author || "anonymous"}, ${when(at)}`, note ? `: ${note}` : ""),
      retracted ? el("p", { class: "muted" }, `Retracted by ${retracted.by || "anonymous"}, ${when(retracted.at)}`, retracted.note ? `: ${retracted.note}` : "") : null,
      trouble),
    retracted ? null : button("Retract", retract, { "aria-label": `Retract: ${region}, ${about}` }));
}

/** The region on the image where it was marked; by itself where that is not known. */
function thumb({ picture, said_at: place }) {
  return picture ? markedThumb(place, picture) : null;
}

function files(show) {
  const told = el("p", { role: "status" });
  const input = el("input", { type: "file", accept: ".json,.zip,.png" });
  const take = async () => {
    if (!input.files.length) return;
    told.textContent = "Reading the file";
    try {
      const found = await sendFile("/api/import", input.files[0]);
      told.textContent = found.sentence || found.result || "Read.";
      await show();
    } catch (error) {
      told.textContent = error.message;
    }
    input.value = "";
  };
  input.addEventListener("change", take);
  return el("section", {}, el("h2", {}, "Files"),
    el("p", { class: "buttons" },
      el("a", { class: "button", href: "/api/export/feedback.json", download: "feedback.json" }, "All feedback (JSON)"),
      el("a", { class: "button", href: "/api/export/masks.zip", download: "masks.zip" }, "Masks (PNG)"),
      el("a", { class: "button", href: "/api/export/coco.json", download: "coco.json" }, "Masks (COCO)")),
    el("p", {}, el("label", {}, "Read feedback from a file ", input)), told);
}
