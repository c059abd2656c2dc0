"""One test for each axiom: how badly an explainer violates it on a model.

Sundararajan, Taly and Yan 2017, Axiomatic attribution for deep networks, sections 2 and 3; dummy and symmetry are
Shapley's (1953).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from corrigible.errors import RecipeError
from corrigible.explanations.scores import name_of_score
from corrigible.explanations.trust.axiom_cases import Case, Doubled, Mixed, WithIgnored
from corrigible.explanations.trust.configured import ConfiguredExplainer
from corrigible.explanations.trust.equivalent_networks import equivalent_networks
from corrigible.models.modes import untouched
from corrigible.outputs import as_outputs, class_logits


@dataclass(frozen=True)
class Finding:
    """The worst violation that one test found."""

    violation: float
    """0 if the axiom holds exactly; relative to a scale that each test names."""
    where: str
    tested: str


NUM_CHANGES, NUM_ROWS, NUM_EXPLAINED = 256, 4, 16


def sensitivity(explainer: ConfiguredExplainer, case: Case) -> Finding:
    """If a row differs from the baseline in one input, and in its score, that input gets an attribution.

    Violation: the largest change of the score by an input without attribution, divided by the largest by any input.
    """
    if len(case.reference) > 1:
        raise RecipeError("sensitivity is about a single baseline; a background was given")
    changes = [_one_changed(case, row) for row in range(min(len(case.x), NUM_ROWS))]
    rows, inputs, target = (torch.cat(parts) for parts in zip(*changes, strict=True))
    made = explainer.change(replace(case, x=rows, target=target)).abs()
    if not len(made):
        raise RecipeError("no input of x differs from the baseline; give another baseline")
    chosen = made.topk(min(len(made), NUM_EXPLAINED * NUM_ROWS)).indices
    rows, inputs, made = rows[chosen], inputs[chosen], made[chosen]
    found = explainer.attribution(replace(case, x=rows, target=target[chosen])).flatten(1)
    is_missed = found.gather(1, inputs[:, None])[:, 0].abs() <= 1e-6 * made
    missed = torch.where(is_missed, made, 0.0)
    worst = int(missed.argmax())
    where = f"input {int(inputs[worst])} alone changes the score by {made[worst]:.3g}" if missed[worst] > 0 else ""
    return Finding(
        _relative(missed.max(), made.max()), where, f"{case.name}, one input changed at a time ({_rows(len(chosen))})"
    )


def completeness(explainer: ConfiguredExplainer, case: Case) -> Finding:
    """The attribution of a row sums to the score minus the score of the baseline.

    Violation: the largest difference, divided by the largest change of the score.
    """
    change = explainer.change(case)
    total = explainer.attribution(case).flatten(1).sum(1)
    gap = (total - change).abs()
    worst = int(gap.argmax())
    where = f"row {worst} sums to {total[worst]:.3g}, the score changes by {change[worst]:.3g}"
    return Finding(_relative(gap.max(), change.abs().max()), where, f"{case.name} ({_rows(len(gap))})")


def implementation_invariance(explainer: ConfiguredExplainer, case: Case) -> Finding:
    """Two networks that compute the same function get the same attributions.

    Violation: the largest difference of two attributions, divided by the largest attribution.
    """
    known = [("another network", case.twin)] if case.twin is not None else list(equivalent_networks(case.model))
    expected, scores = explainer.attribution(case), explainer.scores(case, case.x, case.target)
    found = []
    for name, model in known:
        other = replace(case, model=model)
        if torch.allclose(explainer.scores(other, case.x, case.target), scores, rtol=1e-4, atol=1e-5):
            difference = (explainer.attribution(other) - expected).abs().max()
            found.append((_relative(difference, expected.abs().max()), name))
    violation, worst = max(found, key=lambda pair: pair[0])
    return Finding(violation, worst, f"{case.name}, rewritten: {', '.join(name for _, name in found)}")


def dummy(explainer: ConfiguredExplainer, case: Case) -> Finding:
    """An input that the function ignores gets no attribution.

    Violation: its largest attribution, divided by the largest attribution of all.
    """
    if case.ignored is not None:
        found = explainer.attribution(case).flatten(1).abs()
        return Finding(_relative(found[:, case.ignored].max(), found.max()), f"input {case.ignored}", case.name)
    x, reference = (
        torch.cat([rows, torch.full_like(rows[:, :1], value)], dim=1)
        for rows, value in ((case.x, 1), (case.reference, 0))
    )
    found = explainer.attribution(replace(case, model=WithIgnored(case.model), x=x, reference=reference)).abs()
    what = f"{case.name} with one more {'column' if x.ndim == 2 else 'channel'}, which it ignores"
    return Finding(_relative(found[:, -1].max(), found.max()), "the ignored one", what)


def linearity(explainer: ConfiguredExplainer, case: Case) -> Finding:
    """The explanation of a weighted sum of two functions is the weighted sum of their explanations.

    Violation: the largest difference, divided by the largest attribution.
    """
    score = name_of_score(explainer.score(case))
    if score not in ("target_logit", "target_output"):
        raise RecipeError(f"score {score!r} is not linear in the logits; test with score='target_logit'")
    outputs = class_logits if score == "target_logit" else as_outputs
    num_outputs = outputs(_output(case)).shape[1]
    first = int(case.target[0])
    second = (first + 1) % num_outputs
    mixture = torch.zeros(num_outputs, dtype=case.x.dtype, device=case.x.device)
    mixture[first] += 1.5
    mixture[second] -= 0.5

    def of(model: nn.Module, chosen: int) -> Tensor:
        return explainer.attribution(replace(case, model=model, target=torch.full_like(case.target, chosen)))

    whole = of(Mixed(case.model, mixture, outputs), num_outputs)
    parts = 1.5 * of(case.model, first) - 0.5 * of(case.model, second)
    difference = (whole - parts).abs()
    where = f"row {int(difference.flatten(1).amax(1).argmax())}"
    what = "class" if score == "target_logit" else "output"
    tested = f"1.5 × {what} {first} − 0.5 × {what} {second} of {case.name}"
    return Finding(_relative(difference.max(), torch.maximum(whole.abs().max(), parts.abs().max())), where, tested)


def symmetry(explainer: ConfiguredExplainer, case: Case) -> Finding:
    """Inputs that can be exchanged, with equal values and equal baselines, get the same attribution.

    Violation: the largest difference, divided by the largest attribution.
    """
    if case.symmetric is not None:
        found = explainer.attribution(case).flatten(1)
        one, other = (found[:, place] for place in case.symmetric)
        where, tested = f"inputs {case.symmetric[0]} and {case.symmetric[1]}", case.name
    else:
        x, reference = (torch.cat([rows, rows], dim=1) for rows in (case.x, case.reference))
        found = explainer.attribution(replace(case, model=Doubled(case.model), x=x, reference=reference))
        one, other = found.chunk(2, dim=1)
        where, tested = "an input and its copy", f"{case.name} on the mean of its input and a copy"
    return Finding(_relative((one - other).abs().max(), found.abs().max()), where, tested)


Axiom = Callable[[ConfiguredExplainer, Case], Finding]
TESTS: dict[str, Axiom] = {
    f.__name__: f for f in (sensitivity, completeness, implementation_invariance, dummy, linearity, symmetry)
}


def _one_changed(case: Case, row: int) -> tuple[Tensor, Tensor, Tensor]:
    """Copies of the baseline with one input of the row each, for up to 256 inputs that differ, and these inputs."""
    start, values = case.reference[0].flatten(), case.x[row].flatten()
    inputs = (values != start).nonzero().flatten()
    inputs = inputs[:: max(1, -(-len(inputs) // NUM_CHANGES))]
    rows = start.repeat(len(inputs), 1).scatter(1, inputs[:, None], values[inputs][:, None])
    return rows.view(-1, *case.x.shape[1:]), inputs, case.target[row].repeat(len(inputs))


def _rows(num_rows: int) -> str:
    return f"{num_rows} row{'' if num_rows == 1 else 's'}"


def _output(case: Case) -> Tensor:
    with untouched(case.model, 0), torch.no_grad():
        found: Tensor = case.model(case.x[:1].clone())
        return found


def _relative(violation: Tensor, scale: Tensor) -> float:
    """The violation divided by a scale; if the scale is 0, the result is 0 for no violation and otherwise infinite."""
    if float(violation) == 0:
        return 0.0
    return float(violation / scale) if float(scale) > 0 else float("inf")
