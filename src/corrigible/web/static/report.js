// The report and the seal.
import { read } from "./api.js";
import { el } from "./dom.js";
import { startJob } from "./jobs.js";

export async function mount(main, study) {
  main.replaceChildren(el("h1", {}, "Report and seal"),
    el("section", {}, el("h2", {}, "Report"),
      el("p", {}, "One page with all that was measured, shown and said; it needs nothing else and can be sent to anybody."),
      study.report ? el("p", {}, el("a", { href: study.report }, "Open the report")) : null,
      startJob("report", study.report ? "Write it again" : "Write the report", { onend: told })),
    el("section", {}, el("h2", {}, "Seal"),
      el("p", {}, "The model with its measurements, its feedback and the hash of each file, so that everybody can check that nothing was changed."),
      study.sealed.length ? el("p", { class: "muted" }, `Sealed so far: ${study.sealed.join(", ")}`) : null,
      startJob("seal", "Seal the model", { onend: told, isMain: false })));
}

async function told({ state, sentence }, place) {
  const study = state === "done" ? await read("/api/study") : {};
  place.replaceChildren(el("p", { role: "status" }, sentence), ...(study.report ? [el("p", {}, el("a", { href: study.report }, "Open the report"))] : []));
}
