"""Correct a network of your own that looks at the wrong place (Ross, Hughes and Doshi-Velez 2017).

A square in the corner of each digit tells its class in training and nothing afterwards. Forty reviewed rows, each with
the remark that the square must not matter, teach the network to read the digit.
"""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import corrigible

CORNER = torch.zeros(1, 8, 8, dtype=torch.bool)
CORNER[:, :2, :2] = True


class SmallNet(nn.Module):
    """Any module that gives one logit per class will do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, padding=1)
        self.hidden = nn.Linear(16 * 64, 64)
        self.out = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.hidden(torch.relu(self.conv(x)).flatten(1))))


def digits(*, informative: bool) -> tuple[Tensor, Tensor]:
    """scikit-learn's digits; the shade of the corner is the class, or drawn at random."""
    images, labels = load_digits(return_X_y=True)
    x, y = torch.tensor(images, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(labels)
    shade = y if informative else torch.randint(10, y.shape, generator=torch.Generator().manual_seed(1))
    return torch.where(CORNER, shade.view(-1, 1, 1, 1) / 9, x), y


def train(model: nn.Module, x: Tensor, y: Tensor, *, epochs: int) -> None:
    """A training loop as everybody writes it; corrigible plays no part in it."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()


def main() -> None:
    torch.manual_seed(0)
    told, (x, y) = digits(informative=True), digits(informative=False)
    training, test = (told[0][:1200], told[1][:1200]), (x[1200:], y[1200:])
    model = SmallNet()
    train(model, *training, epochs=15)

    feedback = [corrigible.Feedback(CORNER, row=row) for row in range(40)]
    corrected = corrigible.correct(model, training, feedback, epochs=20, seed=0)

    rule = [corrigible.Feedback(CORNER, scope="dataset")]
    metrics = ["accuracy", "worst_class_accuracy", "flip_rate", "attribution_overlap"]
    before, after = (
        corrigible.evaluate(network, test, metrics=metrics, feedback=rule) for network in (model, corrected)
    )
    print(f"{'on test rows whose corner is random':38}{'before':>8}{'after':>8}")
    for was, now in zip(before, after, strict=True):
        print(f"{was.metric:38}{was.value:8.3f}{now.value:8.3f}")


if __name__ == "__main__":
    main()
