"""Do planted decoys come out on top where nobody says where to look?

    python benchmarks/suspects.py [--seeds 3]

Each part of the input, a cell of 4 x 4 pixels or a feature, counts as planted where the decoy covers half of it; its
score is that of the best suspect that covers half of it, 0 where there is none. AUC is how often a planted part has a
higher score than another. Four corners: a square in each corner of every digit, of which the model may use any; one
corner: a square in one of them. Without decoys: the same parts are called planted, for a model that never saw one; the
lower the better. Leak: a column that gives the label away among the features of the insurance table. The way in which
suspects are ranked was chosen on digits of seed 0; seeds count from 1. Writes benchmarks/results/suspects.json.
"""

import argparse
import time

import torch
from digits import TRAIN, Digits, fresh, trained
from results import means_over, write
from sklearn.metrics import roc_auc_score
from tables import leaking, table_trained
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.data.decoys import LEAK, corner_mask
from corrigible.feedback.masks import mask_of
from corrigible.regions.candidates import masks_of_parts, parts_of
from corrigible.regions.suspects import suspects
from corrigible.types import Features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    torch.set_num_threads(1)
    seeds = range(1, parser.parse_args().seeds + 1)
    for num_seeds, rows in enumerate(means_over(seeds, one_seed, name="case"), start=1):
        write("suspects", {"seeds": num_seeds, "rows": rows})


def one_seed(seed: int) -> dict[str, dict[str, float]]:
    four, one = Digits(seed), Digits(seed, one_per_row=True)
    corners = corner_mask((1, 28, 28))
    table = leaking(seed)
    leak = mask_of(Features((LEAK,)), tuple(table.train.x.shape[1:]), table.train.columns)
    cases = {
        "four corners": (trained(fresh(seed), four.train_rows, TRAIN, seed), four.train_rows, corners),
        "one corner": (trained(fresh(seed), one.train_rows, TRAIN, seed), one.train_rows, corners),
        "without decoys": (trained(fresh(seed), four.clean_train, TRAIN, seed), four.clean_train, corners),
        "leak": (table_trained(table, seed), table.train, leak),
    }
    return {name: detected(model, data, planted, seed) for name, (model, data, planted) in cases.items()}


def detected(model: nn.Module, data: TensorData, planted: Tensor, seed: int) -> dict[str, float]:
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
