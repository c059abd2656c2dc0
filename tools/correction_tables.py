"""The tables of what the default correction reaches, written from the results of its benchmarks."""

from collections.abc import Callable, Iterator
from typing import Any


def never_ruins(found: dict[str, Any]) -> Iterator[str]:
    yield "| method | corrections | ruined | of these without a word | failed | refused | ≥ 90 % of the gap | cost |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in found["rows"]:
        if not row["runs"]:
            continue
        with_a_gap = row["share_of_gap"]["count"] if "share_of_gap" in row else 0
        reached = f"{row['nine_tenths_of_the_gap']} of {with_a_gap}"
        cost = f"{row['cost']['median']:.2f} ×" if "cost" in row else ""
        counts = [row[key] for key in ("runs", "ruined", "ruined_without_a_word", "failed", "refused")]
        yield f"| {row['method']} | " + " | ".join(map(str, [*counts, reached, cost])) + " |"


SHOWN = {
    "accuracy": "accuracy",
    "share_of_gap": "share of the gap",
    "flip_rate": "flip rate",
    "flip_effect_ratio": "effect over before",
    "attribution_overlap_ratio": "share over before",
    "auc_minus_without": "AUC less that without the column",
    "cost": "cost",
}


def transplant(found: dict[str, Any]) -> Iterator[str]:
    shown = [key for key in SHOWN if any(key in row for row in found["rows"])]
    yield "| mean ± sd | seeds | " + " | ".join(SHOWN[key] for key in shown) + " |"
    yield "|---" * (2 + len(shown)) + "|"
    for row in found["rows"]:
        cells = [f"{row[key]['mean']:.3f} ± {row[key]['sd']:.3f}" if key in row else "" for key in shown]
        yield f"| {row['model']} | {row['cost']['count']} | " + " | ".join(cells) + " |"


DATA = {
    "digits": "digits, 20 masks",
    "photographs": "180 photographs, 20 masks",
    "tweets": "tweets, a word marked on 20",
    "insurance": "insurance table, one rule",
}
MODELS = (
    *("trained", "trained on without feedback", "retrained without what was marked"),
    "corrected",
)


def front_page(found: dict[str, Any]) -> Iterator[str]:
    """One line per data set, the means only."""
    yield from _quality_of_each(found, lambda value: f"{value['mean']:.2f}")


def front_page_spread(found: dict[str, Any]) -> Iterator[str]:
    yield from _quality_of_each(found, mean_and_sd)


def _quality_of_each(found: dict[str, Any], written: Callable[[dict[str, float]], str]) -> Iterator[str]:
    seeds = f"quality, mean of {len(found['seeds'])} seeds"
    yield f"| {seeds} | " + " | ".join((*MODELS[:-1], "**corrected, by default**")) + " | cost over training on |"
    yield "|---" * (len(MODELS) + 2) + "|"
    for case, data in DATA.items():
        of = {row["model"]: row for row in found["rows"] if row["case"] == case}
        cells = [written(of[model]["quality"]) for model in MODELS]
        cells[-1] = f"**{cells[-1]}**"
        yield f"| {data} | " + " | ".join(cells) + f" | {of['corrected']['cost']['mean']:.1f} × |"


def tasks(found: dict[str, Any]) -> Iterator[str]:
    """One line per task: the quality of the three models on clean rows, and what is left of the reliance."""
    seeds = f"{len(found['seeds'])} seeds, mean ± sd"
    yield f"| {seeds} | fooled | corrected | without the column | share of the gap | moves of predictions, of before |"
    yield "|---|---|---|---|---|---|"
    for case in dict.fromkeys(row["case"] for row in found["rows"]):
        of = {row["model"]: row for row in found["rows"] if row["case"] == case}
        cells = [mean_and_sd(of[name]["quality"]) for name in ("fooled", "corrected", "retrained without the column")]
        cells.append(mean_and_sd(of["corrected"]["share_of_gap"]) if "share_of_gap" in of["corrected"] else "")
        yield f"| {case} | " + " | ".join([*cells, mean_and_sd(of["corrected"]["shift_ratio"])]) + " |"


def mean_and_sd(value: dict[str, float]) -> str:
    return f"{value['mean']:.3f} ± {value['sd']:.3f}"


def limiting(found: dict[str, Any]) -> Iterator[str]:
    seeds = f"{len(found['seeds'])} seeds, mean ± sd, test rows"
    of = "AUC minus retrained | flip effect, of before | calibration error | gap between groups | seconds"
    yield f"| {seeds} | {of} |"
    yield "|---|---|---|---|---|---|"
    for row in found["rows"]:
        if row["split"] == "test":
            keys = ("auc_minus_without", "effect_ratio", "expected_calibration_error", "group_prob_gap", "seconds")
            cells = [mean_and_sd(row[key]) if key in row else "" for key in keys]
            yield f"| {row['model']} | " + " | ".join(cells) + " |"


