// Who reviews: a name that this browser keeps and that stands beside everything that is said.
import { el } from "./dom.js";
import { recall, remember } from "./memory.js";

const PLACE = "corrigible-reviewer";
let fallback = "";

export function reviewer() {
  return recall(PLACE) ?? fallback;
}

/** The field for the name, in the head of each page. */
export function mountReviewer(root, known) {
  fallback = known || "";
  const field = el("input", {
    type: "text", autocomplete: "name", maxlength: 80, placeholder: "your name", value: reviewer(),
    oninput: () => remember(PLACE, field.value.trim()),
  });
  root.replaceChildren(el("label", {}, "Reviewer ", field));
}
