"""A small convolutional network for pictures of any size, grey or colour."""

from collections.abc import Sequence

from torch import nn

from corrigible.models.affine import Numbers, affine


def small_cnn(
    channels: int = 3,
    num_classes: int = 2,
    centre: Numbers = 0.0,
    scale: Numbers = 1.0,
    *,
    filters: Sequence[int] = (16, 32, 64),
) -> nn.Sequential:
    """Convolutions with ReLUs and max-pooling, each of which halves the sides, then averages over a grid of 3×3 places.

    Args:
        num_classes: number of outputs.
        centre, scale: of the outputs, for amounts in their own unit.
        filters: of each convolution; three of them need images of at least 8 pixels to a side.
    """
    if not filters or any(number < 1 for number in filters):
        raise ValueError(f"filters are {list(filters)}; expected numbers of at least 1")
    layers: list[nn.Module] = []
    for before, after in zip((channels, *filters), filters, strict=False):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(
        *layers,
        nn.AdaptiveAvgPool2d(3),
        nn.Flatten(),
        nn.Linear(9 * filters[-1], 64),
        nn.ReLU(),
        nn.Linear(64, num_classes),
        *affine(centre, scale),
    )
