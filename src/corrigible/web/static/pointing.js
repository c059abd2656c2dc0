// Pointers and keys above a picture: one finger, a pen or the mouse draws, two fingers zoom and move, arrow keys move a
// cross that the space bar uses like a pointer.

export class Pointing {
  /** `box` receives the events; `redrawn()` is called when the view changed. */
  constructor({ box, view, tools, lines, redrawn, announce }) {
    Object.assign(this, { box, view, tools, redrawn, announce });
    this.pointers = new Map();
    this.cross = null;
    this.crossLine = lines.add("cross");
    this.ring = lines.add("ring");
    const on = (name, act, options) => box.addEventListener(name, act.bind(this), options);
    on("pointerdown", this.down);
    on("pointermove", this.move);
    on("pointerup", this.up);
    on("pointercancel", this.cancel);
    on("pointerleave", () => this.ring.path(""));
    on("wheel", this.wheel, { passive: false });
    on("keydown", this.key);
    on("blur", () => this.showCross(null));
    on("focus", () => { if (box.matches(":focus-visible")) this.showCross(this.cross ?? this.centre()); });
  }

  at(event, { left, top } = this.box.getBoundingClientRect()) {
    return { x: event.clientX - left, y: event.clientY - top };
  }

  down(event) {
    this.pointers.set(event.pointerId, this.at(event));
    if (this.pointers.size > 1) {
      this.tools.cancel();
      this.pinch = this.span();
      return;
    }
    if (event.button > 1) return;
    this.box.setPointerCapture(event.pointerId);
    this.isPanning = event.button === 1 || event.shiftKey;
    if (this.isPanning) event.preventDefault();
    else this.tools.down(this.view.inPicture(this.at(event)));
  }

  move(event) {
    const place = this.box.getBoundingClientRect(); // Once for all points: it may cost a layout.
    const now = this.at(event, place), before = this.pointers.get(event.pointerId);
    if (event.pointerType !== "touch") this.showRing(this.view.inPicture(now));
    if (before) this.pointers.set(event.pointerId, now);
    if (this.pinch) return this.pinched();
    if (before && this.isPanning) {
      this.view.pan(now.x - before.x, now.y - before.y);
      return this.redrawn();
    }
    const events = event.getCoalescedEvents?.() ?? [];
    const points = (events.length ? events : [event]).map((each) => this.view.inPicture(this.at(each, place)));
    return this.tools.move(points);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.pinch) {
      if (this.pointers.size === 0) this.pinch = null;
      return;
    }
    if (!this.isPanning) this.tools.up(this.view.inPicture(this.at(event)));
    this.isPanning = false;
  }

  cancel(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size === 0) this.pinch = null;
    this.tools.cancel();
  }

  span() {
    const [one, other] = this.pointers.values();
    return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2, size: Math.hypot(one.x - other.x, one.y - other.y) };
  }

  pinched() {
    if (this.pointers.size < 2) return;
    const now = this.span(), before = this.pinch;
    this.view.pan(now.x - before.x, now.y - before.y);
    this.view.zoom(now.size / Math.max(1, before.size), now);
    this.pinch = now;
    this.redrawn();
  }

  /** Ctrl with the wheel, or a pinch on a touchpad, zooms; else the page scrolls, or a closer picture moves. */
  wheel(event) {
    if (event.ctrlKey || event.metaKey) this.view.zoom(Math.exp(-event.deltaY / (event.deltaMode ? 10 : 200)), this.at(event));
    else if (!this.view.isFitted) this.view.pan(-event.deltaX, -event.deltaY);
    else return;
    event.preventDefault();
    this.redrawn();
  }

  centre() {
    return this.view.inPicture({ x: this.view.shown.width / 2, y: this.view.shown.height / 2 });
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (steps[event.key]) this.moveCross(steps[event.key], event.shiftKey);
    else if (event.key === " ") this.press();
    else if (event.key === "Enter" && this.tools.enter()) event.stopPropagation();
    else if (event.key === "Escape" && (this.tools.isDragging || this.tools.corners.length)) {
      this.tools.cancel();
      event.stopPropagation();
    } else return;
    event.preventDefault();
  }

  moveCross([dx, dy], isFar) {
    const length = Math.max(1, Math.round((isFar ? 48 : 12) / this.view.scale));
    const from = this.cross ?? this.centre();
    const within = (value, size) => Math.min(size - 0.5, Math.max(0.5, value));
    const to = {
      x: within(Math.floor(from.x) + 0.5 + dx * length, this.view.width),
      y: within(Math.floor(from.y) + 0.5 + dy * length, this.view.height),
    };
    this.showCross(to);
    this.tools.move([to]);
    this.announce(`Column ${Math.floor(to.x) + 1}, line ${Math.floor(to.y) + 1}`);
  }

  /** The space bar: a rectangle needs two presses, all else one. */
  press() {
    const at = this.cross ?? this.centre();
    this.showCross(at);
    if (this.tools.isDragging) return this.tools.up(at);
    this.tools.down(at);
    if (this.tools.name !== "rectangle") return this.tools.up(at);
    return this.announce("First corner. Move to the other corner and press the space bar.");
  }

  showCross(at) {
    this.cross = at ?? this.cross;
    const size = 9 / this.view.scale;
    this.crossLine.path(at ? `M${at.x - size} ${at.y}h${2 * size}M${at.x} ${at.y - size}v${2 * size}` : "");
  }

  showRing({ x, y }) {
    const radius = this.tools.size / 2;
    const isShown = (this.tools.name === "brush" || this.tools.name === "eraser") && radius * this.view.scale > 3;
    this.ring.path(isShown ? `M${x - radius} ${y}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0` : "");
  }
}
