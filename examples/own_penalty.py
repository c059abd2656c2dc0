"""Correct with a penalty of your own, named ``module:function``; nothing needs to be registered.

This one asks that predictions stay when the marked inputs are exchanged between the reviewed rows. A recipe would name
it in the same way, with the folder of this file on ``PYTHONPATH``::

    [[penalty]]
    name = "own_penalty:unchanged_when_exchanged"
    weight = "auto"
"""

import torch
from sklearn.datasets import load_breast_cancer
from torch import Tensor, nn
from torch.nn.functional import log_softmax

import corrigible
from corrigible.batches import label_batches
from corrigible.data.decoys import LEAK, leaking_column
from corrigible.models import Forward, table_mlp


def unchanged_when_exchanged(forward: Forward, batch: corrigible.Batch, *, shift: int = 1) -> Tensor:
    """Mean squared change of the log-probabilities when marked inputs come from another row of the batch."""
    exchanged = torch.where(batch.irrelevant, batch.x.roll(shift, 0), batch.x)
    return (forward.log_probs - log_softmax(forward.model(exchanged), dim=1)).square().mean()


def patients(rows: slice, *, informative: bool) -> corrigible.TensorData:
    """Ten columns of the Wisconsin breast cancer data and one that gives the diagnosis away, or does not."""
    x, y = load_breast_cancer(return_X_y=True)
    x, y = torch.tensor(x[:, 10:20], dtype=torch.float32), torch.tensor(y)
    data = corrigible.TensorData(((x - x[:400].mean(0)) / x[:400].std(0))[rows], y[rows])
    return leaking_column(data, informative=informative, seed=0)


def trained(data: corrigible.TensorData) -> nn.Module:
    torch.manual_seed(0)
    model = table_mlp(data.x.shape[1], 2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in corrigible.fit(model, label_batches(data, 32, seed=0), optimizer=optimizer, epochs=30):
        pass
    return model


def main() -> None:
    training, test = patients(slice(400), informative=True), patients(slice(400, None), informative=False)
    model = trained(training)
    rule = [corrigible.Feedback(LEAK, scope="dataset", note="known only after the diagnosis")]
    penalties = {"own_penalty:unchanged_when_exchanged": {"weight": "auto", "shift": 1}}
    corrected = corrigible.correct(model, training, rule, penalties=penalties, epochs=80, batch_size=32, seed=0)

    print(f"{'on patients whose leak tells nothing':38}{'before':>8}{'after':>8}")
    metrics = ["accuracy", "flip_rate", "attribution_overlap"]
    before, after = (
        corrigible.evaluate(network, test, metrics=metrics, feedback=rule) for network in (model, corrected)
    )
    for was, now in zip(before, after, strict=True):
        print(f"{was.metric:38}{was.value:8.3f}{now.value:8.3f}")


if __name__ == "__main__":
    main()
