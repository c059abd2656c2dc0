"""Noise on activations as one operation: that of its parts, with both derivatives."""

import torch

from corrigible.models.bayes.noise import noise_of


def numbers(seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    mean, variance, normal = torch.randn(3, 4, 5, dtype=torch.float64, generator=generator)
    return mean.requires_grad_(), variance.abs().requires_grad_(), normal


def test_it_is_the_mean_and_the_root_of_the_variance_times_the_noise():
    mean, variance, normal = numbers(0)
    torch.testing.assert_close(mean + noise_of(variance, normal.clone()), mean + variance.sqrt() * normal)


def test_first_and_second_derivatives_are_those_of_finite_differences():
    mean, variance, normal = numbers(1)

    def noisy(mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        return mean + noise_of(variance, normal.clone())

    assert torch.autograd.gradcheck(noisy, (mean, variance))
    assert torch.autograd.gradgradcheck(noisy, (mean, variance))


def test_without_variance_nothing_is_added_and_all_gradients_are_0():
    mean, _, normal = numbers(2)
    variance = torch.zeros_like(mean).requires_grad_()
    found = mean + noise_of(variance, normal.clone())
    assert torch.equal(found, mean)
    (slope,) = torch.autograd.grad(found.square().sum(), variance, create_graph=True)
    assert torch.equal(slope, torch.zeros_like(slope))
    assert torch.equal(torch.autograd.grad(slope.sum(), mean)[0], torch.zeros_like(slope))
