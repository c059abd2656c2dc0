"""Networks for texts that come as rows of word vectors, (token, dimension), padded with zero vectors.

The bag adds up one vector per word. The convolutional network is Kim's, "Convolutional Neural Networks for Sentence
Classification" (2014): filters over 2, 3 and 4 words, with the largest response of each filter anywhere in the text.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from corrigible.models.affine import Numbers, with_affine

WIDTHS = (2, 3, 4)


class TextBag(nn.Module):
    """The sum of one learned vector per word, then a small network; the order of the words does not matter.

    In a sum, unlike a mean, a word's contribution does not depend on the other words, and padding adds nothing.
    """

    def __init__(self, dimension: int, num_classes: int, sizes: Sequence[int], dropout: float) -> None:
        super().__init__()
        # Without a bias, which padding would add once per padded place.
        self.embedding = nn.Linear(dimension, sizes[0], bias=False)
        layers: list[nn.Module] = [nn.SiLU(), nn.Dropout(dropout)]
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.SiLU(), nn.Dropout(dropout)]
        self.classifier = nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))

    def forward(self, x: Float[Tensor, " batch token dimension"]) -> Float[Tensor, " batch num_classes"]:
        found: Tensor = self.classifier(self.embedding(x).sum(dim=1))
        return found


class TextCnn(nn.Module):
    """Filters over consecutive words, the largest response of each filter, then a linear classifier."""

    def __init__(self, dimension: int, num_classes: int, filters: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        # Padded by the whole width, so that every text has one window without words and more padding changes nothing.
        self.convolutions = nn.ModuleList(nn.Conv1d(dimension, filters, width, padding=width) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(filters * len(widths), num_classes)

    def forward(self, x: Float[Tensor, " batch token dimension"]) -> Float[Tensor, " batch num_classes"]:
        along = x.transpose(1, 2)
        answers = [functional.relu(convolution(along)) for convolution in self.convolutions]
        strongest = torch.cat([functional.adaptive_max_pool1d(each, 1) for each in answers], dim=1)
        found: Tensor = self.classifier(self.dropout(strongest.flatten(1)))
        return found


def text_bag(
    dimension: int,
    num_classes: int,
    centre: Numbers = 0.0,
    scale: Numbers = 1.0,
    *,
    hidden: Sequence[int] = (64, 32),
    dropout: float = 0.1,
) -> nn.Module:
    """Network that sums a learned vector of ``hidden[0]`` numbers per word; smooth SiLU activations after the sum.

    Rows of x are (token, dimension); zero vectors are padding and change nothing. The learned vector is linear in the
    word's fixed one.

    Args:
        num_classes: number of outputs.
        centre, scale: of the outputs, for amounts in their own unit.

    Raises:
        ValueError: no hidden size, or one below 1.
    """
    if not hidden:
        raise ValueError("hidden is empty; expected at least the size of a word's learned vector")
    _require_positive("hidden sizes", hidden)
    return with_affine(TextBag(dimension, num_classes, hidden, dropout), centre, scale)


def text_cnn(
    dimension: int,
    num_classes: int,
    centre: Numbers = 0.0,
    scale: Numbers = 1.0,
    *,
    filters: int = 64,
    widths: Sequence[int] = WIDTHS,
    dropout: float = 0.2,
) -> nn.Module:
    """Kim's convolutional network (2014) with ``filters`` filters of each width, in words.

    Rows of x are (token, dimension); zero vectors after the text are padding and change nothing.

    Args:
        num_classes: number of outputs.
        centre, scale: of the outputs, for amounts in their own unit.

    Raises:
        ValueError: no width, or a number below 1.
    """
    if not widths:
        raise ValueError("widths is empty; expected at least one, in words")
    _require_positive("widths", widths)
    _require_positive("filters", (filters,))
    return with_affine(TextCnn(dimension, num_classes, filters, widths, dropout), centre, scale)


def _require_positive(what: str, numbers: Sequence[int]) -> None:
    if any(number < 1 for number in numbers):
        raise ValueError(f"{what} are {list(numbers)}; expected numbers of at least 1")
