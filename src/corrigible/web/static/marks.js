// Marks on things with names or places, features or words: each bears at most one meaning; with steps back.

export class FeatureMarks {
  constructor(changed) {
    this.polarity = "irrelevant";
    this.marked = new Map();
    this.done = [];
    this.undone = [];
    this.changed = changed;
  }

  of(name) {
    return this.marked.get(name);
  }

  /** The meaning that all of these have, or undefined. */
  ofAll(names) {
    const found = new Set(names.map((name) => this.marked.get(name)));
    return found.size === 1 ? [...found][0] : undefined;
  }

  /** Marks all of these, or takes the marks away where all of them bear the current meaning. */
  toggle(names) {
    if (!names.length) return false;
    const isGivenBack = this.ofAll(names) === this.polarity;
    this.set(names, isGivenBack ? null : this.polarity);
    return !isGivenBack;
  }

  set(names, polarity) {
    this.done.push(new Map(this.marked));
    this.undone = [];
    for (const name of names) {
      if (polarity) this.marked.set(name, polarity);
      else this.marked.delete(name);
    }
    this.changed();
  }

  back() {
    return this.swap(this.done, this.undone);
  }

  forward() {
    return this.swap(this.undone, this.done);
  }

  swap(from, to) {
    if (!from.length) return false;
    to.push(this.marked);
    this.marked = from.pop();
    this.changed();
    return true;
  }

  get isEmpty() {
    return this.marked.size === 0;
  }

  /** [{polarity, region}] with the regions that `made(names)` builds from the names of one meaning. */
  regions(made) {
    return ["irrelevant", "relevant"].flatMap((polarity) => {
      const names = [...this.marked].filter(([, meaning]) => meaning === polarity).map(([name]) => name);
      return names.length ? made(names).map((region) => ({ polarity, region })) : [];
    });
  }
}
