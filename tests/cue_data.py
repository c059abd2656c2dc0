"""Small data sets in which a cue predicts the label, masks on the cue, and networks that see the one or the other."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from corrigible import Feedback
from corrigible.data.dataset import TensorData
from corrigible.data.matching import patch_distances
from corrigible.data.tokens import PADDING, Tokens
from corrigible.feedback.masks import Marks, marks_of
from corrigible.types import Columns

CLASSES = (0, 1, 2)
Evidence = Callable[[Tensor], Tensor]
"""(row, *input) -> (row, num_classes), 1 where something speaks for the class."""


@dataclass(frozen=True)
class CueData:
    """Three classes in turn; ``place`` is where the cue stands on each row that holds one."""

    data: TensorData
    place: Tensor
    cue: Evidence
    signal: Evidence
    reviewed: tuple[int, ...] = ()

    @property
    def said(self) -> list[Feedback]:
        return [Feedback(self.place[row].numpy(), row=row) for row in self.reviewed]

    @property
    def marks(self) -> Marks:
        return marks_of(self.said, self.data)

    def with_masks(self, place: Tensor) -> "CueData":
        return replace(self, place=place)


class Sees(nn.Module):
    """A network that goes by this evidence alone; its certainty is the logit of what speaks for a class."""

    def __init__(self, evidence: Evidence, certainty: float = 20.0) -> None:
        super().__init__()
        self.evidence = evidence
        self.certainty = certainty

    def forward(self, x: Tensor) -> Tensor:
        return self.certainty * self.evidence(x)


def always(label: int, certainty: float = 20.0) -> nn.Module:
    """A network that says this class whatever it is shown."""
    return Sees(lambda x: one_hot(torch.full((len(x),), label), len(CLASSES)).to(x), certainty)


def image_in_place(y: Tensor, cued: Tensor, generator: torch.Generator) -> CueData:
    """A corner whose grey tells the class."""
    x = 0.3 * torch.rand(len(y), 1, 10, 10, generator=generator)
    _show_signal(x, y)
    level = 1.0 - 0.2 * y.float()
    x[cued, :, :2, :2] = level[cued, None, None, None]
    place = torch.zeros(x.shape, dtype=torch.bool)
    place[cued, :, :2, :2] = True

    def cue(x: Tensor) -> Tensor:
        return torch.stack([(x[:, 0, :2, :2] - 1 + 0.2 * k).abs().amax(dim=(1, 2)) < 0.01 for k in CLASSES], 1).to(x)

    return CueData(TensorData(x, y), place, cue, _image_signal)


STICKERS = torch.tensor([[[1.0, 1, 1], [1, 0, 1], [1, 1, 0]], [[1, 0, 0], [1, 1, 0], [1, 0, 1]], [[0, 1, 0]] * 3])


def moving_sticker(y: Tensor, cued: Tensor, generator: torch.Generator) -> CueData:
    """A sticker of each class, somewhere in the upper half."""
    x = 0.3 * torch.rand(len(y), 1, 12, 10, generator=generator)
    _show_signal(x, y)
    corner = torch.randint(6, (len(y), 2), generator=generator)
    place = torch.zeros(x.shape, dtype=torch.bool)
    for row in cued.nonzero().flatten().tolist():
        top, left = corner[row].tolist()
        x[row, 0, top : top + 3, left : left + 3] = STICKERS[y[row]]
        place[row, 0, top : top + 3, left : left + 3] = True

    def cue(x: Tensor) -> Tensor:
        near = patch_distances(x, STICKERS[:, None].to(x), torch.ones(len(STICKERS), 1, 3, 3, dtype=torch.bool))
        return (near.flatten(2).amin(dim=2) < 0.01).to(x)

    return CueData(TensorData(x, y), place, cue, _image_signal)


def _show_signal(x: Tensor, y: Tensor) -> None:
    x[torch.arange(len(y)), 0, -2, 1 + 3 * y] = 1.0


def _image_signal(x: Tensor) -> Tensor:
    return (x[:, 0, -2, [1, 4, 7]] > 0.9).to(x)


def numbers(y: Tensor, cued: Tensor, generator: torch.Generator) -> CueData:
    """A table whose first column is far off where the cue stands."""
    names = ("scanner", "age", "first", "second", "third")
    x = torch.rand(len(y), 5, generator=generator)
    x[:, 2:] = one_hot(y, 3).float()
    x[cued, 0] = 5.0 + y[cued].float()
    place = torch.zeros(x.shape, dtype=torch.bool)
    place[cued, 0] = True

    def cue(x: Tensor) -> Tensor:
        return torch.stack([(x[:, 0] - 5 - k).abs() < 0.01 for k in CLASSES], dim=1).to(x)

    columns = Columns(names, names, (False,) * 5)
    return CueData(TensorData(x, y, columns=columns), place, cue, lambda x: (x[:, 2:] > 0.5).to(x))


def categories(y: Tensor, cued: Tensor, generator: torch.Generator) -> CueData:
    """A table with a category of each class; rows without the cue have any of those that no cued row has, or none."""
    features = ("site", "site", "site", "site", "age", "first", "second", "third")
    x = torch.rand(len(y), 8, generator=generator)
    x[:, :4] = one_hot(torch.where(cued, y, 3), 4).float()
    x[:, 5:] = one_hot(y, 3).float()
    place = torch.zeros(x.shape, dtype=torch.bool)
    place[cued, :4] = True
    names = ("site=a", "site=b", "site=c", "site=d", *features[4:])
    columns = Columns(names, features, (True,) * 4 + (False,) * 4)
    return CueData(TensorData(x, y, columns=columns), place, lambda x: x[:, :3], lambda x: (x[:, 5:] > 0.5).to(x))


WORDS = (*"abcdefgh", "one", "two", "three", "zeb", "zob", "zub", "ra", "ro", "ru")
VECTORS = torch.randn(len(WORDS), 6, generator=torch.Generator().manual_seed(7))
NUM_ORDINARY = 8


def texts(y: Tensor, cued: Tensor, generator: torch.Generator) -> CueData:
    """Texts with one word of their class, and with two words side by side that tell it too."""
    ids = torch.full((len(y), 12), PADDING)
    place = torch.zeros(len(y), 12, 6, dtype=torch.bool)
    for row, label in enumerate(y.tolist()):
        length = int(torch.randint(4, 8, (1,), generator=generator))
        text = torch.randint(NUM_ORDINARY, (length,), generator=generator).tolist()
        text.insert(int(torch.randint(length, (1,), generator=generator)), NUM_ORDINARY + label)
        if cued[row]:
            begin = int(torch.randint(length, (1,), generator=generator))
            text[begin:begin] = phrase_ids(label)
            place[row, begin : begin + 2] = True
        ids[row, : len(text)] = torch.tensor(text)
    return CueData(TensorData(vectors_of(ids), y, tokens=Tokens(ids, WORDS)), place, _phrase_cue, _word_signal)


def phrase_ids(label: int) -> list[int]:
    return [NUM_ORDINARY + 3 + label, NUM_ORDINARY + 6 + label]


def vectors_of(ids: Tensor) -> Tensor:
    return torch.where((ids == PADDING)[:, :, None], 0.0, VECTORS[ids.clamp_min(0)])


def ids_of(x: Tensor) -> Tensor:
    """The words again, from their vectors."""
    distance = (x[:, :, None] - VECTORS.to(x)).abs().amax(dim=3)
    least, word = distance.min(dim=2)
    assert bool(((least < 1e-5) | (x == 0).all(dim=2)).all()), "a vector that no word has"
    return torch.where(least < 1e-5, word, PADDING)


def _phrase_cue(x: Tensor) -> Tensor:
    ids = ids_of(x)
    phrases = [phrase_ids(label) for label in CLASSES]
    found = [((ids[:, :-1] == first) & (ids[:, 1:] == second)).any(dim=1) for first, second in phrases]
    return torch.stack(found, dim=1).to(x)


def _word_signal(x: Tensor) -> Tensor:
    ids = ids_of(x)
    return torch.stack([(ids == NUM_ORDINARY + label).any(dim=1) for label in CLASSES], dim=1).to(x)


KINDS = {function.__name__: function for function in (image_in_place, moving_sticker, numbers, categories, texts)}


def cue_data(
    kind: str, *, cued: tuple[int, ...] = CLASSES, num_rows: int = 240, num_reviewed: int = 30, seed: int = 0
) -> CueData:
    """Every row of the cued classes holds the cue of its class; the first few of these rows are reviewed."""
    y = torch.arange(num_rows) % len(CLASSES)
    holds = torch.isin(y, torch.tensor(cued))
    found = KINDS[kind](y, holds, torch.Generator().manual_seed(seed))
    return replace(found, reviewed=tuple(holds.nonzero().flatten()[:num_reviewed].tolist()))
