// The tools that mark an image. Each takes points in the picture's pixels; pointers and keys feed them alike.

export const TOOLS = [
  { name: "choose", key: "v", words: "Choose", help: "click an outlined area" },
  { name: "brush", key: "b", words: "Brush", help: "paint" },
  { name: "eraser", key: "e", words: "Eraser", help: "wipe marks away" },
  { name: "rectangle", key: "r", words: "Rectangle", help: "drag from corner to corner" },
  { name: "polygon", key: "p", words: "Polygon", help: "click the corners; a double click or Enter closes it" },
  { name: "wand", key: "w", words: "Wand", help: "click to mark a piece of even colour" },
];

export class Tools {
  /** `surface` offers marking, lines (a LineLayer), proposals, segments(), scale() and announce(words). */
  constructor(surface) {
    this.surface = surface;
    this.name = "choose";
    this.size = 1;
    this.corners = [];
    this.preview = surface.lines.add("preview");
  }

  use(name) {
    this.cancel();
    this.name = name;
  }

  get isDragging() {
    return this.last !== null && this.last !== undefined;
  }

  down(point) {
    if (this.name === "polygon") return this.corner(point);
    this.last = point;
    if (this.name === "brush" || this.name === "eraser") {
      this.surface.marking.open();
      this.dab(point, point);
    }
    return null;
  }

  /** All points since the last call, so that a fast stroke has no gaps. */
  move(points) {
    if (this.name === "polygon") return this.draw([...this.corners, points.at(-1)]);
    if (!this.isDragging) return null;
    if (this.name === "rectangle") return this.draw(cornersOf(this.last, points.at(-1)), true);
    if (this.name !== "brush" && this.name !== "eraser") return null;
    for (const point of points) {
      this.dab(this.last, point);
      this.last = point;
    }
    return null;
  }

  async up(point) {
    const { last, name } = this;
    const { marking } = this.surface;
    if (!this.isDragging) return;
    this.last = null;
    if (name === "brush" || name === "eraser") marking.close();
    else if (name === "rectangle") {
      marking.once((mask, value) => mask.rectangle(last, point, value));
      this.draw([]);
    } else if (name === "wand") await this.wand(point);
    else if (name === "choose") this.choose(point);
  }

  cancel() {
    this.surface.marking.cancel();
    this.last = null;
    this.corners = [];
    this.draw([]);
  }

  dab(from, to) {
    const isErasing = this.name === "eraser";
    this.surface.marking.paint((mask, value) => mask.line(from, to, this.size, value), { isErasing });
  }

  /** The next corner; the first one again, or nearly the last one again, closes the polygon. */
  corner(point) {
    const near = (other) => other && Math.hypot(point.x - other.x, point.y - other.y) * this.surface.scale() < 9;
    if (this.corners.length > 2 && (near(this.corners[0]) || near(this.corners.at(-1)))) return this.enter();
    this.corners.push(point);
    return this.draw(this.corners);
  }

  /** Closes the polygon that was begun; whether there was one. */
  enter() {
    const corners = this.corners;
    if (corners.length < 3) return false;
    this.corners = [];
    this.draw([]);
    this.surface.marking.once((mask, value) => mask.polygon(corners, value));
    return true;
  }

  async wand(point) {
    const { marking, segments } = this.surface;
    const labels = await segments();
    const mask = marking.masks[marking.polarity];
    const isMarked = mask.data[Math.floor(point.y) * mask.width + Math.floor(point.x)] === 1;
    marking.once((each, value) => each.segment(labels, point, value), { isErasing: isMarked });
  }

  /** The smallest proposal under the point. */
  choose(point) {
    const { marking, proposals, announce } = this.surface;
    const under = proposals.filter(({ mask }) => mask.data[Math.floor(point.y) * mask.width + Math.floor(point.x)] === 1);
    under.sort((one, other) => one.area - other.area);
    if (!under.length) return announce("No proposal here. Choose one of the outlines, or paint with the brush.");
    const isChosen = marking.toggle(under[0]);
    return announce(`${under[0].title} ${isChosen ? "chosen" : "given back"}.`);
  }

  draw(points, isClosed = false) {
    this.preview.path(points.length ? `M${points.map(({ x, y }) => `${x} ${y}`).join("L")}${isClosed ? "Z" : ""}` : "");
    return null;
  }
}

/** The corners of the rectangle of whole pixels that a drag touches. */
function cornersOf(from, to) {
  const left = Math.floor(Math.min(from.x, to.x)), right = Math.floor(Math.max(from.x, to.x)) + 1;
  const top = Math.floor(Math.min(from.y, to.y)), bottom = Math.floor(Math.max(from.y, to.y)) + 1;
  return [{ x: left, y: top }, { x: right, y: top }, { x: right, y: bottom }, { x: left, y: bottom }];
}
