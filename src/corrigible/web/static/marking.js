// What is marked on one image: a mask of what must not matter, one of what should, which proposals were chosen, and the
// steps back. A pixel is in one of the masks at most.
import { History } from "./history.js";
import { Mask, around } from "./mask.js";
import { pngOf } from "./pixels.js";

const OTHER = { irrelevant: "relevant", relevant: "irrelevant" };

export class Marking {
  /** `touched(box, mask)` is called for pixels that changed, `changed()` after each whole step. */
  constructor(width, height, { touched, changed }) {
    this.masks = { irrelevant: new Mask(width, height), relevant: new Mask(width, height) };
    this.isUsed = { irrelevant: false, relevant: false };
    this.chosen = new Map();
    this.history = new History();
    this.touched = touched;
    this.changed = changed;
    this.polarity = "irrelevant";
    this.step = null;
  }

  /** A step begins, which `close` ends; all that is painted between is undone together. */
  open() {
    this.step = {
      box: null,
      chosen: new Map(this.chosen),
      before: Object.fromEntries(Object.entries(this.masks).map(([name, mask]) => [name, this.isUsed[name] ? mask.data.slice() : null])),
    };
  }

  /** Paints with a function (mask, value) -> box: marked for a polarity, by default the current one, or erased from both. */
  paint(act, { isErasing = false, polarity: own = this.polarity } = {}) {
    if (!isErasing) this.isUsed[own] = true;
    for (const name of [own, OTHER[own]]) {
      if (!this.isUsed[name]) continue;
      const box = act(this.masks[name], name === own && !isErasing ? 1 : 0);
      this.step.box = around(this.step.box, box);
      if (box) this.touched(box, this.masks[name]);
    }
  }

  close() {
    const { box, before, chosen } = this.step;
    this.step = null;
    if (!box) return;
    const changes = Object.entries(this.masks).filter(([name]) => this.isUsed[name]).map(([name, mask]) => ({
      mask, before: cropped(before[name], mask, box), after: mask.crop(box),
    }));
    this.history.add({ box, changes, chosen: [chosen, new Map(this.chosen)] });
    this.changed();
  }

  /** The step that was begun never was. */
  cancel() {
    if (!this.step) return;
    const { before } = this.step;
    for (const [name, mask] of Object.entries(this.masks)) {
      if (!this.isUsed[name]) continue;
      if (before[name]) mask.data.set(before[name]);
      else mask.data.fill(0);
      this.touched(mask.whole, mask);
    }
    this.step = null;
  }

  once(act, options) {
    this.open();
    this.paint(act, options);
    this.close();
  }

  back() {
    return this.shown(this.history.undo(), 0);
  }

  forward() {
    return this.shown(this.history.redo(), 1);
  }

  shown(step, side) {
    if (!step) return false;
    this.chosen = new Map(step.chosen[side]);
    for (const { mask } of step.changes) this.touched(step.box, mask);
    this.changed();
    return true;
  }

  /** Chooses a proposal {id, mask} for the current polarity, or gives it back. */
  toggle(proposal) {
    const isGivenBack = this.chosen.get(proposal.id) === this.polarity;
    this.open();
    if (isGivenBack) this.chosen.delete(proposal.id);
    else this.chosen.set(proposal.id, this.polarity);
    this.paint((mask, value) => mask.of(proposal.mask, value), { isErasing: isGivenBack });
    this.close();
    return !isGivenBack;
  }

  get isEmpty() {
    return Object.entries(this.masks).every(([name, mask]) => !this.isUsed[name] || mask.isEmpty);
  }

  /** What is marked, as [{polarity, region, proposal}]: chosen proposals by themselves where nothing else was painted. */
  async regions(proposals) {
    const found = [];
    for (const [polarity, mask] of Object.entries(this.masks)) {
      if (!this.isUsed[polarity] || mask.isEmpty) continue;
      const chosen = proposals.filter((each) => this.chosen.get(each.id) === polarity);
      if (chosen.length && mask.equals(union(chosen, mask))) {
        found.push(...chosen.map((each) => ({ polarity, region: each.region, proposal: each.id })));
      } else found.push({ polarity, region: { type: "mask", png: await pngOf(mask) } });
    }
    return found;
  }
}

function cropped(data, mask, box) {
  if (!data) return new Uint8Array((box[2] - box[0]) * (box[3] - box[1]));
  const whole = new Mask(0, 0);
  Object.assign(whole, { width: mask.width, height: mask.height, data });
  return whole.crop(box);
}

function union(proposals, like) {
  const found = new Mask(like.width, like.height);
  for (const each of proposals) found.of(each.mask, 1);
  return found;
}
