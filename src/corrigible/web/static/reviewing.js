// The page of one item: it loads the next one ahead, so that moving on takes no time.
import { itemHref, read, send } from "./api.js";
import { el } from "./dom.js";
import { mountItem } from "./item.js";
import { reviewer } from "./who.js";

const PAUSE = 150;

/** What can be asked for before the study is known. */
export function prepare({ dataset: { split, row } }) {
  return read(address({ split, row }));
}

export async function mount(main, study, queue, prepared) {
  const order = new URLSearchParams(location.search).get("strategy") || "";
  const trail = new Trail(study, order);
  const item = { ...(await prepared), methods: study.methods };
  trail.at(item);
  const place = el("div", {});
  main.replaceChildren(place);
  const session = await mountItem(place, item, {
    answer: (body) => queue.put(body),
    next: async () => {
      const next = await trail.next();
      if (!next.done) {
        history.pushState({}, "", itemHref(next.split, next.row) + location.search);
        scrollTo(0, 0);
      }
      return next;
    },
    explain: (method) => read(address(session.item), { method }),
    whatif: (values) => send("/api/whatif", { split: session.item.split, row: session.item.row, values }),
    count: (body) => send("/api/count", body),
    reviewer,
  });
  document.title = `${item.name} · ${study.title}`;
  addEventListener("popstate", async () => {
    const [, , split, row] = location.pathname.split("/");
    const found = await load(study, decodeURIComponent(split), Number(row));
    trail.at(found);
    session.show(found);
  });
}

function address({ split, row }) {
  return `/api/item/${encodeURIComponent(split)}/${row}`;
}

async function load(study, split, row) {
  return { ...(await read(address({ split, row }))), methods: study.methods };
}

/** Which item comes next, asked for while the one before it is looked at. */
class Trail {
  constructor(study, order) {
    Object.assign(this, { study, order });
  }

  at(item) {
    this.current = item;
    // The item at hand comes first.
    this.ahead = new Promise((resolve) => setTimeout(resolve, PAUSE)).then(() => this.load()).catch(() => null);
  }

  async load() {
    const { split, row } = this.current;
    const next = await read("/api/next", { strategy: this.order, after: `${split}/${row}` });
    if (next.done) return next;
    const item = await load(this.study, next.split, next.row);
    for (const url of [item.image?.picture, item.image?.map]) if (url) new Image().src = url;
    return { ...item, reason: next.reason, left: next.left };
  }

  async next() {
    const found = (await this.ahead) ?? (await this.load());
    if (!found.done) this.at(found);
    return found;
  }
}
