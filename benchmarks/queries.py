"""Which rows to ask a person about next: how many of 20 hold a planted decoy, and what correcting on them brings.

    python benchmarks/queries.py [--seeds 5]

1,500 digits. In 15 % of the rows, all of two classes, a grey square of 4 x 4 pixels lies in a corner, another one for
each class; in 2 %, of one class. In the test half of the rows of all classes hold each square. The person is simulated:
asked about a row, they mark the square if there is one, and else say that nothing is wrong; each answer is known
before the next row is chosen. Hits: marked rows among 20. Accuracy: on the test, corrected by default on these rows;
where nothing was marked, there is nothing to correct and the network stays. disagreement asks an ensemble of three; in
the cases "samples" it and the entropy ask 8 samples of a Bayesian network (kl_divergence at temperature 0.1) and of one
with dropout of 0.25. Surer: of how many pairs of a row with a square and one without the first is the surer one.
The network is an MLP, as in Ross, Hughes and Doshi-Velez 2017. The usual strategy was chosen on seeds 0 to 4 and 100 to
106; seeds count from 5. Writes benchmarks/results/queries.json.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from digits import TRAIN, Digits, fresh_mlp, trained
from runner import Row, measure, options, units_of
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.data.decoys import corner_mask
from corrigible.models.bayes import bayesian
from corrigible.models.ensemble import Ensemble
from corrigible.models.networks import copied
from corrigible.objective import terms_of
from corrigible.protocols.corrections.correction import correct
from corrigible.protocols.schedule import run
from corrigible.regions.looked import Looked, looked_at
from corrigible.regions.queries import QUERIES, next_queries
from corrigible.types import Feedback

NUM_ROWS, NUM_ASKED, GREY = 1500, 20, 0.8
CORRECTED = ("alike_after_medoids", "uniform")
"""Strategies whose rows are corrected on."""
MEMBERS, SAMPLES = 3, 8


@dataclass(frozen=True)
class Planted:
    """Digits with squares, which tell the class in training and nothing in the test."""

    train: TensorData
    irrelevant: Tensor
    test: TensorData


def main() -> None:
    asked = options(__doc__, seeds=5, first_seed=5).parse_args()
    cases = {"15 % of the rows": 0.15, "2 % of the rows": 0.02}
    works = {case: partial(of_share, case, share) for case, share in cases.items()}
    works |= {f"{case}, samples": partial(of_samples, case, share) for case, share in cases.items()}
    measure(units_of(works, asked), asked, settings={"rows": NUM_ROWS, "asked": NUM_ASKED, "epochs": TRAIN.epochs})


def of_share(case: str, share: float, seed: int) -> Iterator[Row]:
    planted = with_squares(share, seed)
    model = trained(fresh_mlp(seed), planted.train, TRAIN, seed)
    looked = looked_at(model, planted.train, seed=seed)
    before = accuracy(model, planted.test)
    for strategy in QUERIES:
        seen = of_ensemble(model, planted, seed) if strategy == "disagreement" else looked
        said = answers(seen, strategy, planted)
        numbers = {"hits": float(len(said)), "accuracy before": before}
        if strategy in CORRECTED:
            better = correct(model, planted.train, said, seed=seed) if said else model
            numbers["accuracy after"] = accuracy(better, planted.test)
        yield Row({"case": case, "strategy": strategy}, numbers)


def of_samples(case: str, share: float, seed: int) -> Iterator[Row]:
    """How the orders by uncertainty do where the network says more of it than its probabilities."""
    planted = with_squares(share, seed)
    start, terms = (
        fresh_mlp(seed),
        terms_of({"kl_divergence": {"weight": 1.0, "temperature": 0.1, "num_rows": NUM_ROWS}}),
    )
    for kind, network, penalties in (("Bayesian", bayesian(start), terms), ("dropout", with_dropout(start), ())):
        for _ in run(network, planted.train, TRAIN, penalties=penalties, seed=seed):
            pass
        looked, before = looked_at(network, planted.train, samples=SAMPLES, seed=seed), accuracy(network, planted.test)
        has_square = planted.irrelevant[looked.index].flatten(1).any(dim=1)
        for strategy in ("prediction_entropy", "disagreement"):
            unsure = QUERIES[strategy](looked).score
            numbers = {"hits": float(len(answers(looked, strategy, planted))), "accuracy before": before}
            numbers["surer"] = 1 - float(roc_auc_score(has_square, unsure))
            yield Row({"case": case, "strategy": strategy, "network": kind}, numbers)


def with_dropout(network: nn.Module) -> nn.Module:
    layers: list[nn.Module] = []
    for layer in copied(network).children():
        layers += [nn.Dropout(0.25), layer] if isinstance(layer, nn.Linear) else [layer]
    return nn.Sequential(*layers)


def of_ensemble(first: nn.Module, planted: Planted, seed: int) -> Looked:
    others = [trained(fresh_mlp(1000 * k + seed), planted.train, TRAIN, seed + k) for k in range(1, MEMBERS)]
    return looked_at(Ensemble([first, *others]), planted.train, seed=seed)


def answers(looked: Looked, strategy: str, planted: Planted) -> list[Feedback]:
    """What the simulated person marks when asked about one row after the other."""
    said: list[Feedback] = []
    clean: list[int] = []
    for _ in range(NUM_ASKED):
        row = next_queries(looked, strategy=strategy, count=1, feedback=said, answered=clean)[0].row
        if bool(planted.irrelevant[row].any()):
            said.append(Feedback(planted.irrelevant[row].numpy(), row=row))
        else:
            clean.append(row)
    return said


def with_squares(share: float, seed: int) -> Planted:
    digits, generator = Digits(seed), torch.Generator().manual_seed(seed)
    train, test = digits.clean_train, digits.clean_test
    index = torch.randperm(len(train), generator=generator)[:NUM_ROWS]
    x, y, other = train.x[index].clone(), train.y[index], test.x.clone()
    classes = torch.randperm(10, generator=generator)[: 2 if share > 0.1 else 1].tolist()
    corner, irrelevant = int(torch.randint(4, (1,), generator=generator)), torch.zeros_like(x, dtype=torch.bool)
    for number, label in enumerate(classes):
        square = corner_mask((1, 28, 28), corners=((corner + number) % 4,))
        rows = (y == label).nonzero().flatten()
        rows = rows[torch.randperm(len(rows), generator=generator)[: round(share * NUM_ROWS / len(classes))]]
        irrelevant[rows] = square
        shown = (torch.rand(len(other), generator=generator) < 0.5)[:, None, None, None]
        other = torch.where(shown & square, GREY, other)
    return Planted(TensorData(torch.where(irrelevant, GREY, x), y), irrelevant, TensorData(other, test.y))


def accuracy(model: nn.Module, data: TensorData) -> float:
    model.eval()
    with torch.no_grad():
        return float((model(data.x).argmax(dim=1) == data.y).double().mean())


if __name__ == "__main__":
    main()
