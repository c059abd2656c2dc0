// Where a picture lies on the screen: scale and offset, in CSS pixels.

const CLOSEST = 96;

export class View {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.shown = { width: 1, height: 1 };
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.isFitted = true;
  }

  /** The room on the screen changed. */
  resize(width, height) {
    this.shown = { width, height };
    if (this.isFitted) this.fit();
    else this.keepInside();
  }

  get fitting() {
    return Math.min(this.shown.width / this.width, this.shown.height / this.height);
  }

  fit() {
    this.scale = this.fitting;
    this.isFitted = true;
    this.keepInside();
  }

  /** Closer or farther by this factor, with the same place under the point. */
  zoom(factor, at = { x: this.shown.width / 2, y: this.shown.height / 2 }) {
    const scale = Math.min(Math.max(CLOSEST, this.fitting * 8), Math.max(this.fitting, this.scale * factor));
    const under = this.inPicture(at);
    this.scale = scale;
    this.x = at.x - under.x * scale;
    this.y = at.y - under.y * scale;
    this.isFitted = scale === this.fitting;
    this.keepInside();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.keepInside();
  }

  keepInside() {
    const kept = (offset, size, room) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, offset)));
    this.x = kept(this.x, this.width * this.scale, this.shown.width);
    this.y = kept(this.y, this.height * this.scale, this.shown.height);
  }

  inPicture({ x, y }) {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  onScreen({ x, y }) {
    return { x: x * this.scale + this.x, y: y * this.scale + this.y };
  }
}
