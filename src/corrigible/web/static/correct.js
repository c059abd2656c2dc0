// Correct now, watch it, and decide: keep or discard.
import { read, send } from "./api.js";
import { el, plural } from "./dom.js";
import { runningJob, startJob, watchJob } from "./jobs.js";
import { outcome } from "./outcome.js";

export async function mount(main, study) {
  const place = el("div", { class: "job" });
  const result = el("div", {});
  main.replaceChildren(el("h1", {}, "Correct the model"), place, result);
  const show = async (run) => {
    result.setAttribute("aria-busy", "true");
    result.replaceChildren(...(await shown(show, run).catch((error) => [el("p", { class: "trouble", role: "alert" }, error.message)])));
    result.removeAttribute("aria-busy");
  };
  const end = async (ended, where, verb) => {
    await show();
    if (verb !== "correct") return;
    if (ended.state === "done") await measured(where, end);
    else where.append(again(end));
  };
  const job = await runningJob();
  if (job) watchJob(place, job, end);
  else place.replaceWith(begin(study, end));
  await show();
}

function begin(study, end) {
  const { said, marked } = study.counts;
  return el("section", { class: "next-step" },
    el("p", { class: "lead" }, said
      ? `The model is trained again with what was said so far: ${plural(said, "statement")}, made on ${plural(marked, "row")}. The model before stays as it is.`
      : "Nothing was said yet. Review a few items first, then correct."),
    said ? again(end) : el("p", { class: "buttons" }, el("a", { class: "button main", href: study.next.href }, "Review items")));
}

/** Measures both models on the rows that are kept for that, below what was corrected. */
async function measured(where, end) {
  const place = el("div", { class: "job" });
  where.append(el("h2", {}, "Measured on rows that nobody trained with"), place);
  try {
    const { id } = await send("/api/jobs", { verb: "evaluate", options: {} });
    watchJob(place, { id, verb: "evaluate" }, end);
  } catch (error) {
    place.append(el("p", { class: "trouble", role: "alert" }, error.message));
  }
}

function again(end) {
  return startJob("correct", "Correct now", { onend: end });
}

/** The outcome of a correction: the one of that name, or the latest; nothing if there is none. */
async function shown(show, run) {
  const asked = run ?? (await read("/api/study")).correction;
  if (!asked) return [];
  const found = await read("/api/outcome", { run: asked });
  const decide = async (decision, author, note) => {
    await send("/api/decide", { run: found.run, decision, author, note });
    await show(found.run);
  };
  return outcome(found, decide);
}
