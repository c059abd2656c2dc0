"""Do planted decoys come out on top where nobody says where to look?

    python benchmarks/suspects.py [--seeds 3]

Each part of the input, a cell of 4 x 4 pixels or a feature, counts as planted where the decoy covers half of it; its
score is that of the best suspect that covers half of it, 0 where there is none. AUC is how often a planted part has a
higher score than another. Four corners: a square in each corner of every digit, of which the model may use any; one
corner: a square in one of them. Without decoys: the same parts are called planted, for a model that never saw one; the
lower the better. Leak: a column that gives the label away among the features of the insurance table. The way in which
suspects are ranked was chosen on digits of seed 0; seeds count from 1. Writes benchmarks/results/suspects.json.
"""

import time
from collections.abc import Iterator
from functools import partial

from digits import TRAIN, Digits, fresh, trained
from insurance_tables import leaking, table_trained
from runner import Numbers, Row, measure, options, units_of
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.data.decoys import LEAK, corner_mask
from corrigible.feedback.masks import mask_of
from corrigible.regions.candidates import masks_of_parts, parts_of
from corrigible.regions.suspects import suspects
from corrigible.types import Features


def main() -> None:
    asked = options(__doc__, seeds=3, first_seed=1).parse_args()
    measure(units_of({case: partial(of_case, case) for case in CASES}, asked), asked, settings={})


def of_case(case: str, seed: int) -> Iterator[Row]:
    model, data, planted = CASES[case](seed)
    yield Row({"case": case}, detected(model, data, planted, seed))


def digits(seed: int, *, one_per_row: bool = False, clean: bool = False) -> tuple[nn.Module, TensorData, Tensor]:
    found = Digits(seed, one_per_row=one_per_row)
    data = found.clean_train if clean else found.train_rows
    return trained(fresh(seed), data, TRAIN, seed), data, corner_mask((1, 28, 28))


def leak(seed: int) -> tuple[nn.Module, TensorData, Tensor]:
    table = leaking(seed)
    planted = mask_of(Features((LEAK,)), tuple(table.train.x.shape[1:]), table.train.columns)
    return table_trained(table, seed), table.train, planted


CASES = {
    "four corners": digits,
    "one corner": partial(digits, one_per_row=True),
    "without decoys": partial(digits, clean=True),
    "leak": leak,
}
"""The model, the rows it learned from, and what was planted in them."""


def detected(model: nn.Module, data: TensorData, planted: Tensor, seed: int) -> Numbers:
    """AUC of the score of each part, and the rank of the best suspect that is planted."""
    started = time.perf_counter()
    found = suspects(model, data, most=1000, seed=seed)
    seconds = time.perf_counter() - started
    shape = tuple(data.x.shape[1:])
    regions = [mask_of(suspect.region, shape, data.columns) for suspect in found]
    parts = masks_of_parts(parts_of(shape, data.columns))
    scores = [
        max((s.score for s, region in zip(found, regions, strict=True) if covers(region, part)), default=0.0)
        for part in parts
    ]
    ranks = [rank for rank, region in enumerate(regions, start=1) if covers(planted, region)]
    return {
        "auc": float(roc_auc_score([covers(planted, part) for part in parts], scores)),
        "best_rank": float(min(ranks, default=len(found) + 1)),
        "planted_in_first_four": float(sum(rank <= 4 for rank in ranks)),
        "seconds": seconds,
    }


def covers(region: Tensor, part: Tensor) -> bool:
    return bool(2 * (region & part).sum() >= part.sum())


if __name__ == "__main__":
    main()
