"""Images and heat maps as inline SVG: the same input gives the same bytes, and nothing is loaded from elsewhere."""

import base64
import struct
import zlib
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8
from markupsafe import Markup
from torch import Tensor
from torch.nn.functional import avg_pool2d

LONGEST_SIDE = 160
"""Pictures with more pixels to a side are averaged down, to keep the page small."""
LIMIT_QUANTILE = 0.995
"""A colour scale ends here, so that a few extreme pixels do not make all others pale."""
STOPS = ((33, 102, 172), (146, 197, 222), (255, 255, 255), (244, 165, 130), (178, 24, 43))
"""Blue, white, red: told apart with any colour vision."""
FAINT = 0.4
"""Contrast of an image under its map."""
UNKNOWN = (150, 150, 150)
MARKED, UNMARKED = (27, 31, 36), (238, 241, 244)


def input_picture(
    x: Float[Tensor, " *input"],
    irrelevant: Bool[Tensor, " *input"] | None,
    *,
    brightness: tuple[float, float],
    alt: str,
) -> Markup:
    """One image with the outline of its marked region; ``brightness`` holds the values of black and white.

    Three channels are red, green and blue; any other number is averaged to grey.
    """
    return _picture(shades(_shrunk(channels_of(x)), brightness=brightness), marked_plane(irrelevant), alt)


def shades(
    channels: Float[Tensor, " channel height width"], *, brightness: tuple[float, float]
) -> UInt8[np.ndarray, " height width 3"]:
    """The image's pixels as colours; ``brightness`` holds the values of black and white."""
    if len(channels) != 3:
        channels = channels.mean(dim=0, keepdim=True).expand(3, -1, -1)
    low, high = brightness
    shade = ((channels - low) / (high - low)).clamp(0, 1).mul(255).round()
    pixels: UInt8[np.ndarray, " height width 3"] = shade.permute(1, 2, 0).numpy().astype(np.uint8)
    return pixels


def attribution_picture(
    attribution: Float[Tensor, " *input"], irrelevant: Bool[Tensor, " *input"] | None, *, limit: float, alt: str
) -> Markup:
    """One attribution, summed over channels, with the outline of the marked region."""
    return _picture(diverging(_plane(attribution), limit=limit), marked_plane(irrelevant), alt)


def map_over_picture(
    x: Float[Tensor, " *input"],
    attribution: Float[Tensor, " *input"],
    *,
    limit: float,
    brightness: tuple[float, float],
    alt: str,
) -> Markup:
    """One attribution, summed over channels, over a faint grey copy of its image; opaque where it is strong."""
    plane = _plane(attribution)
    grey = shades(_shrunk(channels_of(x)), brightness=brightness).mean(axis=-1, keepdims=True)
    faint = 255 - FAINT * (255 - grey)
    share = np.clip(np.abs(np.nan_to_num(plane, nan=limit)) / limit, 0, 1)
    opacity = np.sqrt(share)[..., None]
    mixed = opacity * diverging(plane, limit=limit) + (1 - opacity) * faint
    return _picture(mixed.round().astype(np.uint8), None, alt)


def mask_picture(mask: Bool[np.ndarray, " height width"], *, alt: str) -> Markup:
    """Dark where the mask is True."""
    return _picture(np.where(mask[..., None], MARKED, UNMARKED).astype(np.uint8), None, alt)


def shared_limit(attributions: Sequence[Float[Tensor, " ..."]]) -> float:
    """The 99.5th percentile of the absolute attribution over all heat maps: the end of their common colour scale."""
    sizes = np.abs(np.concatenate([_plane(attribution).ravel() for attribution in attributions]))
    sizes = sizes[np.isfinite(sizes)]
    if not sizes.size or not sizes.max():
        return 1.0
    return float(np.quantile(sizes, LIMIT_QUANTILE) or sizes.max())


def brightness_of(images: Sequence[Float[Tensor, " ..."]]) -> tuple[float, float]:
    """The values drawn black and white: 0 and 1, or the ends of all images' values where they go beyond."""
    low = min(float(x.min()) for x in images)
    high = max(float(x.max()) for x in images)
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def share_in(attribution: Float[Tensor, " *input"], irrelevant: Bool[Tensor, " *input"] | None) -> float | None:
    """Share of the absolute attribution in the marked region; None without a region or without any attribution."""
    total = float(attribution.abs().sum())
    if irrelevant is None or not irrelevant.any() or not 0 < total < float("inf"):
        return None
    return float((attribution.abs() * irrelevant).sum()) / total


