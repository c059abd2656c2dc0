// Long work: it runs on the server, is watched here line by line, and can be left and found again.
import { read, send } from "./api.js";
import { button, el, number } from "./dom.js";
import { Curves } from "./curves.js";

const DOING = { correct: "Correcting", evaluate: "Measuring", suspect: "Looking for regions", report: "Writing the report", seal: "Sealing" };

/** A button that begins a verb and then shows how it goes, in its own place. */
export function startJob(verb, words, { options = {}, onend = () => location.reload(), isMain = true } = {}) {
  const place = el("div", { class: "job" });
  const trouble = el("p", { class: "trouble", role: "alert" });
  const start = button(words, async () => {
    start.disabled = true;
    try {
      const { id } = await send("/api/jobs", { verb, options });
      watchJob(place, { id, verb }, onend);
    } catch (error) {
      trouble.textContent = error.message;
      start.disabled = false;
    }
  }, { class: isMain ? "main" : "" });
  place.append(start, trouble);
  return place;
}

/** The job that runs now, or null. */
export async function runningJob() {
  const { running, jobs } = await read("/api/jobs");
  return running === null ? null : jobs.find((job) => job.id === running) ?? { id: running, verb: "" };
}

/** Shows a job in the place until it ends; then `onend({state, sentence}, place, verb)`. */
export function watchJob(place, { id, verb }, onend) {
  const line = el("p", { class: "job-line", role: "status" }, `${doing(verb)} …`);
  const bar = el("progress", { max: 1, "aria-label": "How far it is" });
  const log = el("ol", { class: "log" });
  const curves = new Curves();
  const cancel = button("Cancel", async () => {
    cancel.disabled = true;
    line.textContent = "Stopping";
    await send(`/api/jobs/${id}/cancel`, {}).catch((error) => { line.textContent = error.message; });
  });
  place.replaceChildren(el("div", { class: "progress-line" }, line, cancel), bar, curves.node,
    el("details", {}, el("summary", {}, "What happened, line by line"), log));
  const stream = new EventSource(`/api/jobs/${encodeURIComponent(id)}/events`);
  let lastLine = 0;
  stream.onmessage = (event) => {
    const record = JSON.parse(event.data);
    if (Number(event.lastEventId) && Number(event.lastEventId) <= lastLine) return;
    lastLine = Number(event.lastEventId) || lastLine;
    tell(record, { verb, line, bar, curves, log });
  };
  stream.addEventListener("end", (event) => {
    stream.close();
    const ended = JSON.parse(event.data);
    line.textContent = ended.sentence;
    cancel.remove();
    bar.remove();
    onend(ended, place, verb);
  });
}

/** One record: progress changes the line and the bar alone, all else is also written down. */
function tell(record, { verb, line, bar, curves, log }) {
  const said = `${doing(verb)}: `;
  const say = (words) => { line.textContent = said + words.trim().replace(new RegExp(`^${said}`, "i"), ""); };
  switch (record.record) {
    case "Progress":
      say(record.line);
      if (record.total && !curves.isDrawing) bar.value = record.number / record.total;
      return;
    case "Started":
      curves.begin(record.label);
      break;
    case "Epoch":
      curves.add(record);
      bar.value = record.number / record.num_epochs;
      break;
    case "Verdict":
    case "Finished":
      curves.end();
      break;
    case "WeightTrial":
      say(`weight ${number(record.weight)}, ${record.number} of at most ${record.num_trials}`);
      break;
  }
  if (record.line) {
    say(record.line.split("\n")[0]);
    log.append(el("li", {}, record.line));
  }
}

function doing(verb) {
  return DOING[verb] ?? "Working";
}
