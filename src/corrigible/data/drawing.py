"""Draw one input and its attribution as a piece of HTML that needs no other file."""

import base64
import io
from html import escape

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.types import Columns

# Two colours that colour-blind people tell apart (Okabe and Ito), seen on black and on white alike.
TOWARDS = (213, 94, 0)
AGAINST = (86, 180, 233)
SIDE_PIXELS = 168


def draw_image(
    x: Float[Tensor, " *input"],
    attribution: Float[Tensor, " *input"] | None = None,
    columns: Columns | None = None,
    *,
    scale: float | None = None,
) -> str:
    """An ``<img>`` of one (height, width) or (channel, height, width) input; ``columns`` plays no part.

    Over the grey picture, attribution summed over channels is orange where positive and blue where negative, opaque at
    ``scale`` (by default its own largest size) and invisible at 0. Every input pixel becomes a square of pixels.
    """
    picture = _picture(x)
    words = "input"
    if attribution is not None:
        summed = _plane_sum(attribution)
        scale = _scale(summed, scale)
        strength = np.clip(summed / scale, -1, 1)[..., None]
        colour = np.where(strength > 0, TOWARDS, AGAINST) / 255
        picture = (1 - abs(strength)) * picture + abs(strength) * colour
        words = f"input with attribution, orange at +{scale:.3g}, blue at -{scale:.3g}"
    times = max(1, round(SIDE_PIXELS / max(picture.shape[:2])))
    pixels = (255 * picture).round().astype(np.uint8).repeat(times, axis=0).repeat(times, axis=1)
    return f'<img alt="{words}" src="data:image/png;base64,{_png(pixels)}">'


def draw_table(
    x: Float[Tensor, " column"],
    attribution: Float[Tensor, " column"] | None = None,
    columns: Columns | None = None,
    *,
    scale: float | None = None,
    num_features: int = 10,
) -> str:
    """A ``<table>`` of one row's features, the most attributed ones first, or as they come without attribution.

    A feature's bar is as long as the summed sizes of its columns' attribution, full at ``scale`` (by default the
    longest one). It is orange where the attribution of the value that the row has is positive, blue where it is
    negative.
    """
    if columns is None:
        names = tuple(f"x{i}" for i in range(len(x)))
        columns = Columns(names, names, (False,) * len(x))
    at = {feature: [i for i, owner in enumerate(columns.feature) if owner == feature] for feature in columns.features}
    values = {feature: _value(x, places, columns) for feature, places in at.items()}
    if attribution is None:
        return _html_table([f"<td>{escape(values[feature])}</td>" for feature in list(at)[:num_features]])
    present = torch.where(torch.tensor(columns.one_hot), x.detach().cpu(), 1.0)
    given = attribution.detach().cpu().double()
    sizes = {feature: float(given[places].abs().sum()) for feature, places in at.items()}
    signed = {feature: float((given * present)[places].sum()) for feature, places in at.items()}
    scale = _scale(np.array(list(sizes.values())), scale)
    first = sorted(at, key=lambda feature: -sizes[feature])[:num_features]
    return _html_table(
        [
            f"<td>{escape(values[f])}</td><td>{_bar(sizes[f], signed[f], scale)}</td><td>{sizes[f]:.3g}</td>"
            for f in first
        ]
    )


def _picture(x: Tensor) -> NDArray[np.float64]:
    """(height, width, 3) in 0 to 1; channels other than red, green and blue are averaged."""
    values = x.detach().cpu().double().numpy()
    low, high = values.min(), values.max()
    if low < 0 or high > 1:
        values = (values - low) / (high - low or 1)
    if values.ndim == 3 and len(values) == 3:
        return values.transpose(1, 2, 0)
    plane = values.mean(axis=0) if values.ndim == 3 else values
    return np.repeat(plane[..., None], 3, axis=2)


def _plane_sum(attribution: Tensor) -> NDArray[np.float64]:
    values = attribution.detach().cpu().double().numpy()
    return values.sum(axis=0) if values.ndim == 3 else values


def _scale(values: NDArray[np.float64], scale: float | None) -> float:
    if scale is not None and not scale > 0:
        raise ValueError(f"scale is {scale}; expected a number above 0")
    if not np.isfinite(values).all():
        raise ValueError("the attribution holds NaN or infinite values; expected finite ones")
    return scale or float(abs(values).max()) or 1.0


def _png(pixels: NDArray[np.uint8]) -> str:
    from matplotlib.image import imsave  # Takes a while to import, and only reports need it.

    buffer = io.BytesIO()
    # No version of the software in the file: the same picture gives the same bytes.
    imsave(buffer, pixels, format="png", metadata={"Software": None})  # type: ignore[dict-item]
    return base64.b64encode(buffer.getvalue()).decode()


def _value(x: Tensor, places: list[int], columns: Columns) -> str:
    """What the row has there, in words: the category, or the number of standard deviations from the mean."""
    if any(columns.one_hot[i] for i in places):
        return next((columns.names[i] for i in places if x[i] > 0), f"{columns.feature[places[0]]}: none of the known")
    return ", ".join(f"{columns.names[i]}: {float(x[i]):+.2f}" for i in places)


def _bar(size: float, signed: float, scale: float) -> str:
    colour = f"rgb{TOWARDS if signed > 0 else AGAINST if signed < 0 else (128, 128, 128)}"
    width = 120 * min(1.0, size / scale)
    return f'<div style="background:{colour};width:{width:.0f}px;height:0.8em"></div>'


def _html_table(rows: list[str]) -> str:
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"