def diverging(values: Float[np.ndarray, " *space"], *, limit: float) -> UInt8[np.ndarray, " *space 3"]:
    """Blue at −limit, white at 0, red at +limit; stronger values have the end's colour, NaN is grey."""
    share = np.clip(np.nan_to_num(values / limit), -1, 1)
    channels = [np.interp(share, (-1, -0.5, 0, 0.5, 1), [stop[i] for stop in STOPS]) for i in range(3)]
    colours = np.stack(channels, axis=-1).round().astype(np.uint8)
    colours[np.isnan(values)] = UNKNOWN
    return colours


def colour_scale(limit: float) -> Markup:
    """The legend of ``diverging``."""
    bar = base64.b64encode(png(diverging(np.linspace(-1, 1, 101)[None], limit=1.0))).decode()
    return Markup(
        '<svg class="scale" width="240" height="34" viewBox="0 0 240 34" role="img" '
        'aria-label="colour scale: blue at −{0}, white at 0, red at +{0}">'
        '<image x="30" width="180" height="12" preserveAspectRatio="none" href="data:image/png;base64,{1}"/>'
        '<path class="axis" d="M30 12v4M120 12v4M210 12v4"/><text x="30" y="30" text-anchor="middle">−{0}</text>'
        '<text x="120" y="30" text-anchor="middle">0</text><text x="210" y="30" text-anchor="middle">+{0}</text></svg>'
    ).format(f"{limit:.2g}", bar)


def png(image: UInt8[np.ndarray, " height width 3"]) -> bytes:
    """The image as a PNG file."""
    height, width = image.shape[:2]
    # Each line starts with the number of its filter; 0 is none.
    lines = np.hstack([np.zeros((height, 1), np.uint8), image.reshape(height, -1)]).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _picture(image: np.ndarray, outlined: np.ndarray | None, alt: str) -> Markup:
    """An image and the outline of a region, which may have more pixels."""
    height, width = image.shape[:2] if outlined is None else outlined.shape
    path = "" if outlined is None else _outline(outlined)
    edges = Markup('<path class="halo" d="{0}"/><path class="outline" d="{0}"/>').format(path) if path else ""
    return Markup(
        '<svg class="picture{}" viewBox="0 0 {w} {h}" role="img" aria-label="{}">'
        '<image width="{w}" height="{h}" preserveAspectRatio="none" href="data:image/png;base64,{}"/>{}</svg>'
    ).format(
        " sharp" if max(height, width) <= 64 else "",
        alt,
        base64.b64encode(png(image)).decode(),
        edges,
        w=width,
        h=height,
    )


def channels_of(image: Tensor) -> Tensor:
    """(channel, height, width), on the CPU."""
    if image.ndim not in (2, 3):
        raise ValueError(
            f"an image of shape {tuple(image.shape)}; expected (channel, height, width) or (height, width)"
        )
    return image.detach().cpu() if image.ndim == 3 else image.detach().cpu()[None]


def _plane(attribution: Tensor) -> np.ndarray:
    plane: np.ndarray = _shrunk(channels_of(attribution).float()).sum(dim=0).numpy()
    return plane


def marked_plane(irrelevant: Tensor | None) -> np.ndarray | None:
    """True where any channel is marked."""
    return None if irrelevant is None else np.asarray(channels_of(irrelevant).any(dim=0))


def _shrunk(channels: Tensor) -> Tensor:
    factor = -(-max(channels.shape[1:]) // LONGEST_SIDE)
    return channels.float() if factor == 1 else avg_pool2d(channels.float()[None], factor, ceil_mode=True)[0]


def border(region: Bool[np.ndarray, " height width"]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The lines between the region and the rest, level ones first, each from one pixel's corner (x, y) to another."""
    padded = np.pad(region, 1)
    across = padded[1:, 1:-1] != padded[:-1, 1:-1]
    down = padded[1:-1, 1:] != padded[1:-1, :-1]
    level = [((start, y), (start + length, y)) for y, start, length in _runs(across)]
    return level + [((x, start), (x, start + length)) for x, start, length in _runs(down.T)]


def _outline(region: np.ndarray) -> str:
    """SVG path along the border, in pixels."""
    return "".join(
        f"M{x} {y}h{right - x}" if y == bottom else f"M{x} {y}v{bottom - y}"
        for (x, y), (right, bottom) in border(region)
    )


def _runs(edges: np.ndarray) -> Iterable[tuple[int, int, int]]:
    """(line, start, length) of each stretch of True along a line."""
    steps = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    starts, ends = np.argwhere(steps == 1).tolist(), np.argwhere(steps == -1).tolist()
    for (line, start), (_, end) in zip(starts, ends, strict=True):
        yield line, start, end - start
