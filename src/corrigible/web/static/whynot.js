// Why a row did not get another class: the change of its values with which it would, and what a person says of it.
import { button, el, menu } from "./dom.js";

/** A line with a question for each row; `ask(wanted)` finds the change, `show(values)` writes it into the row, and
 * `mark(features)` marks what changed. Null where there is no other class. */
export function whyNot(others, { ask, show, mark }) {
  if (!others?.length) return null;
  let wanted = others[0], turn = 0;
  const answer = el("div", { class: "answer-why", "aria-live": "polite" });
  const choose = others.length > 1 ? menu("Why not", others.map((name) => [name, name]), wanted, (name) => { wanted = name; }) : null;
  const find = button(choose ? "Find a change" : `Why not “${wanted}”?`, async () => {
    const asked = ++turn;
    answer.replaceChildren(el("p", { class: "muted", role: "status" }, "Changes are being tried"));
    try {
      const { values, sentence } = await ask(wanted);
      if (asked !== turn) return;
      const features = Object.keys(values);
      answer.replaceChildren(el("p", {}, sentence), features.length ? truth(features) : "");
      if (features.length) show(values);
    } catch (error) {
      if (asked === turn) answer.replaceChildren(el("p", { class: "trouble", role: "alert" }, error.message));
    }
  });
  const truth = (features) => el("p", { class: "truth" }, "Would the right answer change too? ",
    button("Yes", () => forget(), { title: "The model is right to look at this" }),
    button("No: mark what changed", () => { mark(features); forget(); }, { title: "What changed must not matter here" }));
  const forget = () => {
    turn += 1;
    answer.querySelector(".truth")?.remove();
  };
  const node = el("div", { class: "why-not" }, el("span", { class: "buttons" }, choose, find), answer);
  return { node, clear: () => { turn += 1; answer.replaceChildren(); } };
}
