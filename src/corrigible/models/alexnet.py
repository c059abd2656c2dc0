"""Krizhevsky, Sutskever and Hinton 2012, ImageNet classification with deep convolutional neural networks, made smaller.

With batch normalisation in place of dropout and of the normalisation by neighbouring channels.
"""

from torch import nn

from corrigible.arguments import whole_number
from corrigible.models.affine import Numbers, affine

FILTERS = (1, 3, 6, 4, 4)
"""Of the five convolutions, in units of the first; AlexNet's first has 64."""
HALVED_AFTER = (0, 1, 4)
"""The convolutions after which the sides are halved."""


def alexnet(
    channels: int = 3,
    num_classes: int = 10,
    centre: Numbers = 0.0,
    scale: Numbers = 1.0,
    *,
    width: int = 32,
    hidden: int = 256,
) -> nn.Sequential:
    """AlexNet for images of 8 pixels to a side and more: five convolutions, two hidden layers, batch normalisation.

    Args:
        num_classes: number of outputs.
        centre, scale: of the outputs, for amounts in their own unit.
        width: filters of the first convolution; the others have 3, 6, 4 and 4 times as many.
        hidden: units of each of the two hidden layers.

    Raises:
        RecipeError: a number that is not whole, or below 1.
    """
    given = {"channels": channels, "num_classes": num_classes, "width": width, "hidden": hidden}
    channels, num_classes, width, hidden = (whole_number(name, value, 1) for name, value in given.items())
    layers: list[nn.Module] = []
    before = channels
    for place, filters in enumerate(width * times for times in FILTERS):
        layers += [nn.Conv2d(before, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if place in HALVED_AFTER else []
        before = filters
    layers += [nn.AdaptiveAvgPool2d(3), nn.Flatten()]
    for size in (9 * before, hidden):
        layers += [nn.Linear(size, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(hidden, num_classes), *affine(centre, scale))
