"""Why an influence may be wrong: what its theory assumes and the model does not hold to."""

from collections.abc import Iterator
from dataclasses import replace

from torch import nn

from corrigible.errors import TrainingDivergedError
from corrigible.figures import number
from corrigible.protocols.influence.influenced import Influence
from corrigible.protocols.influence.inverses import Inverse
from corrigible.protocols.influence.kept import Kept
from corrigible.protocols.influence.learned import Learned

MOST_GRADIENT = 0.05
"""Above this gradient norm, relative to that of single rows, a model has not finished learning."""
MOST_RESIDUAL = 0.01
REMEDY = "give a damping above 0, and check that the query has a finite loss and gradient"


def doubts(found: Influence, inverse: Inverse, learned: Learned) -> tuple[str, ...]:
    """One sentence for each assumption that does not hold."""
    return tuple(_doubts(found, inverse, learned))


def _doubts(found: Influence, inverse: Inverse, learned: Learned) -> Iterator[str]:
    relative = found.relative_gradient_norm
    if relative is not None and relative > MOST_GRADIENT:
        yield (
            f"the model is not at a minimum: the objective's gradient is {number(relative)} of a row's; train longer, "
            "give the penalties and the schedule it was trained with, or use 'replay'"
        )
    if inverse.has_negative(learned.theta.dtype):
        assert inverse.smallest_eigenvalue is not None
        yield (
            f"the Hessian has the negative eigenvalue {number(inverse.smallest_eigenvalue)}, so the model is at no "
            "minimum; compare with curvature='gauss_newton', or use 'replay'"
        )
    if found.residual is not None and found.residual > MOST_RESIDUAL:
        yield (
            f"conjugate gradients left a relative error of {number(found.residual)}; give a larger damping, or "
            "curvature='gauss_newton'"
        )
    yield from about_kinks(found.kinks or ())
    if any(isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0 for module in learned.network.modules()):
        yield "the network drops units in training and not here, so this is not quite the objective it minimised"


def with_doubtful_values(found: Influence, kept: Kept) -> Influence:
    """The influence, with a warning of values that are not finite and of queries whose values all are 0.

    Args:
        kept: what was computed.

    Raises:
        TrainingDivergedError: none of a query's values is finite.
    """
    said = []
    if not bool(kept.has_finite.all()):
        query = found.number(int((~kept.has_finite).int().argmax()))
        raise TrainingDivergedError(f"no influence on query {query} is a finite number; {REMEDY}")
    if missing := kept.num_not_finite:
        said.append(f"{missing:,} of {kept.num_computed:,} influences are not finite numbers; {REMEDY}")
    if silent := int((~kept.has_slope).sum()):
        said.append(
            f"all influences are 0 for {silent:,} of {len(kept.has_slope):,} queries, whose loss has no slope here"
        )
    return replace(found, warnings=(*found.warnings, *said))


def about_kinks(kinks: tuple[str, ...]) -> tuple[str, ...]:
    """What is to be said of functions with a kink; nothing if there are none."""
    if not kinks:
        return ()
    told = f"the network has kinks ({', '.join(kinks)}), beside which influence is not linear"
    return (f"{told}; check some rows with verify",)
