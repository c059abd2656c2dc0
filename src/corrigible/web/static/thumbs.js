// Small pictures with a region coloured.
import { el } from "./dom.js";

/** The small picture of an item; `mask` is the address of a picture that is light where the region is. */
export function markedThumb(split, row, mask) {
  const region = el("span", { class: "region" });
  region.style.maskImage = `url("${mask}")`;
  return el("span", { class: "thumb" }, el("img", { src: `/thumb/${encodeURIComponent(split)}/${row}.png`, alt: "" }), region);
}
