import pytest
import torch
from torch import nn

from corrigible.errors import RecipeError
from corrigible.explanations import explain
from corrigible.types import Columns


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()


ROWS = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * torch.tensor(
    [[1.0], [5], [9]]
)


def points_seen(model, x, **settings):
    """What the model ran on, (sample, row, input), and the result."""
    explain(model, x, 0, method="smooth_grad", samples=1)  # What is checked once for a model is no point of it.
    seen = []
    hook = model.register_forward_pre_hook(lambda module, arguments: seen.append(arguments[0].detach().clone()))
    found = explain(model, x, 0, method="smooth_grad", rows_at_once=len(x), **settings)
    hook.remove()
    return torch.stack([points for points in seen if len(points) == len(x)]), found


def test_it_is_the_mean_gradient_at_the_noisy_copies():
    model = net()
    points, found = points_seen(model, ROWS, samples=7)
    assert len(points) == 7
    gradients = [explain(model, copies, 0, method="input_gradient") for copies in points]
    torch.testing.assert_close(found, torch.stack(gradients).mean(0))


def test_the_noise_is_normal_and_shared_by_the_rows_in_proportion_to_their_ranges():
    points, _ = points_seen(net(), ROWS, samples=500, noise=0.2)
    spread = 0.2 * (ROWS.amax(dim=1) - ROWS.amin(dim=1))
    noise = (points - ROWS) / spread[:, None]
    torch.testing.assert_close(noise[:, 0], noise[:, 2])
    values = noise[:, 0].flatten()
    assert abs(values.mean()) < 4 / len(values) ** 0.5
    assert abs(values.std() - 1) < 4 / (2 * len(values)) ** 0.5
    assert abs(values.pow(4).mean() - 3) < 4 * (96 / len(values)) ** 0.5


def test_without_noise_it_is_the_gradient():
    expected = explain(net(), ROWS, 1, method="input_gradient")
    torch.testing.assert_close(explain(net(), ROWS, 1, method="smooth_grad", samples=3, noise=0.0), expected)


def test_over_a_category_neither_the_noise_nor_the_gradient_has_a_mean():
    columns = Columns(tuple("abcdef"), ("a", *"bbb", *"cc"), (False, *[True] * 5))
    points, found = points_seen(net(), ROWS, samples=4, columns=columns)
    plain, _ = points_seen(net(), ROWS, samples=4)
    for part in (slice(1, 4), slice(4, 6)):
        noise = (plain - ROWS)[..., part]
        torch.testing.assert_close((points - ROWS)[..., part], noise - noise.mean(dim=-1, keepdim=True))
    torch.testing.assert_close(points[..., 0], plain[..., 0])
    gradients = [explain(net(), copies, 0, method="input_gradient", columns=columns) for copies in points]
    torch.testing.assert_close(found, torch.stack(gradients).mean(0))


@pytest.mark.parametrize(("name", "value"), [("samples", 0), ("noise", -0.1), ("noise", float("nan"))])
def test_settings_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(RecipeError, match=f"^{name} is {value}; expected"):
        explain(net(), ROWS, method="smooth_grad", **{name: value})
