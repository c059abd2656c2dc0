// Shows whether answers are saved, and asks where somebody else was first.
import { itemHref } from "./api.js";
import { button, el } from "./dom.js";

/** Keeps the line of the state and the list of questions as the queue says. */
export function watchSaving(queue, line, list) {
  let asked = 0;
  const show = async () => {
    const turn = ++asked;
    const { state, words, entries } = await queue.status();
    if (turn !== asked) return;
    line.dataset.state = state;
    if (line.textContent !== words) line.textContent = words;
    list.replaceChildren(...entries.filter((entry) => entry.state !== "waiting").map((entry) => notice(queue, entry)));
  };
  queue.addEventListener("change", show);
  show();
}

function notice(queue, entry) {
  const { split, row } = entry.body;
  const about = el("a", { href: itemHref(split, row) }, entry.body.name || `${split} ${row}`);
  const said = (entry.said.said || []).map((each) => el("li", {}, each.text || `${each.author}: ${each.note}`));
  const isAsked = entry.state === "asked";
  return el("section", { class: "notice", role: "alert" },
    el("p", {}, about, ": ", entry.said.sentence || (isAsked ? "Somebody else said something about it meanwhile." : "It could not be stored.")),
    said.length ? el("ul", {}, said) : null,
    el("p", { class: "buttons" },
      isAsked
        ? button("Keep both", () => queue.keepBoth(entry.key), { class: "main" })
        : el("a", { class: "button main", href: `${itemHref(split, row)}?edit=${encodeURIComponent(entry.key)}` }, "Edit"),
      button(isAsked ? "Withdraw mine" : "Discard", () => queue.drop(entry.key))));
}
