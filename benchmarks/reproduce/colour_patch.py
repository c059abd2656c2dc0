"""A colour patch on half of the rows of one class, as the plasters in the ISIC pictures of benign moles.

    python benchmarks/reproduce/colour_patch.py [--seeds 3] [--methods right_reasons]

Photographs on textures (see stamps_files.py): half of the training plants have a patch of bright colour, no animal has
one. Every patched row says where its patch is. Balanced accuracy without patches is the mean of the classes' accuracies
on test rows of which none has a patch (``clean_macro_group_accuracy``); published for ISIC: 0.702 before, 0.721 after.
In the other test rows half of each class has a patch, and the groups are class × patch. Writes
benchmarks/results/reproduce_colour_patch.json.
"""

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from stamps_files import SIZE, composites
from stamps_on_textures import QUICK_ROWS, ROWS, as_rows, network
from torch import Tensor

from cases import Case, Plan, about_rows, options, over_seeds
from corrigible.data.dataset import TensorData
from corrigible.protocols.schedule import Schedule

PLAN = Plan(fool=Schedule(epochs=12), correct=Schedule(epochs=10))
COLOURS = torch.tensor([[0.95, 0.2, 0.2], [0.2, 0.85, 0.3], [0.25, 0.35, 0.95], [0.95, 0.85, 0.1]])
RADII = 8, 12
NUM_MEASURED = 400


def colour_patch(seed: int, quick: bool) -> Case:
    """The patches of all patched training rows are marked."""
    sizes = QUICK_ROWS if quick else ROWS
    clean = {split: as_rows(composites(split, num_rows, seed=seed)) for split, num_rows in sizes.items()}
    patched = {
        split: with_patches(data, informative=split != "test", seed=len(clean) * seed + draw)
        for draw, (split, data) in enumerate(clean.items())
    }
    rows = {split: data for split, (data, _) in patched.items()}
    marks = {split: irrelevant for split, (_, irrelevant) in patched.items()}
    bare = {split: replace(rows[split], x=rows[split].x * ~marks[split][:, None]) for split in rows}
    return Case(
        train=rows["train"],
        validation=rows["validation"],
        test=rows["test"],
        clean_train=clean["train"],
        clean_test=clean["test"],
        feedback={"every patch": about_rows(marks["train"], has_marks(marks["train"]))},
        test_feedback=about_rows(marks["test"], has_marks(marks["test"])[:NUM_MEASURED]),
        network=lambda: network(seed),
        masked=(bare["train"], bare["test"]),
    )


def with_patches(
    data: TensorData, *, informative: bool, seed: int
) -> tuple[TensorData, Bool[Tensor, " row size size"]]:
    """The rows, half of them with a patch, and where it is; when informative, plants alone get one.

    The group of a row is 2 × class, plus 1 where it has a patch.
    """
    generator = torch.Generator().manual_seed(seed)
    has_patch = torch.rand(len(data), generator=generator) < 0.5
    if informative:
        has_patch &= data.y == 0
    marks = discs(len(data), generator) & has_patch[:, None, None]
    colour = COLOURS[torch.randint(len(COLOURS), (len(data),), generator=generator)][..., None, None]
    x = torch.where(marks[:, None], colour, data.x)
    return replace(data, x=x, group=2 * data.y + has_patch.long()), marks


def discs(num_rows: int, generator: torch.Generator) -> Bool[Tensor, " row size size"]:
    """One disc per row, of drawn radius, at a drawn place beside the left or right edge."""

    def between(low: float, high: float) -> Float[Tensor, " row 1 1"]:
        return low + (high - low) * torch.rand(num_rows, 1, 1, generator=generator)

    radius = between(*RADII)
    is_right = between(0, 1) < 0.5
    across = torch.where(is_right, SIZE - 1 - radius, radius)
    down = between(RADII[1], SIZE - RADII[1])
    place = torch.arange(SIZE)
    return (place[None, :, None] - down) ** 2 + (place[None, None, :] - across) ** 2 <= radius**2


def has_marks(marks: Bool[Tensor, " row size size"]) -> list[int]:
    found: list[int] = marks.flatten(1).any(dim=1).nonzero().flatten().tolist()
    return found


if __name__ == "__main__":
    over_seeds("colour_patch", colour_patch, PLAN, options(__doc__, PLAN).parse_args())
