"""What a notebook shows of a value that is the last line of a cell: IPython asks it for ``_repr_html_``."""

import base64
import io
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

LONGEST_SIDE = 96
"""Of the small picture of a mask, in pixels of the screen."""
MARKED, UNMARKED = (196, 81, 11), (238, 241, 244)


class Shown(Markup):
    """HTML that a notebook shows as it is."""

    def _repr_html_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<{len(self):,} characters of HTML>"


def html_of(value: Any) -> Markup:
    """What a notebook shows of the value; its text where it has no HTML of its own."""
    own = getattr(value, "_repr_html_", None)
    return Markup(own()) if own is not None else escape(str(value))


def mask_image(mask: NDArray[np.bool_], *, alt: str) -> Markup:
    """A small picture of a mask of shape (height, width) or (channel, height, width), marked pixels in colour."""
    from PIL import Image

    is_marked = np.asarray(mask if mask.ndim == 2 else mask.any(axis=0))
    colours = np.where(is_marked[..., None], MARKED, UNMARKED).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(colours).save(written, format="PNG")
    scale = LONGEST_SIDE / max(is_marked.shape)
    height, width = (max(1, round(scale * side)) for side in is_marked.shape)
    return Markup(
        '<img width="{}" height="{}" alt="{}" style="image-rendering:pixelated;vertical-align:middle"'
        ' src="data:image/png;base64,{}">'
    ).format(width, height, alt, base64.b64encode(written.getvalue()).decode())
