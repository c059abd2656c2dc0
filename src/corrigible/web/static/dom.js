// Elements and words. All that comes from data enters as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An HTML element; attributes that begin with "on" are listeners, strings among the children are text. */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** An SVG element, likewise. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

export function button(words, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, ...[words].flat());
}

/** A number as people read it, with a true minus sign. */
export function number(value, digits = 3) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const written = size !== 0 && (size < 0.001 || size >= 1e6)
    ? value.toPrecision(digits)
    : value.toLocaleString("en", { maximumFractionDigits: size >= 100 ? 1 : digits });
  return written.replace("-", "−");
}

/** A share in [−1, 1] as a percentage, with its sign if asked for. */
export function percent(share, { signed = false } = {}) {
  const value = share * 100;
  const written = Math.abs(value) < 10 ? value.toFixed(1) : value.toFixed(0);
  return (signed && value > 0 ? "+" : "") + written.replace("-", "−").replace(/^−0\.0$/, "0.0") + " %";
}

/** A chance that the server gives as text or as a number in [0, 1]. */
export function chance(value) {
  return typeof value === "number" ? percent(value) : value;
}

export function plural(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

export function capitalised(words) {
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

/** What the two colours of an explanation mean; with a scale, how many times the average has the full colour. */
export function colourKey(prediction, { fullAt, part, thing } = {}) {
  if (!fullAt) return [el("span", { class: "key for" }), `for ${prediction}`, el("span", { class: "key against" }), "against it"];
  return ["against it ", el("span", { class: "scale", "aria-hidden": "true" }), ` for ${prediction}. Full colour: ${fullAt} times the average ${part}, in every ${thing}.`];
}

/** The time of day, or the date where it was not today. */
export function when(at) {
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return at;
  const isToday = time.toDateString() === new Date().toDateString();
  const hour = time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return isToday ? hour : `${time.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" })}, ${hour}`;
}

/** A group of choices of which one holds, as radio buttons that look like a row of buttons. */
export function choice(legend, name, options, chosen, onchange) {
  const inputs = options.map(([value, words]) => el("label", {},
    el("input", { type: "radio", name, value, checked: value === chosen, onchange: () => onchange(value) }),
    el("span", {}, words)));
  const group = el("fieldset", { class: "choice" }, el("legend", {}, legend), el("div", { class: "options" }, inputs));
  group.choose = (value) => {
    for (const input of group.querySelectorAll("input")) input.checked = input.value === value;
  };
  return group;
}

/** A menu [[value, words], …] with a label. */
export function menu(words, options, chosen, onchange) {
  return el("label", {}, words, " ", el("select", { onchange: (event) => onchange(event.target.value) },
    options.map(([value, shown]) => el("option", { value, selected: value === chosen }, shown))));
}

/** Which of several pages is shown, and buttons to the others; nothing for a single one. */
export function pager(page, pages, move) {
  if (pages <= 1) return null;
  return el("p", { class: "pages" }, button("Back", () => move(page - 1), { disabled: page <= 1 }), ` page ${page} of ${pages} `,
    button("Next", () => move(page + 1), { disabled: page >= pages }));
}

/** Calls the function once, when nothing has asked for it during so many milliseconds. */
export function settled(milliseconds, call) {
  let timer = null;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), milliseconds);
  };
}
