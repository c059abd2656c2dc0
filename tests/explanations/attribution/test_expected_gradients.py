import pytest
import torch
from torch import nn

from corrigible.errors import DataError, RecipeError
from corrigible.explanations import explain


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


ROWS, BACKGROUND = random(3, 4, seed=1), random(5, 4, seed=2)


def found(model=None, x=ROWS, **settings):
    return explain(net() if model is None else model, x, 0, method="expected_gradients", **settings)


def test_a_linear_model_pays_each_input_its_way_from_the_references_drawn():
    model = nn.Linear(4, 2).double()
    reference = ROWS - found(model, background=BACKGROUND, samples=400) / model.weight[0]
    # One mean of references for all inputs of a row: they are drawn as whole rows, each about equally often.
    torch.testing.assert_close(reference, BACKGROUND.mean(0).expand(3, 4), rtol=0, atol=0.2)
    shares = torch.linalg.lstsq(torch.cat([BACKGROUND.T, torch.ones(1, 5)]), torch.cat([reference.T, torch.ones(1, 3)]))
    assert shares.residuals.numel() == 0
    assert (shares.solution > 0.1).all()


def test_without_a_background_it_is_integrated_gradients_from_zero():
    expected = explain(net(), ROWS, 0, method="integrated_gradients")
    torch.testing.assert_close(found(samples=2000), expected, rtol=0, atol=1e-4)


def test_with_many_samples_it_is_complete():
    model = net()
    gain = model(ROWS)[:, 0] - model(BACKGROUND)[:, 0].mean()
    torch.testing.assert_close(
        found(model, background=BACKGROUND, samples=5000).sum(dim=1), gain.detach(), rtol=0, atol=0.03
    )


def test_a_row_gets_the_same_draws_wherever_it_stands_and_other_rows_get_others():
    model = nn.Linear(4, 2).double()
    together = found(model, background=BACKGROUND, samples=2)
    torch.testing.assert_close(found(model, ROWS[2:], background=BACKGROUND, samples=2), together[2:])
    references = ROWS - together / model.weight[0]
    assert len(references.unique(dim=0)) > 1


@pytest.mark.parametrize(
    ("background", "message"),
    [
        (torch.zeros(3, 5), r"shape \(3, 5\); expected at least one row, \(n, 4\)"),
        (torch.zeros(0, 4), r"shape \(0, 4\)"),
        (torch.zeros(4), r"shape \(4,\)"),
        (torch.full((1, 4), torch.nan), "NaN or infinite"),
    ],
)
def test_a_background_that_does_not_fit_is_refused(background, message):
    with pytest.raises(DataError, match=message):
        found(background=background)


def test_no_samples_are_refused():
    with pytest.raises(RecipeError, match="samples is 0"):
        found(samples=0)
