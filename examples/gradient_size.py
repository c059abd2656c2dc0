"""Train with small input gradients (Ross and Doshi-Velez 2018): a model penalty, which needs no feedback.

Two networks see the same batches of scikit-learn's digits; one is also penalised for the size of its input gradient.
Its predictions then move less when the input does.
"""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

import corrigible
from corrigible.batches import label_batches
from corrigible.models import mlp


def trained(data: corrigible.TensorData, *, weight: float) -> nn.Module:
    """A fresh network, trained with this weight on the penalty."""
    torch.manual_seed(0)
    model = mlp(64, 10, hidden=(64,))
    epochs = corrigible.fit(
        model,
        label_batches(data, 64, seed=0),
        penalties={"gradient_size": weight},
        optimizer=torch.optim.Adam(model.parameters(), 1e-3),
        epochs=40,
    )
    for _ in epochs:  # fit yields after each epoch: print, stop early, or do nothing.
        pass
    return model


def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    (found,) = corrigible.evaluate(model, (x, y), metrics=["accuracy"], num_resamples=0)
    return found.value


def main() -> None:
    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)
    training, test_x, test_y = corrigible.TensorData(x[:1200], y[:1200]), x[1200:], y[1200:]
    print(f"{'weight':>8}{'mean |gradient|':>18}{'accuracy':>10}{'after one step of 0.1 against it':>35}")
    for weight in (0.0, 10.0):
        model = trained(training, weight=weight)
        gradient = corrigible.explain(model, test_x, test_y, method="input_gradient", score="target_log_prob")
        attacked = test_x - 0.1 * gradient.sign()
        print(
            f"{weight:8.0f}{gradient.abs().mean():18.4f}{accuracy(model, test_x, test_y):10.3f}"
            f"{accuracy(model, attacked, test_y):35.3f}"
        )


if __name__ == "__main__":
    main()
