// Correct now, watch it, and decide: keep or discard.
import { read, send } from "./api.js";
import { el, plural } from "./dom.js";
import { runningJob, startJob, watchJob } from "./jobs.js";
import { outcome } from "./outcome.js";

export async function mount(main, study) {
  const place = el("div", { class: "job" });
  const result = el("div", {});
  main.replaceChildren(el("h1", {}, "Correct the model"), place, result);
  const show = async () => result.replaceChildren(...(await shown(show)));
  const end = async (ended, where) => {
    if (ended.state !== "done") where.append(again(study, end));
    await show();
  };
  const job = await runningJob();
  if (job) watchJob(place, job.id, end);
  else place.replaceWith(begin(study, end));
  await show();
}

function begin(study, end) {
  const { said, marked } = study.counts;
  return el("section", { class: "next-step" },
    el("p", { class: "lead" }, said
      ? `The model is trained again with what was said so far: ${plural(said, "remark")} on ${plural(marked, "row")}. The model before stays as it is.`
      : "Nothing was said yet. Review a few items first, then correct."),
    said ? again(study, end) : el("p", { class: "buttons" }, el("a", { class: "button main", href: study.next.href }, "Review items")));
}

function again(study, end) {
  return startJob("correct", "Correct now", { onend: end });
}

async function shown(show) {
  const found = await read("/api/outcome").catch(() => null);
  if (!found?.run) return [];
  const decide = async (decision, author, note) => {
    await send("/api/decide", { run: found.run, decision, author, note });
    await show();
  };
  return outcome(found, decide);
}
