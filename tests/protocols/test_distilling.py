"""A network learns what another model predicts."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from torch import nn

import corrigible
from corrigible.batches import label_batches
from corrigible.data.dataset import as_dataset
from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models import mlp
from corrigible.protocols.teacher import said_by, with_teacher

X = torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] * X[:, 1] > 0).long()
DATA = as_dataset((X, Y))


def said(teacher, data=DATA, num_classes=2, **given):
    return said_by(teacher, data, num_classes=num_classes, **given)


def test_the_student_agrees_with_a_forest_more_than_the_labels_do():
    noisy = torch.where(torch.rand(200, generator=torch.Generator().manual_seed(1)) < 0.25, 1 - Y, Y)
    forest = RandomForestClassifier(30, min_samples_leaf=10, random_state=0).fit(X.numpy(), noisy.numpy())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = mlp(3, 2)
    how = {"epochs": 40, "learning_rate": 0.01, "share": 1.0, "temperature": 1.0}
    student = corrigible.distil(forest, (X, noisy), model=model, **how)
    predicted = torch.from_numpy(forest.predict(X.numpy()))
    agreement = (student(X).argmax(1) == predicted).double().mean()
    assert agreement > (noisy == predicted).double().mean() + 0.1


def test_what_each_kind_of_teacher_says_is_the_same():
    network = nn.Linear(3, 2)
    logits = network(X).detach()
    probs = logits.softmax(1)
    expected = probs.log()
    torch.testing.assert_close(said(network).log_softmax(1), expected)
    torch.testing.assert_close(said(lambda x: network(torch.as_tensor(x)).softmax(1).detach()), expected)
    torch.testing.assert_close(said(lambda x: network(torch.as_tensor(x)).softmax(1)[:, 1].detach().numpy()), expected)
    frame = pd.DataFrame(X.numpy(), columns=["a", "b", "c"])
    by_name = said(lambda rows: network(torch.tensor(rows[["a", "b", "c"]].to_numpy())).softmax(1).detach(), rows=frame)
    torch.testing.assert_close(by_name, expected)


class Trees:
    """A model with columns in an order of its own."""

    def __init__(self, classes, probs):
        self.classes_, self.probs = np.array(classes), probs

    def predict_proba(self, x):
        return np.tile(self.probs, (len(x), 1))


def test_columns_follow_the_teachers_own_classes():
    named = corrigible.TensorData(X, Y, class_names=("cat", "dog", "owl"))
    assert said(Trees([1, 0], [0.2, 0.8]))[0].exp().tolist() == pytest.approx([0.8, 0.2])
    found = said(Trees(["dog", "cat"], [0.2, 0.8]), named, 3)[0].exp().tolist()
    assert found == pytest.approx([0.8, 0.2, 1e-6])
    with pytest.raises(UnsupportedModelError, match="the teacher's classes are cat, eel; expected class numbers"):
        said(Trees(["cat", "eel"], [0.2, 0.8]), named, 3)


def test_of_amounts_predictions_are_learned():
    y = X[:, 0].exp()
    data = corrigible.TensorData(X, y, task="amounts")
    forest = RandomForestRegressor(20, random_state=0).fit(X.numpy(), y.numpy())
    predicted = torch.from_numpy(forest.predict(X.numpy())).float()
    torch.testing.assert_close(said(forest, data, 1), predicted)
    torch.testing.assert_close(with_teacher(data, predicted).extra["teacher"], predicted)
    student = corrigible.distil(forest, data, model="table_mlp", epochs=30, learning_rate=0.01)
    left = (student.eval()(X)[:, 0] - predicted).square().mean() / predicted.var()
    assert left < 0.15


def test_a_map_style_data_set_keeps_what_stands_beside_its_rows():
    rows = as_dataset([(x, int(y)) for x, y in zip(X, Y, strict=True)])
    network = nn.Linear(3, 2)
    taught = with_teacher(rows, said(network, rows))
    batch = next(label_batches(taught, 16, seed=0)(0))
    torch.testing.assert_close(batch.extra["teacher"], network(batch.x).detach())


def test_counts_are_the_teachers_rate_times_the_exposure():
    years = torch.linspace(0.5, 3, 200)
    data = corrigible.TensorData(X, Y.float(), task="counts", extra={"exposure": years})
    network = nn.Linear(3, 1)
    torch.testing.assert_close(said(network, data, 1), (years * network(X)[:, 0].exp()).detach())


@pytest.mark.parametrize(
    ("teacher", "message"),
    [
        (lambda x: x[:, :2] * 3, "gives numbers from -.* to .*; expected probabilities that sum to 1"),
        (lambda x: x[:5], r"gives shape \(5, 3\) for 200 rows"),
        (lambda x: np.full((len(x), 2), np.nan), "NaN or infinite"),
        (lambda x: np.full((len(x), 3), 1 / 3), "tells 3 classes apart, the student 2"),
        (nn.Linear(3, 4), "tells 4 classes apart, the student 2"),
        (RandomForestClassifier, "the teacher is the class RandomForestClassifier; expected a network"),
        (object(), "of type object; expected a network"),
    ],
)
def test_outputs_that_are_none_are_refused(teacher, message):
    with pytest.raises(UnsupportedModelError, match=message):
        said(teacher)


def test_other_rows_are_refused():
    with pytest.raises(DataError, match="rows has 3 rows, the data set 200"):
        said(lambda x: x, rows=X[:3])


def test_a_teacher_of_other_rows_is_refused_in_one_line():
    frame = pd.DataFrame({"a": ["u", "v"] * 100, "b": np.arange(200.0)})
    teacher = RandomForestClassifier(2, random_state=0).fit(frame[["b"]].to_numpy(), Y.numpy())
    with pytest.raises(UnsupportedModelError, match=r"the teacher fails \(X has 3 features.* give the rows"):
        said(teacher)


def test_a_student_that_hardly_agrees_is_warned_of(caplog):
    corrigible.distil(lambda x: x[:, 0] > 0, (X, Y), model=mlp(3, 2), epochs=1, learning_rate=1e-9)
    assert "of the training rows; train it for more epochs" in caplog.text
