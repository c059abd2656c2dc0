// Who reviews: a name that this browser keeps and that stands beside everything that is said.
import { button, el } from "./dom.js";
import { recall, remember } from "./memory.js";

const PLACE = "corrigible-reviewer", ASKED = "corrigible-reviewer-asked";
let fallback = "";
let field = null;

export function reviewer() {
  return recall(PLACE) ?? fallback;
}

/** The field for the name, in the head of each page. */
export function mountReviewer(root, known) {
  fallback = known || "";
  field = el("input", {
    type: "text", autocomplete: "name", maxlength: 80, placeholder: "your name", value: reviewer(),
    oninput: () => remember(PLACE, field.value.trim()),
  });
  root.replaceChildren(el("label", {}, "Reviewer ", field));
}

/** Asks in this place for the name, once in this browser, and then calls the function; whether it asks. */
export function introduce(place, then) {
  if (reviewer() || recall(ASKED)) return false;
  const name = el("input", { type: "text", autocomplete: "name", maxlength: 80 });
  const end = (given) => {
    remember(ASKED, "yes");
    if (given) {
      remember(PLACE, given);
      field.value = given;
    }
    place.replaceChildren();
    then();
  };
  const ask = (event) => {
    event.preventDefault();
    end(name.value.trim());
  };
  place.replaceChildren(el("form", { onsubmit: ask },
    el("label", {}, "Your name, which is kept with your remarks ", name),
    el("p", { class: "buttons" }, el("button", { type: "submit", class: "main" }, "Save with this name"), button("Stay anonymous", () => end("")))));
  name.focus();
  return true;
}
