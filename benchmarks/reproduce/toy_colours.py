"""Toy colours (Ross, Hughes and Doshi-Velez 2017): two rules that each tell the class; feedback chooses between them.

    python benchmarks/reproduce/toy_colours.py [--seeds 5]

Images of 5×5 pixels in four colours. In class 1 all four corners have one colour and the three pixels in the middle of
the top row have three; in class 0 neither holds. Rows on which only one of the rules holds, which training never shows,
tell which one a network learned. Published: the corners are learned; feedback against them switches to the top, and
find-another-explanation recovers both rules. Writes benchmarks/results/reproduce_toy_colours.json.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from digits import finished
from runner import Row, measure, options, rows_of, units_of
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.explanations import explain
from corrigible.models import mlp
from corrigible.models.modes import evaluating
from corrigible.protocols.corrections.correction import correction
from corrigible.protocols.retraining.find_another_explanation import Search, find_another_explanation
from corrigible.protocols.schedule import Schedule, run
from corrigible.types import Feedback

COLOURS = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.5]])
NUM_TRAIN, NUM_HELD_OUT, NUM_TEST = 4000, 1000, 2000
TRAIN = Schedule(epochs=24, batch_size=256, learning_rate=3e-3)
CORRECT = Schedule(epochs=96, batch_size=256, learning_rate=3e-3)
"""As long as swap scores rise: after 24 epochs the other rule is only half learned."""
SEARCH = Search(scope="dataset")
CORNERS, TOP = torch.zeros(5, 5, dtype=torch.bool), torch.zeros(5, 5, dtype=torch.bool)
CORNERS[::4, ::4] = True
TOP[0, 1:4] = True
RULES = {"corners": CORNERS, "top": TOP}


def main() -> None:
    asked = options(__doc__, seeds=5).parse_args()
    settings = {"train": asdict(TRAIN), "correct": asdict(CORRECT), "search": asdict(SEARCH)}
    settings |= {"rows": [NUM_TRAIN, NUM_HELD_OUT, NUM_TEST]}
    measure(units_of({"toy_colours": one_seed}, asked), asked, settings=settings)


def one_seed(seed: int) -> Iterator[Row]:
    train, held_out, test = (
        images(size, seed=3 * seed + draw) for draw, size in enumerate((NUM_TRAIN, NUM_HELD_OUT, NUM_TEST))
    )
    torch.manual_seed(seed)
    plain = mlp(75, 2)
    for _ in run(plain, train, TRAIN, seed=seed):
        pass
    numbers = {"plain": measured(plain, test, seed)}
    learned = "corners" if numbers["plain"]["follows_corners"] > 0.5 else "top"
    model = plain
    for rule in sorted(RULES, key=lambda rule: rule != learned):  # Against the rule it learned, then the other one.
        said = [Feedback(RULES[rule].numpy(), scope="dataset")]
        told = {"penalties": {"right_reasons": "auto"}, "schedule": CORRECT, "validation": held_out, "seed": seed}
        model, weights = finished(correction(model, train, said, **told))
        numbers[f"rule: the {rule} must not matter"] = measured(model, test, seed) | {
            "weight": weights["right_reasons"]
        }
    search = find_another_explanation(mlp(75, 2), train, validation=held_out, search=SEARCH, schedule=TRAIN, seed=seed)
    numbers["find another explanation"] = {"count": float(search.count)} | {
        f"rules_found_{rule}": float(any(is_found(mask, RULES[rule]) for mask in search.masks)) for rule in RULES
    }
    yield from rows_of(numbers)


def is_found(mask: Tensor, rule: Tensor) -> bool:
    """Whether most of what is marked belongs to the rule."""
    return bool((mask.float().mean(dim=(0, 1)) * rule).sum() > mask.float().mean(dim=(0, 1)).sum() / 2)


def measured(model: nn.Module, test: TensorData, seed: int) -> dict[str, float]:
    """Accuracy on rows where the rules agree; which rule is followed where they do not; where the gradient lies."""
    with evaluating(model), torch.no_grad():
        is_right = (model(test.x).argmax(dim=1) == test.y).float()
        follows = {}
        for place, rule in enumerate(RULES):
            one_rule = images_with(place == 0, place == 1, NUM_TEST, seed=7000 + 2 * seed + place)
            follows[rule] = model(one_rule).argmax(dim=1).float().mean().item()
    by_class = [is_right[test.y == label].mean().item() for label in (0, 1)]
    size = explain(model, test.x, test.y, method="input_gradient", score="summed_log_prob").abs().sum(dim=(0, 1))
    corners = (follows["corners"] + 1 - follows["top"]) / 2
    return {
        "accuracy": is_right.mean().item(),
        "macro_group_accuracy": sum(by_class) / 2,
        "worst_group_accuracy": min(by_class),
        "follows_corners": corners,
        "follows_top": 1 - corners,
        "gradient_on_corners": float(size[CORNERS].sum() / size.sum()),
        "gradient_on_top": float(size[TOP].sum() / size.sum()),
    }


def images(num_rows: int, *, seed: int) -> TensorData:
    """As many rows of both classes, in turn."""
    half = num_rows // 2
    x = torch.stack([images_with(holds, holds, half, seed=10 * seed + holds) for holds in (False, True)], dim=1)
    return TensorData(x.flatten(0, 1), torch.tensor([0, 1]).repeat(half))


def images_with(same_corners: bool, top_differs: bool, num_rows: int, *, seed: int) -> Tensor:
    """Rows on which each rule holds, or not; all other pixels are drawn evenly."""
    generator = torch.Generator().manual_seed(seed)
    colour = torch.randint(4, (num_rows, 5, 5), generator=generator)
    for rule, wanted in ((CORNERS, same_corners), (TOP, top_differs)):
        drawn = torch.randint(4, (200 * num_rows, int(rule.sum())), generator=generator)
        distinct = (drawn.sort(dim=1).values.diff(dim=1) != 0).sum(dim=1)
        holds = distinct == 0 if rule is CORNERS else distinct == 2
        colour[:, rule] = drawn[holds == wanted][:num_rows]
    return COLOURS[colour].permute(0, 3, 1, 2).contiguous()


if __name__ == "__main__":
    main()
