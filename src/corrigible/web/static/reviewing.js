// The page of one item: it loads the next one ahead, so that moving on takes no time.
import { itemHref, read, send } from "./api.js";
import { el } from "./dom.js";
import { mountItem } from "./item.js";
import { introduce, reviewer } from "./who.js";

const PAUSE = 150;

/** What can be asked for before the study is known. */
export function prepare({ dataset: { split, row } }) {
  return read(address({ split, row }));
}

export async function mount(main, study, queue, prepared) {
  const first = await prepared;
  if (study.loading) study = await read("/api/study"); // What was asked for while it was loaded names no methods.
  const trail = new Trail(study);
  const item = completed(first, study);
  trail.at(item);
  let edited = await queue.refused(new URLSearchParams(location.search).get("edit"));
  const place = el("div", {});
  main.replaceChildren(place);
  const session = await mountItem(place, item, {
    answer: async (body) => {
      await queue.put(body);
      if (edited) await queue.drop(edited.key);
      edited = null;
    },
    next: async () => {
      const next = await trail.next();
      if (!next.done) {
        history.pushState({}, "", itemHref(next.split, next.row) + (next.isOfSuspect ? location.search : ""));
        document.title = `${next.name} · ${study.title}`;
        scrollTo(0, 0);
      }
      return next;
    },
    explain: (method) => read(address(session.item), { method }),
    whatif: (values) => send("/api/whatif", { split: session.item.split, row: session.item.row, values }),
    whynot: (wanted) => send("/api/whynot", { split: session.item.split, row: session.item.row, wanted }),
    taught: ({ split, row }) => read(`/api/taught/${encodeURIComponent(split)}/${row}`),
    linked: ({ kind }, { split, row }) => ({
      href: itemHref(split, row), thumb: kind === "image" ? `/thumb/${encodeURIComponent(split)}/${row}.png` : null,
    }),
    count: (body) => send("/api/count", body),
    reviewer,
    introduce,
  });
  if (edited) await session.restore(edited.body);
  document.title = `${item.name} · ${study.title}`;
  addEventListener("popstate", async () => {
    const [, , split, row] = location.pathname.split("/");
    edited = null;
    const found = await load(study, decodeURIComponent(split), Number(row));
    trail.at(found);
    session.show(found);
  });
}

function address({ split, row }) {
  return `/api/item/${encodeURIComponent(split)}/${row}`;
}

async function load(study, split, row) {
  return completed(await read(address({ split, row })), study);
}

/** The suspect whose rows are looked at one after the other, if any. */
function suspectOf(study) {
  const rank = Number(new URLSearchParams(location.search).get("suspect"));
  return study.suspects.find((each) => each.rank === rank) ?? null;
}

/** The item with the study's methods; where a suspect is looked at, its region is the first proposal. */
function completed(item, study) {
  const suspect = suspectOf(study);
  if (!suspect) return { ...item, methods: study.methods };
  const offered = { id: `suspect-${suspect.rank}`, title: "the suspected region", share: null, area: 0, region: suspect.region };
  return { ...item, methods: study.methods, proposals: [offered, ...item.proposals] };
}

/** Which item comes next, asked for while the one before it is looked at. */
class Trail {
  constructor(study) {
    this.study = study;
  }

  at(item) {
    this.current = item;
    // The item at hand comes first.
    this.ahead = new Promise((resolve) => setTimeout(resolve, PAUSE)).then(() => this.load()).catch(() => null);
  }

  async load() {
    const next = this.ofSuspect() ?? (await read("/api/next", { after: `${this.current.split}/${this.current.row}` }));
    if (next.done) return next;
    const item = await load(this.study, next.split, next.row);
    for (const url of [item.image?.picture, item.image?.map]) if (url) new Image().src = url;
    return { ...item, left: next.left, isOfSuspect: next.isOfSuspect === true };
  }

  /** The next example of the suspect that is looked at; after the last one the usual order goes on. */
  ofSuspect() {
    const rows = suspectOf(this.study)?.rows ?? [];
    const place = rows.findIndex(([split, row]) => split === this.current.split && row === this.current.row);
    if (place < 0 || place + 1 >= rows.length) return null;
    const [split, row] = rows[place + 1];
    return { split, row, left: rows.length - place - 1, isOfSuspect: true };
  }

  async next() {
    const found = (await this.ahead) ?? (await this.load());
    if (!found.done) this.at(found);
    return found;
  }
}
