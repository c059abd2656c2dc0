"""What all columns of a category have in common is nothing: no row can show it, and no explanation may count it.

The one-hot columns of a category sum to 1, so a constant that is added to all of a first layer's weights for them and
taken from its bias changes no logit of any row. It must change no explanation either.
"""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot

from conftest import case_named
from corrigible.explanations import EXPLAINERS, explain
from corrigible.explanations.features import by_feature
from corrigible.explanations.interactions import INTERACTIONS
from corrigible.explanations.quality import QUALITIES
from corrigible.methods import settings_of
from corrigible.models.centring import one_hot_members
from corrigible.models.forward import Forward
from corrigible.penalties import PENALTIES, RELEVANCE_PENALTIES
from corrigible.types import Columns

COLUMNS = Columns(
    ("site=a", "age", "site=b", "sex=f", "site=c", "sex=m"),
    ("site", "age", "site", "sex", "site", "sex"),
    (True, False, True, True, True, True),
)
NEUTRAL = torch.tensor([1 / 3, 0, 1 / 3, 1 / 2, 1 / 3, 1 / 2], dtype=torch.float64)
IMAGES_ALONE = {
    "grad_cam": "it explains by the last convolution, which a table's network has not",
    "guided_grad_cam": "likewise",
}
"""Explainers without columns, and why."""
OF_TABLES = sorted(EXPLAINERS.keys() - IMAGES_ALONE.keys())
FROM_A_BASELINE = [name for name in OF_TABLES if "baseline" in settings_of(EXPLAINERS[name])]
FROM_A_BACKGROUND = [
    ("expected_gradients", {}),
    *(
        (name, {"absent": absent})
        for name in OF_TABLES
        for absent in ("marginal", "independent", "conditional")
        if "absent" in settings_of(EXPLAINERS[name]) and (name, absent) != ("linear_shap", "conditional")
    ),
]
COMPLETE = ("integrated_gradients", "deep_lift", "exact_shapley", "permutation_shapley", "kernel_shap", "linear_shap")
OF_CHANGED_ROWS = [
    *((name, {}) for name in ("deletion_curve", "insertion_curve", "deletion_auc", "insertion_auc")),
    *(("infidelity", {"perturbation": perturbation}) for perturbation in ("noise", "groups")),
]
"""What is measured on changed rows, with settings."""
OF_OTHER_NETWORKS = {
    "grad_cam_overlap",
    "activation_evidence",
    "attribution_smoothness",
    "local_independence",
    "l0_norm",
    "kl_divergence",
    "no_change_evidence",
    "zero_activation_evidence",
    "similarity_preserving",
}
"""Penalties of images, ensembles, gates, distributions of weights or a teacher."""
SEEN_BY_PENALTIES = {
    "bounded_gradient": "it searches around the row, each column on its own",
    "worst_case": "it bounds what each column on its own could do",
    "contextual_decomposition": "it shares the bias out between what is marked and what is not",
    "weight_norm": "it is about the weights themselves",
}
"""Penalties whose size a constant changes, and why."""
PENALTY_SETTINGS = {"attribution_graph": {"edges": [[0, 1]]}}


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)


def rows(count=5):
    x = torch.randn(count, 6, dtype=torch.float64)
    x[:, [0, 2, 4]] = one_hot(torch.randint(3, (count,)), 3).double()
    x[:, [3, 5]] = one_hot(torch.randint(2, (count,)), 2).double()
    return x


def network(method, activation=nn.ReLU):
    if method == "linear_shap":
        return nn.Sequential(nn.Linear(6, 3)).double()
    return nn.Sequential(nn.Linear(6, 8), activation(), nn.Linear(8, 5), activation(), nn.Linear(5, 3)).double()


def with_constants(model, columns=COLUMNS):
    """The same function of every row: a constant of its own for each category and each unit of the first layer."""
    twin = copy.deepcopy(model)
    first = next(module for module in twin.modules() if isinstance(module, nn.Linear))
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for is_member in one_hot_members(columns).T:
            constant = 3 * torch.randn(len(first.bias), dtype=torch.float64, generator=generator)
            first.weight += constant[:, None] * is_member
            first.bias -= constant
    return twin


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)


