// The entry of every page: keeps answers safe, then fills <main> with the page that it names.
import { read, send } from "./api.js";
import { el } from "./dom.js";
import { watchSaving } from "./notices.js";
import { Queue } from "./saving.js";
import { mountReviewer } from "./who.js";

const PAGES = {
  start: () => import("./start.js"),
  items: () => import("./items.js"),
  item: () => import("./reviewing.js"),
  feedback: () => import("./feedback.js"),
  correct: () => import("./correct.js"),
  report: () => import("./report.js"),
};

async function begin() {
  const main = document.querySelector("main");
  const queue = new Queue(main.dataset.study, (body) => send("/api/answer", body));
  watchSaving(queue, document.getElementById("saving"), document.getElementById("notices"));
  queue.flush();
  try {
    const asked = read("/api/study");
    const page = await PAGES[main.dataset.page]();
    const prepared = page.prepare?.(main);
    const study = await asked;
    mountReviewer(document.getElementById("who"), study.reviewer);
    await page.mount(main, study, queue, prepared);
    main.dataset.ready = "true";
  } catch (error) {
    main.replaceChildren(el("p", { class: "trouble", role: "alert" }, error.message));
    console.warn(error);
  }
}

begin();
