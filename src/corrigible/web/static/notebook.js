// The item view in a notebook: the same page, which asks the kernel instead of a server.
import { el } from "./dom.js";
import { mountItem } from "./item.js";

const LONGEST_WAIT = 120_000;

/** Shows the review, in these styles, in the element that the notebook gives. */
export async function render({ model, el: root }, styles) {
  // Keys are for the review, not for the notebook around it.
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.setAttribute("data-jp-suppress-context-menu", "true");
  root.classList.add("corrigible-review");
  const place = el("div", { tabindex: "-1" }, el("p", { class: "muted" }, "Loading"));
  root.replaceChildren(el("style", {}, styles), place);
  for (const name of ["keydown", "keyup", "keypress"]) place.addEventListener(name, (event) => event.stopPropagation());
  const kernel = new Kernel(model);
  const first = await kernel.ask("next", {});
  if (first.done) {
    place.replaceChildren(el("p", { class: "lead" }, first.sentence));
    return () => kernel.close();
  }
  let session = null;
  const row = () => session.item.row;
  const transport = {
    answer: (body) => kernel.ask("answer", body),
    next: () => kernel.ask("next", { after: row() }),
    explain: (method) => kernel.ask("explain", { row: row(), method }),
    whatif: (values) => kernel.ask("whatif", { row: row(), values }),
    whynot: (wanted) => kernel.ask("whynot", { row: row(), wanted }),
    taught: (item) => kernel.ask("taught", { row: item.row }),
    count: (body) => kernel.ask("count", body),
    reviewer: () => model.get("author"),
    told: (item) => `Saved: ${item.name}`,
  };
  session = await mountItem(place, first, transport, { keyTarget: place });
  return () => {
    session.destroy();
    kernel.close();
  };
}

/** Questions to the kernel, each with a number that its answer bears. */
class Kernel {
  constructor(model) {
    this.model = model;
    this.number = 0;
    this.waiting = new Map();
    this.listener = (message) => this.hear(message);
    model.on("msg:custom", this.listener);
  }

  ask(act, body) {
    const number = ++this.number;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("The kernel does not answer; it may be busy. Try again.")), LONGEST_WAIT);
      this.waiting.set(number, { resolve, reject, timer });
      this.model.send({ number, act, body });
    });
  }

  hear({ number, found }) {
    const asked = this.waiting.get(number);
    if (!asked) return;
    this.waiting.delete(number);
    clearTimeout(asked.timer);
    if (found.error) asked.reject(new Error(found.error));
    else asked.resolve(found);
  }

  close() {
    this.model.off("msg:custom", this.listener);
  }
}