def explained(model, x, method, **settings):
    return explain(model, x, [0, 1, 2, 0, 1], method=method, columns=COLUMNS, **settings)


def test_the_twin_is_the_same_function_of_every_row_but_not_of_zeros():
    model, x = network("input_gradient"), rows()
    same(with_constants(model)(x), model(x))
    same(with_constants(model)(NEUTRAL[None]), model(NEUTRAL[None]))
    assert (with_constants(model)(0 * x) - model(0 * x)).abs().max() > 0.1


def test_every_explainer_of_tables_can_be_told_the_columns():
    without = {name for name, method in EXPLAINERS.items() if "columns" not in settings_of(method)}
    assert without == IMAGES_ALONE.keys()


@pytest.mark.parametrize("method", OF_TABLES)
def test_a_constant_changes_no_attribution(method):
    model, x = network(method), rows()
    found = explained(model, x, method)
    assert found.abs().max() > 1e-3
    same(explained(with_constants(model), x, method), found)


@pytest.mark.parametrize(("method", "absent"), FROM_A_BACKGROUND)
def test_nor_where_rows_of_data_stand_for_nothing(method, absent):
    model, x, settings = network(method), rows(), {"background": rows(9), **absent}
    same(explained(with_constants(model), x, method, **settings), explained(model, x, method, **settings))


@pytest.mark.parametrize("method", FROM_A_BASELINE)
def test_a_given_baseline_is_left_as_it_is(method):
    """Zeros show the constant, a row of data does not."""
    model, x = network(method), rows()
    zeros, row = ({"baseline": baseline} for baseline in (0.0, rows(1)[0]))
    same(explained(with_constants(model), x, method, **row), explained(model, x, method, **row))
    difference = explained(with_constants(model), x, method, **zeros) - explained(model, x, method, **zeros)
    assert by_feature(difference, COLUMNS).amax(dim=0)[[0, 2]].min() > 1e-2


@pytest.mark.parametrize("method", COMPLETE)
def test_a_row_still_sums_to_the_score_less_that_of_the_baseline(method):
    model, x, target = network(method, nn.Softplus), rows(), torch.tensor([0, 1, 2, 0, 1])
    for baseline, start in ((None, NEUTRAL), (0.0, torch.zeros(6, dtype=torch.float64)), (x[0], x[0])):
        rise = (model(x) - model(start[None])).gather(1, target[:, None])[:, 0].detach()
        found = explained(model, x, method, baseline=baseline)
        torch.testing.assert_close(found.sum(1), rise, rtol=0, atol=1e-9)


@pytest.mark.parametrize("method", sorted(INTERACTIONS))
def test_a_constant_changes_no_interaction(method):
    model, x = network(method, nn.Softplus), rows()
    found, of_twin = (INTERACTIONS[method](m, x, 1, columns=COLUMNS) for m in (model, with_constants(model)))
    assert found.abs().max() > 1e-3
    same(of_twin, found)


@pytest.mark.parametrize(("quality", "settings"), OF_CHANGED_ROWS)
def test_a_constant_changes_nothing_that_is_measured_of_an_attribution(quality, settings):
    model, x = network("input_gradient"), rows()
    attribution = explained(model, x, "input_gradient")
    found, of_twin = (
        QUALITIES[quality](m, x, None, attribution, columns=COLUMNS, **settings) for m in (model, with_constants(model))
    )
    same(of_twin, found)


@pytest.mark.parametrize("name", sorted(PENALTIES.keys() - OF_OTHER_NETWORKS))
def test_a_constant_changes_no_penalty(name):
    case = case_named("one_hot_table")
    batch = replace(case.batch, group=torch.arange(len(case.batch.x)) % 2)
    if name in RELEVANCE_PENALTIES:
        batch = replace(batch, irrelevant=torch.zeros_like(batch.irrelevant), relevant=batch.irrelevant)
    found, of_twin = (
        PENALTIES[name](Forward(model, batch), batch, **PENALTY_SETTINGS.get(name, {}))
        for model in (case.model, with_constants(case.model, batch.columns))
    )
    if name in SEEN_BY_PENALTIES:
        assert not torch.allclose(found, of_twin)
    else:
        same(of_twin, found)
