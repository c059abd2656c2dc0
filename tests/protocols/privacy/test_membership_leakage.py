"""What explanations reveal of membership beside predictions, and nothing where they hold nothing."""

import pytest
import torch
from torch import nn

from corrigible import TensorData
from corrigible.errors import RecipeError
from corrigible.protocols.privacy.attacked_rows import attacked_rows
from corrigible.protocols.privacy.membership_leakage import ALONE, described, membership_leakage
from corrigible.protocols.privacy.served import functions_served, served_attributions
from corrigible.protocols.privacy.shadow_models import ShadowModels, parts_to_see

GENERATOR = torch.Generator().manual_seed(0)


def rows(count: int) -> TensorData:
    return TensorData(torch.randn(count, 4, generator=GENERATOR), torch.arange(count) % 2)


MEMBERS, OTHERS = rows(80), rows(80)
ROWS = attacked_rows(nn.Linear(4, 2), MEMBERS, OTHERS)


def networks(count: int) -> list[nn.Module]:
    """All alike in what they predict."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = nn.Linear(4, 2).state_dict()
    found = [nn.Linear(4, 2) for _ in range(count)]
    for network in found:
        network.load_state_dict(weights)
    return found


def attacked(served, seed=0):
    """Networks that only what is served tells apart by the rows they saw."""
    model, *others = networks(5)
    has_seen = parts_to_see(ROWS, 4, seed)
    seen = {id(model): torch.arange(160) < 80, **{id(n): h for n, h in zip(others, has_seen, strict=True)}}
    shadows = ShadowModels(tuple(others), has_seen)
    how = {"shadow_models": shadows, "num_resamples": 50}
    return membership_leakage(model, MEMBERS, OTHERS, {"served": lambda network, _: served(seen[id(network)])}, **how)


def test_what_is_served_may_tell_all():
    found = attacked(lambda is_member: is_member.double()[:, None])
    assert found.auc[1].value == 1.0
    assert found.more[0].value == pytest.approx(1.0 - found.auc[0].value)
    assert found.more[0].low > 0.3
    assert [one.part for one in found.auc] == [ALONE, "with served"]


def test_or_nothing():
    found = attacked(lambda is_member: torch.ones(len(is_member), 2))
    assert found.more[0].value == pytest.approx(0, abs=1e-12)
    assert found.auc[0].low <= 0.5 <= found.auc[0].high


def test_rows_without_an_answer_are_told_by_that():
    found = attacked(lambda is_member: torch.where(is_member, torch.nan, 1.0).double()[:, None])
    assert found.auc[1].value == 1.0


def test_size_and_spread_of_what_is_served():
    values = torch.tensor([[3.0, -4.0], [torch.nan, torch.nan], [torch.nan, 2.0]], dtype=torch.float64)
    found = described(values)
    assert found[0].tolist() == [3, -4, 7, 5, 4, 12.25]
    assert found[1].isnan().all()
    assert found[2, 1:].tolist() == [2, 2, 2, 2, 1]
    assert described(torch.ones(3, 65)).shape == (3, 4)


def test_attributions_are_served_for_each_shadow_model():
    how = {"shadow_models": 4, "schedule": lambda network, rows, seed: network, "num_resamples": 20}
    served = {"gradients": served_attributions("input_gradient", decimals=3)}
    found = membership_leakage(nn.Linear(4, 2), MEMBERS, OTHERS, served, **how)
    assert found.auc[1].low < 0.5 < found.auc[1].high  # Nothing was trained.
    assert {one.metric for one in found.measurements()} == {"membership_auc", "membership_auc_more"}
    assert "more by" in str(found) and repr(found) == str(found) and "<table" in found._repr_html_()
    assert "another kind" in found.notes[0]


def test_what_is_refused():
    with pytest.raises(RecipeError, match="nothing is served"):
        membership_leakage(nn.Linear(4, 2), MEMBERS, OTHERS, {})
    for served in ([served_attributions()], {"a": 1}):
        with pytest.raises(RecipeError, match="functions by name"):
            functions_served(served)
