"""Take away the influence of inputs or units, or bound it, without retraining."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from jaxtyping import Bool
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import all_rows, as_dataset, shape_of, task_of
from corrigible.data.protocol import Dataset, columns_of
from corrigible.data.trained_columns import remember_columns
from corrigible.errors import RecipeError
from corrigible.explanations.baselines import neutral_row
from corrigible.explanations.concepts import pooled_activations
from corrigible.explanations.question import answers
from corrigible.feedback.masks import mask_of
from corrigible.models.networks import copied, trainable_network
from corrigible.protocols.limiting.explained import Explained, explained_rows
from corrigible.protocols.limiting.limited import Limited
from corrigible.protocols.limiting.measuring import MOST_ROWS, compared, proxies_of, told_by_predictions, unit_proxies
from corrigible.protocols.schedule import Schedule, require_fit, run
from corrigible.protocols.steps import require_ordinary
from corrigible.surgery import LimitedInputs, bounded, limited_units, replacement_of, unit_contributions
from corrigible.types import Phrase, Region, region_of

IN_WORDS: Mapping[str, str] = {
    "expected": "replaced by what the other inputs tell of it",
    "average": "predictions averaged over its values",
    "mean": "replaced by its mean",
    "baseline": "replaced by the baseline",
}


class _Wanted(NamedTuple):
    """What is asked for, checked."""

    dataset: Dataset
    share: float
    schedule: Schedule | None
    seed: int
    finish: Callable[[nn.Module], None] | None

    def finished(self, limited: nn.Module) -> None:
        """Change the limited model in place as asked."""
        if self.finish is not None:
            self.finish(limited)


def limit_influence(
    model: nn.Module,
    data: Any,
    *,
    inputs: Any = None,
    layer: str | None = None,
    units: Any = None,
    share: float = 0.0,
    removal: str = "expected",
    rescale: bool = False,
    schedule: Schedule | None = None,
    validation: Any = None,
    seed: Any = 0,
    finish: Callable[[nn.Module], None] | None = None,
) -> nn.Module:
    """A copy of the model on which some inputs, or some units of a layer, have no influence or a bounded one.

    With ``share`` 0 the output does not depend on the inputs at all, exactly, and units are held at their mean. Other
    inputs may tell what was limited and stand in for it: the attribute ``limited`` says how well they do, and what the
    model lost. The model is left as it is. Units that are left take over, so that the layer contributes as much.

    Args:
        data: rows to learn from what stands in place of the limited inputs, with labels; as `correct` takes it.
        inputs: names of features, or a boolean mask in the shape of one row.
        layer, units: instead of inputs, the name of a layer and the numbers of its units or channels.
        share: the largest share of the explanation that they keep, from 0 to 1, measured on up to 256 of the rows:
            for inputs by integrated gradients, together (by DeepLIFT or Shapley values for networks with piecewise
            linear embeddings, such as ``tabm``); for units by deviation from the mean × gradient, to first
            order. Deviations from what stands in place are scaled, for inputs by a factor found by bisection.
        removal: what stands in place of inputs. "expected": what the other inputs tell of them, linearly, which is
            what a model trained without them could know; "average": nothing, the prediction is the mean over their
            values (`replacement_of` also has "mean" and "baseline").
        rescale: for classes, scale the other inputs' contributions so that the sum of absolute contributions is kept:
            by that sum over the sum of the others. Ranks of two classes stay, probabilities become more certain.
        schedule: train the limited model on, such as ``Schedule(epochs=1)``; None for not at all.
        validation: rows on which all is measured; None for those of ``data``, on which a model looks better than it is.
        finish: changes the limited model in place before it is measured, such as a shift to the sum of the labels.

    Raises:
        RecipeError: not either inputs or units, a share outside [0, 1], settings of the other, or a model whose inputs
            are limited already.
        FeedbackError: inputs that the data does not have.
        DataError: too few rows for "expected", or a share that no limit reaches.
        UnsupportedModelError: no such layer, or a model that does not fit the data.
    """
    if schedule is not None:
        require_ordinary(schedule.step_factory(None), "limit_influence")
    network, dataset, seed = copied(trainable_network(model)), as_dataset(data), whole_number("seed", seed)
    rows = dataset if validation is None else as_dataset(validation, task=task_of(dataset))
    _check(inputs, layer, units, share=share, changes_inputs=rescale or removal != "expected")
    if inputs is not None and isinstance(network, LimitedInputs):
        # The replacements of new inputs are computed from all others, so that inputs limited before would act again.
        raise RecipeError("inputs of this model are limited already; name all of them together, on the model before")
    require_fit(network, dataset)
    wanted = _Wanted(dataset, float(share), schedule, seed, finish)
    if inputs is not None:
        return _of_inputs(network, wanted, rows, region_of(inputs), removal=removal, rescale=rescale)
    assert layer is not None and units is not None
    return _of_units(network, wanted, rows, layer, [whole_number("a unit", unit, 0) for unit in units])


def _check(inputs: Any, layer: Any, units: Any, *, share: float, changes_inputs: bool) -> None:
    if (inputs is None) == (units is None) or (layer is None) != (units is None):
        raise RecipeError("expected either inputs=…, or layer=… and units=…: name what to limit")
    if units is not None and changes_inputs:
        raise RecipeError("removal and rescale are about inputs; units are held at their mean: leave them out")
    if units is not None and (isinstance(units, str) or not isinstance(units, Iterable)):
        raise RecipeError(f"units is {units!r}; expected their numbers in a list, such as [0, 3]")
    if isinstance(inputs, Phrase):
        raise RecipeError(f"inputs is {inputs!r}, which stands elsewhere in each text; expected features or a mask")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise RecipeError(f"share is {share!r}; expected a number from 0 to 1, a share of the explanation")


def _of_inputs(
    network: nn.Module, wanted: _Wanted, rows: Dataset, region: Region, *, removal: str, rescale: bool
) -> nn.Module:
    dataset, columns, seed = wanted.dataset, columns_of(wanted.dataset), wanted.seed
    started = time.perf_counter()
    mask = mask_of(region, shape_of(dataset), columns)  # type: ignore[arg-type]
    limited = _without(network, dataset, mask, removal)
    if wanted.schedule is not None:
        _train_on(limited, wanted)
    if wanted.share > 0 or rescale:
        explained = explained_rows(network, dataset, seed, averages=removal == "average")
        _keep(limited, explained, mask, wanted.share)
        if rescale:
            _stretch(limited, network, explained)
    wanted.finished(limited)
    remember_columns(limited, columns)
    seconds = time.perf_counter() - started
    measured = explained_rows(network, rows, seed, averages=removal == "average")
    found = compared(network, limited, rows, region, seed=seed)
    limited.limited = Limited(  # type: ignore[assignment]
        what=str(region),
        how=IN_WORDS[removal],
        share_before=measured.share(network, mask),
        # Nothing of inputs that are replaced as a whole passes on, so that nothing is left to explain by them.
        share_after=0.0 if float(limited.kept) == 0 else measured.share(limited, mask),
        before=found.before,
        after=found.after,
        change=found.change,
        proxies=proxies_of(dataset, rows, mask),
        told_before=told_by_predictions(network, dataset, rows, mask, seed=seed),
        told_after=told_by_predictions(limited, dataset, rows, mask, seed=seed),
        seconds=seconds,
    )
    return limited


def _without(network: nn.Module, dataset: Dataset, mask: Bool[Tensor, " *input"], removal: str) -> LimitedInputs:
    """The network with nothing of the limited inputs kept; training it leaves the given one as it is."""
    rows, task = all_rows(dataset), task_of(dataset)
    replacement = replacement_of(removal, rows.x, mask, rows.columns)
    num_outputs = task.outputs(answers(network, rows.x[:1])).shape[1]
    limited = LimitedInputs(copied(network), mask, replacement, num_outputs=num_outputs, task=task)
    limited.training = network.training
    return limited


def _train_on(limited: nn.Module, wanted: _Wanted) -> None:
    assert wanted.schedule is not None
    for _ in run(limited, wanted.dataset, wanted.schedule, seed=wanted.seed):
        pass


def _keep(limited: LimitedInputs, explained: Explained, mask: Bool[Tensor, " *input"], share: float) -> None:
    """Keep as much of the limited inputs as their share of the explanation allows."""

    def measured(kept: float) -> float:
        limited.kept.fill_(kept)
        return explained.share(limited, mask)

    limited.kept.fill_(bounded(measured, share) if share > 0 else 0.0)


def _stretch(limited: LimitedInputs, network: nn.Module, explained: Explained) -> None:
    """Scale how far outputs are from those of the baseline row, so that absolute contributions sum to what they did."""
    if explained.task.name != "classes":
        raise RecipeError(f"rescale=True is for classes; the task is {explained.task.name!r}: leave it out")
    before, after = (float(explained.attribution(model).double().abs().sum()) for model in (network, limited))
    if after == 0:
        raise RecipeError("no other input contributes, so none can take over; leave out rescale")
    limited.start.copy_(answers(limited, neutral_row(explained.x, explained.columns)[None])[0])
    limited.stretch.fill_(before / after)


def _of_units(network: nn.Module, wanted: _Wanted, rows: Dataset, layer: str, units: list[int]) -> nn.Module:
    dataset, seed = wanted.dataset, wanted.seed
    started = time.perf_counter()
    question = explained_rows(network, dataset, seed).question(network)
    limited = limited_units(network, question, layer=layer, units=units, share=wanted.share)
    if wanted.schedule is not None:
        _train_on(limited, wanted)
    wanted.finished(limited)
    remember_columns(limited, columns_of(dataset))
    seconds = time.perf_counter() - started
    measured = explained_rows(network, rows, seed)
    before, after = (unit_contributions(measured.question(of), layer=layer)[1] for of in (network, limited))
    learn, test = (pooled_activations(network, all_rows(part).x[:MOST_ROWS], layer=layer) for part in (dataset, rows))
    found = compared(network, limited, rows, None, seed=seed)
    limited.limited = Limited(  # type: ignore[assignment]
        what=f"unit {', '.join(map(str, units))} of layer {layer}",
        how="held at the mean" if wanted.share == 0 else f"bounded to a share of {wanted.share:g}",
        share_before=float(before[units].sum() / before.sum()),
        # Nothing of units that are held passes on; their distance from their mean is a matter of rounding.
        share_after=0.0 if wanted.share == 0 else float(after[units].sum() / after.sum()),
        before=found.before,
        after=found.after,
        change=found.change,
        proxies=unit_proxies(learn, test, units, layer=layer),
        told_before=(),
        told_after=(),
        seconds=seconds,
    )
    return limited
