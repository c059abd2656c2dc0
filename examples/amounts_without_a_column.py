"""An amount that must not depend on a column: the progression of diabetes, and the patient's sex.

Efron, Hastie, Johnstone and Tibshirani 2004, Least angle regression: 442 real patients, ten columns (scikit-learn ships
it). The labels are not classes, so the data set says what they mean. The correction moves the column between rows and
keeps the attribution off it; the prediction then hardly moves when the column changes.

    python examples/amounts_without_a_column.py
"""

import pandas as pd
import torch
from sklearn.datasets import load_diabetes
from torch import nn

from corrigible import Columns, Feedback, TensorData, correct, evaluate, explain
from corrigible.models import table_mlp
from corrigible.protocols.schedule import Schedule, run


def main() -> None:
    frame, progression = load_diabetes(return_X_y=True, as_frame=True)
    order = torch.randperm(len(frame), generator=torch.Generator().manual_seed(0)).tolist()
    train = rows(frame.iloc[order[:340]], progression.iloc[order[:340]])
    test = rows(frame.iloc[order[340:]], progression.iloc[order[340:]], train)
    model = trained(train)
    corrected = correct(model, train, [Feedback(("sex",), scope="dataset")], epochs=60)
    print(corrected.verdict.sentence)

    names = ("r2", "mean_absolute_error", "mean_shift")
    rule = [Feedback(("sex",), scope="dataset")]
    print(f"\n{'':21s} plain corrected")
    measured = [
        {found.metric: found.value for found in evaluate(network, test, metrics=names, feedback=rule, num_resamples=0)}
        for network in (model, corrected)
    ]
    for name in names:
        print(f"{name:21s} " + "  ".join(f"{found[name]:7.3f}" for found in measured))

    sex = list(frame.columns).index("sex")
    for said, network in (("plain", model), ("corrected", corrected)):
        attribution = explain(network, test.x[:3], task=train.task, score="target_value", columns=train.columns)
        print(f"{said:9s} sex adds to the first three predictions: {attribution[:, sex].tolist()}")


def rows(frame: pd.DataFrame, y: pd.Series, like: TensorData | None = None) -> TensorData:
    """The patients as standardised columns; test rows take the task of the training rows."""
    x = torch.tensor(((frame - frame.mean()) / frame.std()).to_numpy(), dtype=torch.float32)
    names = tuple(map(str, frame.columns))
    columns = Columns(names, names, (False,) * len(names))
    return TensorData(x, torch.tensor(y.to_numpy()), columns=columns, task="amounts" if like is None else like.task)


def trained(data: TensorData) -> nn.Module:
    """A network that begins at the mean of the labels, in their unit."""
    torch.manual_seed(0)
    (centre,), (scale,) = data.task.start
    model = table_mlp(data.x.shape[1], data.task.num_outputs, centre=centre, scale=scale, hidden=(16,), dropout=0.0)
    for _ in run(model, data, Schedule(epochs=40, learning_rate=3e-3, weight_decay=1e-3)):
        pass
    return model


if __name__ == "__main__":
    main()
