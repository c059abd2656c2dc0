// Undo and redo of marks: each step knows the box that changed, and of each mask how it was there and how it became.

const MOST_BYTES = 128 * 2 ** 20;

const bytes = (step) => step.changes.reduce((sum, change) => sum + 2 * change.after.length, 0);

export class History {
  constructor() {
    this.done = [];
    this.undone = [];
    this.bytes = 0;
  }

  /** A step: {box, changes: [{mask, before, after}]}, and anything else that goes back and forth with it. */
  add(step) {
    this.done.push(step);
    this.undone = [];
    this.bytes += bytes(step);
    while (this.bytes > MOST_BYTES && this.done.length > 1) this.bytes -= bytes(this.done.shift());
  }

  undo() {
    const step = this.done.pop();
    if (!step) return null;
    for (const { mask, before } of step.changes) mask.paste(step.box, before);
    this.undone.push(step);
    return step;
  }

  redo() {
    const step = this.undone.pop();
    if (!step) return null;
    for (const { mask, after } of step.changes) mask.paste(step.box, after);
    this.done.push(step);
    return step;
  }
}
