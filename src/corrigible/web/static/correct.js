// Correct now, watch it, measure it, and decide: keep or discard.
import { read, send } from "./api.js";
import { el, plural } from "./dom.js";
import { runningJob, startJob, watchJob } from "./jobs.js";
import { outcome } from "./outcome.js";

export async function mount(main, study) {
  const page = new Correcting(study);
  main.replaceChildren(el("h1", {}, "Correct the model"), page.place, page.result);
  const job = await runningJob();
  if (job) page.watch(page.place, job);
  else page.place.replaceChildren(page.begin());
  await page.show();
}

class Correcting {
  constructor(study) {
    this.study = study;
    this.place = el("div", { class: "job" });
    this.result = el("div", {});
    this.isMeasuring = false;
    this.turn = 0;
  }

  begin() {
    const { said, marked } = this.study.counts;
    return el("section", { class: "next-step" },
      el("p", { class: "lead" }, said
        ? `The model is trained again with what was said so far: ${plural(said, "remark")}${marked ? ` about ${plural(marked, this.study.thing)}` : ""}. The model before stays as it is.`
        : `Nothing was said yet. Review a few ${this.study.thing}s first, then correct.`),
      said ? this.again() : el("p", { class: "buttons" }, el("a", { class: "button main", href: this.study.next.href }, `Review ${this.study.thing}s`)));
  }

  again() {
    return startJob("correct", "Correct now", { onend: (...ended) => this.ended(...ended) });
  }

  watch(place, job) {
    this.isMeasuring = job.verb === "evaluate";
    watchJob(place, job, (...ended) => this.ended(...ended));
  }

  /** A correction is measured as soon as it is done. */
  async ended({ state }, where, verb) {
    this.isMeasuring = false;
    if (verb === "correct" && state === "done") await this.measure(where);
    else if (verb === "correct") where.append(this.again());
    await this.show();
  }

  /** Measures both models on the rows that are kept for that, below what was corrected. */
  async measure(where) {
    const place = el("div", { class: "job" });
    where.append(el("h2", {}, "Measured on rows that nobody trained with"), place);
    try {
      const { id } = await send("/api/jobs", { verb: "evaluate", options: {} });
      this.watch(place, { id, verb: "evaluate" });
    } catch (error) {
      place.append(el("p", { class: "trouble", role: "alert" }, error.message));
    }
  }

  /** Shows the outcome of the correction of that name, or of the latest; nothing if there is none. */
  async show(run) {
    const turn = ++this.turn;
    this.result.setAttribute("aria-busy", "true");
    const found = await this.found(run).catch((error) => [el("p", { class: "trouble", role: "alert" }, error.message)]);
    if (turn !== this.turn) return;
    this.result.replaceChildren(...found);
    this.result.removeAttribute("aria-busy");
  }

  async found(run) {
    const asked = run ?? (await read("/api/study")).correction;
    if (!asked) return [];
    if (!this.result.childElementCount) this.result.replaceChildren(el("p", { class: "muted", role: "status" }, `Both models are being asked about the same ${this.study.thing}s …`));
    const found = await read("/api/outcome", { run: asked });
    return outcome(found, {
      things: `${this.study.thing}s`,
      isMeasuring: this.isMeasuring,
      measure: () => this.measure(this.place),
      decide: async (decision, author, note) => {
        await send("/api/decide", { run: found.run, decision, author, note });
        await this.show(found.run);
      },
    });
  }
}
