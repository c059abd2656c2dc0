"""Test which axioms of attribution an explainer satisfies, on any model.

Sundararajan, Taly and Yan 2017, Axiomatic attribution for deep networks. A test can refute an axiom on the rows that it
uses; it cannot prove one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from corrigible.errors import RecipeError, UnsupportedModelError, unknown
from corrigible.explanations.baselines import Baseline, baseline_row
from corrigible.explanations.explaining import EXPLAINERS, Method, explainer_of
from corrigible.explanations.question import question_of
from corrigible.explanations.scores import PROJECTIONS
from corrigible.explanations.trust import axiom_cases as cases
from corrigible.explanations.trust.axiom_cases import Case
from corrigible.explanations.trust.axiom_tests import TESTS, Finding
from corrigible.explanations.trust.configured import ConfiguredExplainer
from corrigible.methods import name_of, settings_of, with_settings
from corrigible.tasks import TaskChoice

AXIOMS = tuple(TESTS)
_BUILT_IN = {
    "sensitivity": (cases.saturated, cases.small_network),
    "completeness": (cases.saturated, cases.small_network),
    "implementation_invariance": (cases.twins, cases.small_network),
    "dummy": (cases.cancelled, cases.small_network),
    "linearity": (cases.small_network,),
    "symmetry": (cases.exchangeable, cases.small_network),
}
"""Per axiom, the cases whose true attributions are known."""
_INSTEAD = cases.small_image_network, cases.small_linear_network
"""Cases for methods that cannot explain the built-in ones."""


@dataclass(frozen=True)
class AxiomResult:
    """Whether an explainer satisfied one axiom."""

    axiom: str
    method: str
    holds: bool | None
    """None if the axiom could not be tested; ``tested`` says why."""
    violation: float | None
    """0 if it holds exactly; relative to the largest attribution or change of the score, see `axiom_tests`."""
    where: str
    """Where the worst violation was found."""
    tested: str
    """The models and rows that were tested."""
    tolerance: float


def check_axioms(
    method: Method,
    model: Callable[[Tensor], Any] | None = None,
    x: Any = None,
    target: Any = None,
    *,
    baseline: Baseline = None,
    background: Float[Tensor, " row *input"] | None = None,
    task: TaskChoice | None = None,
    axioms: Sequence[str] = AXIOMS,
    tolerance: float = 0.01,
    seed: int = 0,
    **settings: Any,
) -> list[AxiomResult]:
    """Test the axioms on a model, or if none is given on small networks whose true attributions are known.

    Each axiom is tested on any model as follows. Completeness: directly; sensitivity: rows with one input changed;
    dummy: an additional input that is dropped; symmetry: a copy of the input; linearity: a sum of two logits;
    implementation invariance: the same function written as another network. Rounding can move a ReLU network across a
    kink: for few rows of a large network, pass model and x in float64.

    Args:
        method: a name that `explain` takes, or any (model, x, target, *, settings) -> like x.
        target: the class to explain: one for all rows or one per row; None as in `explain`.
        baseline: the baseline row for completeness and sensitivity; None for zeros.
        background: rows of data to use instead of a baseline, for methods with a ``background``.
        task: what the model's outputs mean, as in `explain`.
        axioms: the axioms to test.
        tolerance: the largest violation that counts as rounding, quadrature or sampling.
        settings: of the method, e.g. more ``steps`` or ``samples``.

    Raises:
        RecipeError: an unknown axiom, method or setting, or a setting that cannot be tested.
        DataError: rows, a target or a baseline that does not fit.
        UnsupportedModelError: the method cannot explain the given model at all.
    """
    for axiom in axioms:
        if axiom not in TESTS:
            raise RecipeError(unknown("axiom", axiom, TESTS))
    _check_settings(settings)
    with_settings(explainer_of(method), settings, f"explainer {name_of(method)!r}")
    explainer = ConfiguredExplainer(method, settings, seed)
    if model is None:
        return [_on_built_in(explainer, axiom, tolerance) for axiom in axioms]
    case = _users_case(model, x, target, baseline, background, score=settings.get("score"), task=task)
    explainer.attribution(case)  # If the method cannot explain the model at all, that is an error, not a result.
    return [_result(explainer, axiom, (case,), tolerance) for axiom in axioms]


def axiom_table(
    methods: Iterable[Method] = tuple(EXPLAINERS), *, steps: int = 100, samples: int = 1000, tolerance: float = 0.05
) -> dict[str, list[AxiomResult]]:
    """The results of every method on the small networks, by the method's name.

    A method that needs images, or a linear model, is tested on a small convolutional or linear network.

    Args:
        steps, samples: for methods that have such a setting; large, so that violations do not come from too few.
        tolerance: see `check_axioms`.
    """
    found = {}
    for method in methods:
        takes = settings_of(explainer_of(method))
        many: dict[str, Any] = {
            name: value for name, value in (("steps", steps), ("samples", samples)) if name in takes
        }
        found[name_of(method)] = check_axioms(method, tolerance=tolerance, **many)
    return found


def axiom_markdown(table: Mapping[str, Sequence[AxiomResult]] | None = None) -> str:
    """The table as Markdown: the axioms that hold for each method, with notes on violations and substitute networks."""
    rows = axiom_table() if table is None else table
    axioms = [result.axiom for result in next(iter(rows.values()))]
    lines = [
        "| method | " + " | ".join(axiom.replace("_", " ") for axiom in axioms) + " |",
        "|---" * (len(axioms) + 1) + "|",
    ]
    notes: dict[str, int] = {}
    for name, results in rows.items():
        lines.append(f"| `{name}` | " + " | ".join(_cell(result, notes) for result in results) + " |")
    return "\n".join([*lines, "", *(f"{number}. On {note}." for note, number in notes.items())]) + "\n"


def _cell(result: AxiomResult, notes: dict[str, int]) -> str:
    if result.holds and not any(make().name in result.tested for make in _INSTEAD):
        return "yes"
    answer = {True: "yes", False: "no", None: "not applicable"}[result.holds]
    return f"{answer} ({notes.setdefault(result.tested, len(notes) + 1)})"


def _on_built_in(explainer: ConfiguredExplainer, axiom: str, tolerance: float) -> AxiomResult:
    """The result on the small tables, or on the first substitute network that the method can explain."""
    found = _result(explainer, axiom, [make() for make in _BUILT_IN[axiom]], tolerance)
    for make in _INSTEAD if found.holds is None else ():
        instead = _result(explainer, axiom, [make()], tolerance)
        if instead.holds is not None:
            return instead
    return found


def _result(explainer: ConfiguredExplainer, axiom: str, on: Iterable[Case], tolerance: float) -> AxiomResult:
    """The worst finding on these cases."""
    try:
        found = list(_findings(explainer, axiom, on))
    except (UnsupportedModelError, RecipeError) as error:
        return AxiomResult(axiom, name_of(explainer.method), None, None, "", str(error), tolerance)
    worst = max(found, key=lambda finding: finding.violation)
    holds = worst.violation <= tolerance
    tested = "; ".join(finding.tested for finding in found) if holds else worst.tested
    return AxiomResult(axiom, name_of(explainer.method), holds, worst.violation, worst.where, tested, tolerance)


def _findings(explainer: ConfiguredExplainer, axiom: str, on: Iterable[Case]) -> Iterator[Finding]:
    for case in on:
        yield TESTS[axiom](explainer, case)


def _users_case(model: Any, x: Any, target: Any, baseline: Baseline, background: Tensor | None, **asked: Any) -> Case:
    if x is None:
        raise RecipeError("a model is given without rows to explain; give x")
    question = question_of(model, x, target, **asked)
    if question.target.ndim > 1:
        raise RecipeError("target holds pairs of classes; axioms are tested on one class per row")
    if background is not None and baseline is not None:
        raise RecipeError("both a baseline and a background are given; expected one of them")
    reference = baseline_row(baseline, question.x)[None] if background is None else background.to(question.x)
    return Case("the model", question.model, question.x, question.target, reference, task=asked["task"])


def _check_settings(settings: Mapping[str, Any]) -> None:
    for name in ("columns", "groups"):
        if name in settings:
            raise RecipeError(f"axioms are about single inputs; leave out {name!r}")
    if settings.get("score") in PROJECTIONS:
        raise RecipeError(f"score {settings['score']!r} is another function for every row; test with another score")
