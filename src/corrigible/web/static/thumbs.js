// Small pictures with a region coloured.
import { el } from "./dom.js";

/** The small picture of the image at [split, row], or without it; `mask` is the address of a picture that is light where
 * the region is. */
export function markedThumb(place, mask) {
  const region = el("span", { class: "region" });
  region.style.maskImage = `url("${mask}")`;
  return el("span", { class: "thumb" }, place ? el("img", { src: `/thumb/${encodeURIComponent(place[0])}/${place[1]}.png`, alt: "" }) : null, region);
}
