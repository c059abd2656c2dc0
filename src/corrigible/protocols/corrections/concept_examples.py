"""Examples of a concept from feedback: rows as found, and the same rows with their marked inputs swapped."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from corrigible.batches import collate
from corrigible.data.dataset import rows_of, strata_of
from corrigible.data.protocol import Dataset
from corrigible.data.swapping import draw_donors
from corrigible.errors import DataError, FeedbackError
from corrigible.explanations.concepts import pooled_activations
from corrigible.feedback.masks import Marks

MAX_EXAMPLES = 512


def concept_examples(
    dataset: Dataset, marks: Marks, *, seed: int = 0, limit: int = MAX_EXAMPLES
) -> tuple[Float[Tensor, " example *input"], Float[Tensor, " example *input"]]:
    """Rows with something marked irrelevant, and the same rows with another row's values under the marks.

    At most ``limit`` rows are drawn, from the seed. Each row gets its own donor, drawn from the whole data set.

    Raises:
        FeedbackError: nothing is marked irrelevant.
    """
    rows = marks.irrelevant.rows(strata_of(dataset))
    if len(rows) == 0:
        raise FeedbackError("nothing is marked irrelevant; mark some inputs to say what the concept is")
    chosen = rows[draw_donors(len(rows), limit, seed)].sort().values
    batch = collate(dataset, chosen, marks)
    assert batch.irrelevant is not None
    generator = torch.Generator().manual_seed(seed)
    donors = rows_of(dataset, torch.randint(len(dataset), (len(chosen),), generator=generator))
    return batch.x, torch.where(batch.irrelevant, donors.x, batch.x)


def direction_from_marks(
    model: nn.Module, dataset: Dataset, marks: Marks, *, layer: str | None = None, seed: int = 0
) -> Float[Tensor, " channel"]:
    """The unit vector along which the layer's activations move most when the marked inputs take other rows' values.

    It is the first principal direction of the paired differences; in their mean, rows that move up would cancel rows
    that move down. Its sign is such that it points towards the rows as found, on average.

    Raises:
        FeedbackError: nothing is marked irrelevant.
        DataError: the layer does not see the marked inputs.
        UnsupportedModelError: no such layer.
    """
    present, absent = (
        pooled_activations(model, x, layer=layer, seed=seed) for x in concept_examples(dataset, marks, seed=seed)
    )
    moved = present - absent
    if not bool(moved.any()):
        raise DataError("swapping the marked inputs does not move the layer; choose another layer")
    first: Tensor = torch.linalg.svd(moved, full_matrices=False).Vh[0]
    return -first if moved.sum(dim=0) @ first < 0 else first
