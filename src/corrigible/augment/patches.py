"""Patches: marked content cut out of images, to be pasted onto other images."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import binary_dilation, find_objects
from scipy.ndimage import label as connected
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

JOINED_SHARE = 1 / 14
"""Parts of a mask closer than this share of the longer side are joined, such as the letters of a stamp."""
SAME_PLACE = 0.5
"""Least intersection over union at which two parts count as at the same place."""
MARGIN = 1


@dataclass(frozen=True)
class Patches:
    """Parts of masks with the image content under them, all padded to one size."""

    values: Float[Tensor, " part channel rows columns"]
    mask: Bool[Tensor, " part channel rows columns"]
    corner: Int[Tensor, " part two"]
    """Top and left of each patch in its image; may lie outside of the image by the margin."""
    row: Int[Tensor, " part"]
    """The reviewed row it was cut from, counted from 0."""
    soft: Float[Tensor, " part channel rows columns"]
    """1 on the mask, less on the pixels around it."""

    def __len__(self) -> int:
        return len(self.row)

    def of(self, parts: Int[Tensor, " chosen"]) -> "Patches":
        return Patches(*(each[parts] for each in (self.values, self.mask, self.corner, self.row, self.soft)))


def cut_out(
    x: Float[Tensor, " image channel height width"], marked: Bool[Tensor, " image channel height width"]
) -> Patches:
    """The connected parts of each image's mask, with a margin of one pixel."""
    found = [(row, part, box) for row, mask in enumerate(marked) for part, box in _parts(mask)]
    size = [max((box[axis].stop - box[axis].start for _, _, box in found), default=1) + 2 * MARGIN for axis in (0, 1)]
    values, masks, corners = [], [], []
    for row, part, box in found:
        corner = [side.start - MARGIN for side in box]
        values.append(window(x[row], corner, size))
        masks.append(window(part, corner, size))
        corners.append(corner)
    if not found:
        nothing, no_row = x.new_zeros(0, x.shape[1], *size), torch.zeros(0, dtype=torch.long)
        return Patches(nothing, nothing.bool(), torch.zeros(0, 2, dtype=torch.long), no_row, nothing)
    rows, mask = torch.tensor([row for row, _, _ in found]), torch.stack(masks)
    soft = mask.float().maximum(avg_pool2d(mask.float(), 3, stride=1, padding=1))
    return Patches(torch.stack(values), mask, torch.tensor(corners), rows, soft)


def window(image: Tensor, corner: Sequence[int], size: Sequence[int]) -> Tensor:
    """The pixels of that box; what lies outside of the image is 0."""
    top, left = corner
    height, width = image.shape[-2:]
    above, before = max(0, -top), max(0, -left)
    below, after = max(0, top + size[0] - height), max(0, left + size[1] - width)
    inside = image[..., max(0, top) : top + size[0], max(0, left) : left + size[1]]
    return pad(inside, (before, after, above, below))


def _parts(mask: Bool[Tensor, " channel height width"]) -> list[tuple[Tensor, tuple[slice, slice]]]:
    plane = mask.any(dim=0).cpu().numpy()
    steps = max(1, round(max(plane.shape) * JOINED_SHARE) // 2)
    labels, count = connected(binary_dilation(plane, iterations=steps), structure=[[1] * 3] * 3)
    labels = labels * plane
    boxes = find_objects(labels, max_label=count)
    return [
        (mask & torch.from_numpy(labels == number).to(mask.device), box)
        for number, box in enumerate(boxes, start=1)
        if box is not None
    ]


def places(patches: Patches) -> Int[Tensor, " part"]:
    """The number of each part's place; parts that overlap by half or more share one."""
    found = torch.full((len(patches),), -1)
    first: list[int] = []
    for part in range(len(patches)):
        same = [place for place, other in enumerate(first) if _overlap(patches, part, other) >= SAME_PLACE]
        if not same:
            first.append(part)
        found[part] = same[0] if same else len(first) - 1
    return found


def _overlap(patches: Patches, first: int, second: int) -> float:
    """Intersection over union of two parts, as they lie in their images."""
    a, b = patches.mask[first].any(dim=0), patches.mask[second].any(dim=0)
    offset = (patches.corner[first] - patches.corner[second]).tolist()
    if any(abs(step) >= side for step, side in zip(offset, a.shape, strict=True)):
        return 0.0
    moved = window(b, offset, a.shape)
    both = int((a & moved).sum())
    return both / max(1, int(a.sum()) + int(b.sum()) - both)


def paste(
    x: Float[Tensor, " image channel height width"],
    image: Int[Tensor, " pasted"],
    corner: Int[Tensor, " pasted two"],
    values: Float[Tensor, " pasted channel rows columns"],
    share: Float[Tensor, " pasted channel rows columns"],
) -> None:
    """Paste patches into some of these images, in place; ``share`` is the opacity of a patch at each pixel, in [0, 1].

    An image gets at most one patch at any pixel. Parts outside of an image are dropped.
    """
    channels, height, width = x.shape[1:]
    down, right = (corner[:, axis, None] + torch.arange(values.shape[2 + axis]) for axis in (0, 1))
    is_inside = ((down >= 0) & (down < height))[:, :, None] & ((right >= 0) & (right < width))[:, None, :]
    plane = (image[:, None] * channels + torch.arange(channels))[:, :, None, None] * height
    number = (plane + down[:, None, :, None]) * width + right[:, None, None, :]
    # Only pixels with a share above 0: boxes are padded to one size and overlap where masks do not.
    shows = (share > 0) & is_inside[:, None].to(share.device)
    chosen = shows.flatten().nonzero().flatten()
    patch, amount = (part.flatten().index_select(0, chosen).to(x) for part in (values, share))
    where, pixels = number.flatten().index_select(0, chosen.cpu()).to(x.device), x.view(-1)
    pixels.index_copy_(0, where, torch.lerp(pixels.index_select(0, where), patch, amount))


def windows(
    wide: Float[Tensor, " image channel height width"],
    image: Int[Tensor, " cut"],
    corner: Int[Tensor, " cut two"],
    size: Sequence[int],
) -> Float[Tensor, " cut channel rows columns"]:
    """A box of this size cut from each of these widened images; pixels outside of the original image are 0."""
    return wide[_pixels(image, corner, size)].permute(0, 3, 1, 2)


def widened(x: Tensor, size: Sequence[int]) -> Tensor:
    """A copy padded with zeros, so that a box of this size fits wherever its mask lies inside an image."""
    return pad(x, (MARGIN, size[1], MARGIN, size[0]))


def _pixels(image: Tensor, corner: Tensor, size: Sequence[int]) -> tuple[Tensor, slice, Tensor, Tensor]:
    """The index of each box's pixels in widened images; indexing with it gives (box, rows, columns, channel)."""
    down, right = (MARGIN + corner[:, axis, None] + torch.arange(size[axis]) for axis in (0, 1))
    return image[:, None, None], slice(None), down[:, :, None], right[:, None, :]