def fair_prices(found: dict[str, Any]) -> Iterator[str]:
    """What prices of visits still say of the attribute, and what that costs."""
    seeds = f"visits, {len(found['seeds'])} seeds, mean ± sd, test rows"
    yield f"| {seeds} | deviance, over the best estimate's | correlation given the risk | of before | women over men |"
    yield "|---|---|---|---|---|"
    for row in found["rows"]:
        if row["case"] == "visits":
            keys = ("deviance ratio", "partial", "share", "women over men")
            yield f"| {row['model']} | " + " | ".join(mean_and_sd(row[key]) for key in keys) + " |"


def fair_prices_truth(found: dict[str, Any]) -> Iterator[str]:
    """The error against the known truth, and the time of 50,000 policies."""
    errors = {row["model"]: row["error"]["most"] for row in found["rows"] if row["case"] == "truth"}
    yield "| known truth, worst of all policies and seeds | relative error |"
    yield "|---|---|"
    yield from (f"| {model} | {error:.1g} |" for model, error in errors.items())
    for policies in (row for row in found["rows"] if row["case"] == "policies"):
        yield f"\n| 50,000 policies, {policies['imbalance']['count']} seeds | mean ± sd |"
        yield "|---|---|"
        for name in ("seconds best estimate", "seconds closed form", "seconds student"):
            yield f"| {name} | {policies[name]['mean']:.1f} ± {policies[name]['sd']:.1f} |"
        for name in ("imbalance", "imbalance of the student"):
            yield f"| {name}, worst | {policies[name]['most']:.1g} |"
        yield f"| mean error of the student | {mean_and_sd(policies['mean error of the student'])} |"


def students(found: dict[str, Any]) -> Iterator[str]:
    """One line per table, teacher and model."""
    yield "| mean ± sd, test rows | model | seeds | AUC | minus teacher | same class | effect of race | of before |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in found["rows"]:
        keys = ("auc", "auc_minus_teacher", "agreement", "effect", "effect_ratio")
        cells = [mean_and_sd(row[key]) if key in row else "" for key in keys]
        case = f"{row['table']}, {row['teacher']}"
        yield f"| {case} | {row['model']} | {row['auc']['count']} | " + " | ".join(cells) + " |"


def bayes_cost(found: dict[str, Any]) -> Iterator[str]:
    """Of training steps over a plain step, and of samples over plain passes."""
    yield (
        "| LeNet | "
        + " | ".join(f"batch {size}" for size in dict.fromkeys(row["batch"] for row in found["rows"]))
        + " |"
    )
    yield "|---|---|---|"
    for of in ("steps", "passes"):
        rows = [row for row in found["rows"] if row["of"] == of]
        for name in (name for name in rows[0] if name not in ("batch", "of")):
            yield f"| {of}: {name} | " + " | ".join(f"{row[name]['mean']:.2f} ×" for row in rows) + " |"


def attribution_overlap(found: dict[str, Any]) -> Iterator[str]:
    """One line per model: accuracy, and the share of each method's attribution on the squares."""
    names = [name for name in found["rows"][0] if name not in ("case", "model")]
    yield f"| {len(found['seeds'])} seeds, mean ± sd | {' | '.join(names)} |"
    yield "|---" * (len(names) + 1) + "|"
    for row in found["rows"]:
        yield f"| {row['case']}, {row['model']} | " + " | ".join(mean_and_sd(row[name]) for name in names) + " |"


def calibrating(found: dict[str, Any]) -> Iterator[str]:
    """One line per network and rows to calibrate on."""
    columns = "calibrated on rows | 90 % sets hold | where least | classes in a set | temperature | NLL | ECE"
    yield f"| {len(found['seeds'])} seeds, mean ± sd | {columns} |"
    yield "|---" * 8 + "|"
    for row in found["rows"]:
        keys = ("coverage", "worst_coverage", "size", "temperature", "nll", "ece")
        cells = [mean_and_sd(row[key]) if key in row else "" for key in keys]
        yield (
            f"| {row['case']}, {row['model']} | {'not at all' if row['rows'] == 'without' else row['rows']} | "
            + " | ".join(cells)
            + " |"
        )


ALL = (never_ruins, transplant, tasks, limiting, students, front_page, front_page_spread, fair_prices)
ALL += (fair_prices_truth, bayes_cost, calibrating, attribution_overlap)
