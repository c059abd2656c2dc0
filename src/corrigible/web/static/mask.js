// A mask over an image: one byte for each pixel, 1 where it is marked. Every change returns the box that it touched,
// [left, top, right, bottom) in pixels, or null.

export class Mask {
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.data = new Uint8Array(width * height);
  }

  box(left, top, right, bottom) {
    const found = [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top)),
      Math.min(this.width, Math.ceil(right)), Math.min(this.height, Math.ceil(bottom))];
    return found[0] < found[2] && found[1] < found[3] ? found : null;
  }

  /** Pixels whose centre is within half the size of the line between two points, and those under the points. */
  line(from, to, size, value) {
    const radius = size / 2;
    const box = this.box(Math.min(from.x, to.x) - radius, Math.min(from.y, to.y) - radius,
      Math.max(from.x, to.x) + radius + 1e-9, Math.max(from.y, to.y) + radius + 1e-9);
    if (!box) return null;
    const dx = to.x - from.x, dy = to.y - from.y, square = dx * dx + dy * dy, least = radius * radius;
    for (let y = box[1]; y < box[3]; y++) {
      for (let x = box[0]; x < box[2]; x++) {
        const px = x + 0.5 - from.x, py = y + 0.5 - from.y;
        const along = square ? Math.min(1, Math.max(0, (px * dx + py * dy) / square)) : 0;
        const ex = px - along * dx, ey = py - along * dy;
        if (ex * ex + ey * ey <= least) this.data[y * this.width + x] = value;
      }
    }
    this.point(from, value);
    this.point(to, value);
    return box;
  }

  point({ x, y }, value) {
    const column = Math.floor(x), row = Math.floor(y);
    if (column >= 0 && row >= 0 && column < this.width && row < this.height) this.data[row * this.width + column] = value;
  }

  /** Every pixel that the rectangle between two points touches. */
  rectangle(from, to, value) {
    const box = this.box(Math.floor(Math.min(from.x, to.x)), Math.floor(Math.min(from.y, to.y)),
      Math.floor(Math.max(from.x, to.x)) + 1, Math.floor(Math.max(from.y, to.y)) + 1);
    if (!box) return null;
    for (let y = box[1]; y < box[3]; y++) this.data.fill(value, y * this.width + box[0], y * this.width + box[2]);
    return box;
  }

  /** Pixels whose centre lies in the polygon, by the even-odd rule. */
  polygon(points, value) {
    const xs = points.map((point) => point.x), ys = points.map((point) => point.y);
    const box = this.box(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
    if (!box) return null;
    for (let y = box[1]; y < box[3]; y++) {
      const crossings = [];
      points.forEach((one, place) => {
        const other = points[(place + 1) % points.length];
        if (one.y <= y + 0.5 === other.y <= y + 0.5) return;
        crossings.push(one.x + ((y + 0.5 - one.y) / (other.y - one.y)) * (other.x - one.x));
      });
      crossings.sort((one, other) => one - other);
      for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
        const left = Math.max(box[0], Math.ceil(crossings[pair] - 0.5));
        const right = Math.min(box[2], Math.ceil(crossings[pair + 1] - 0.5));
        if (left < right) this.data.fill(value, y * this.width + left, y * this.width + right);
      }
    }
    return box;
  }

  /** The segment that holds this pixel. */
  segment(labels, { x, y }, value) {
    const label = labels[Math.floor(y) * this.width + Math.floor(x)];
    return this.where((place) => labels[place] === label, value);
  }

  /** Every pixel that another mask marks. */
  of(other, value) {
    return this.where((place) => other.data[place] === 1, value);
  }

  where(is, value) {
    let left = this.width, top = this.height, right = 0, bottom = 0;
    for (let y = 0, place = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++, place++) {
        if (!is(place)) continue;
        this.data[place] = value;
        if (x < left) left = x;
        if (x >= right) right = x + 1;
        if (y < top) top = y;
        bottom = y + 1;
      }
    }
    return left < right ? [left, top, right, bottom] : null;
  }

  crop([left, top, right, bottom]) {
    const found = new Uint8Array((right - left) * (bottom - top));
    for (let y = top; y < bottom; y++) {
      found.set(this.data.subarray(y * this.width + left, y * this.width + right), (y - top) * (right - left));
    }
    return found;
  }

  paste([left, top, right, bottom], values) {
    for (let y = top; y < bottom; y++) {
      this.data.set(values.subarray((y - top) * (right - left), (y - top + 1) * (right - left)), y * this.width + left);
    }
  }

  equals(other) {
    return this.data.every((value, place) => value === other.data[place]);
  }

  get count() {
    let found = 0;
    for (const value of this.data) found += value;
    return found;
  }

  get isEmpty() {
    return !this.data.includes(1);
  }

  get whole() {
    return [0, 0, this.width, this.height];
  }
}

/** The smallest box around both. */
export function around(one, other) {
  if (!one || !other) return one || other;
  return [Math.min(one[0], other[0]), Math.min(one[1], other[1]), Math.max(one[2], other[2]), Math.max(one[3], other[3])];
}
