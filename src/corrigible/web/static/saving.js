// Answers wait here until the server has written them down. They survive a reload, another tab and a restart of the
// server, and arrive exactly once, because each has a key of its own.
import { Refused } from "./api.js";

const LONGEST_PAUSE = 8000;

function database(name) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("answers", { keyPath: "key" });
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}

function within(db, mode, act) {
  return new Promise((resolve, reject) => {
    const change = db.transaction("answers", mode, { durability: "strict" });
    const request = act(change.objectStore("answers"));
    change.oncomplete = () => resolve(request.result);
    change.onerror = change.onabort = () => reject(change.error);
  });
}

/** One study's answers that the server has not acknowledged. */
export class Queue extends EventTarget {
  constructor(study, post) {
    super();
    this.name = `corrigible-${study}`;
    this.post = post;
    this.opened = database(this.name);
    this.pause = 0;
    this.trouble = "";
    this.saved = 0;
    this.channel = new BroadcastChannel(this.name);
    this.channel.onmessage = () => this.changed(false);
    addEventListener("online", () => this.flush());
  }

  /** Keeps the answer in this browser, then sends it; resolves as soon as it is kept. */
  async put(body) {
    const entry = { key: body.key, at: Date.now(), body, state: "waiting", said: null };
    await within(await this.opened, "readwrite", (store) => store.put(entry));
    this.changed();
    this.flush();
  }

  async entries() {
    const all = await within(await this.opened, "readonly", (store) => store.getAll());
    return all.sort((one, other) => one.at - other.at);
  }

  /** The answer is sent although somebody else said something: both are kept. */
  async keepBoth(key) {
    await this.change(key, (entry) => ({ ...entry, state: "waiting", body: { ...entry.body, version: entry.said.version } }));
    this.flush();
  }

  /** The answer of that key that was refused, or null. */
  async refused(key) {
    return (await this.entries()).find((each) => each.key === key && each.state === "refused") ?? null;
  }

  async drop(key) {
    await within(await this.opened, "readwrite", (store) => store.delete(key));
    this.changed();
  }

  async change(key, made) {
    const entry = (await this.entries()).find((each) => each.key === key);
    if (entry) await within(await this.opened, "readwrite", (store) => store.put(made(entry)));
    this.changed();
  }

  changed(isTold = true) {
    if (isTold) this.channel.postMessage("changed");
    this.dispatchEvent(new Event("change"));
  }

  /** Sends what waits, one after the other; only one tab at a time does. */
  flush() {
    clearTimeout(this.again);
    return navigator.locks.request(this.name, async () => {
      for (;;) {
        const entry = (await this.entries()).find((each) => each.state === "waiting");
        if (!entry || !(await this.sent(entry))) return;
      }
    });
  }

  async sent(entry) {
    try {
      const reply = await this.post(entry.body);
      await this.acknowledged(entry, reply);
      this.pause = 0;
      this.trouble = "";
      this.saved += 1;
    } catch (error) {
      const status = error instanceof Refused ? error.status : 0;
      const isAnother = status === 409 && error.reply.error;  // Its key was used for another answer.
      if (status === 409 && !isAnother) await this.change(entry.key, (each) => ({ ...each, state: "asked", said: error.reply }));
      else if (status === 422 || isAnother) await this.change(entry.key, (each) => ({ ...each, state: "refused", said: { sentence: error.message } }));
      else return this.later(error);
    }
    this.changed();
    return true;
  }

  later(error) {
    this.trouble = error.message;
    this.pause = Math.min(LONGEST_PAUSE, this.pause * 2 || 500);
    this.again = setTimeout(() => this.flush(), this.pause);
    this.changed();
    return false;
  }

  /** The answer is durable; later answers of this browser about the same row know of it. */
  async acknowledged(entry, reply) {
    const { split, row, version } = entry.body;
    const later = (await this.entries()).filter((each) =>
      each.key !== entry.key && each.body.split === split && each.body.row === row && each.body.version === version);
    await within(await this.opened, "readwrite", (store) => {
      for (const each of later) store.put({ ...each, body: { ...each.body, version: reply.version } });
      return store.delete(entry.key);
    });
  }

  /** What is to be shown: {state, words, entries}; state is idle, saving, waiting or saved. */
  async status() {
    const entries = await this.entries();
    const waiting = entries.filter((each) => each.state === "waiting").length;
    const count = waiting === 1 ? "1 answer" : `${waiting} answers`;
    if (waiting && this.trouble) return { state: "waiting", words: `${count} kept in this browser. ${this.trouble}`, entries };
    if (waiting) return { state: "saving", words: waiting === 1 ? "Saving" : `Saving ${count}`, entries };
    return { state: this.saved ? "saved" : "idle", words: this.saved ? "Saved" : "", entries };
  }
}
