// Which training rows taught the model what it says of an item: asked for when somebody opens it.
import { chance, el } from "./dom.js";

/** A part to open; `transport` offers taught() and, where rows have pages of their own, linked(split, row). */
export function taughtBy(item, transport) {
  const place = el("div", { "aria-live": "polite" });
  let isAsked = false;
  const opened = async ({ target }) => {
    if (!target.open || isAsked) return;
    isAsked = true;
    place.replaceChildren(el("p", { class: "muted", role: "status" }, "Training rows are being compared"));
    try {
      const { sentence, groups, notes } = await transport.taught(item);
      const link = (row) => transport.linked?.(item, row) ?? {};
      place.replaceChildren(el("p", { class: "muted" }, sentence),
        el("div", { class: "groups" }, groups.map((group) => listed(group, link))),
        ...notes.map((note) => el("p", { class: "muted note-of-trust" }, `Careful: ${note}`)));
    } catch (error) {
      isAsked = false; // Closed and opened, it is asked again.
      place.replaceChildren(el("p", { class: "trouble", role: "alert" }, error.message));
    }
  };
  return el("details", { class: "taught", ontoggle: opened }, el("summary", {}, "Which training rows taught it?"), place);
}

function listed({ title, rows }, link) {
  return el("section", {}, el("h3", {}, title),
    rows.length ? el("ul", {}, rows.map((row) => el("li", {}, entry(row, link(row))))) : el("p", { class: "muted" }, "None."));
}

function entry({ name, label, prediction, certainty, is_right: isRight }, { href, thumb }) {
  const said = isRight ? `label ${label}` : `label ${label}, predicted ${prediction}`;
  const words = [el("strong", {}, name), el("span", { class: isRight === false ? "wrong" : "" }, said, certainty ? ` (${chance(certainty)})` : "")];
  const shown = [thumb ? el("img", { src: thumb, alt: "", loading: "lazy" }) : null, el("span", { class: "words-of-row" }, words)];
  return href ? el("a", { href }, shown) : el("span", {}, shown);
}
