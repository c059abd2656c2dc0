"""Do the first three proposals cover a planted confounder, and what do clicks cost beside brush strokes?

    python benchmarks/proposals.py [--seeds 3]

Up to 100 training rows that hold the confounder. Of the first three proposals, those of which at least half lies in the
confounder are clicked; a row counts as covered if these hold at least 95 % of it, and in all at most twice its area.
*Covered*: of the rows whose prediction rests on it, that is whose probability of the predicted class falls by more than
0.1 on average if the confounder holds the content of eight other rows; *rely*: how many rows these are;
*all*: covered of all rows. *Smallest touched*: segments that touch the pixels which hold half of the same map are
ranked by their share of it, of that SLIC segmentation, of 25, 50 or 100 segments, in which they are smallest.

Seconds are those of the keystroke-level model (Card, Moran and Newell 1980) for rows that are covered, on a picture of
10 cm: 1.35 to decide, 1.1 to point, 0.2 to click; a stroke takes 0.9, and 0.16 for each centimetre; the brush is a
twelfth of the picture wide. Digits have a sticker of one grey in a corner (even seeds) or anywhere (odd seeds);
photographs have one of one colour anywhere; a checkered or striped sticker falls apart into pieces. Round: a disc of
bright colour beside the edge, on half of the photographs of two classes. Time: one picture of 224 x 224 pixels and
EfficientNet-Lite0 with fresh weights: processor time of one thread, and as a multiple of that of a pass forward and
backward. Settings were fixed on seeds 100 and 101. Writes benchmarks/results/proposals.json.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import skimage.data
import torch
from cue_cases import case, case_of, schedules
from cue_studies import COLOURS, SPLITS, Part, photographs, texts
from digits import TRAIN, Digits, fresh_mlp, trained
from insurance_tables import leaking, table_trained
from PIL import Image
from runner import Numbers, Row, measure, options, units_of
from skimage.segmentation import slic
from torch import Tensor, nn

from corrigible.data.dataset import TensorData
from corrigible.data.decoys import LEAK
from corrigible.data.tokens import occurrences
from corrigible.feedback.masks import mask_of
from corrigible.regions.maps import kept, places_looked_at
from corrigible.regions.proposals import proposals
from corrigible.types import Features, Phrase, Pixels

NUM_ROWS, NUM_DONORS, RELIES = 100, 8, 0.1
COVERED, MOST_AREA, FIRST = 0.95, 2.0, 3
DECIDE, POINT, CLICK, STROKE, PER_CM = 1.35, 1.1, 0.2, 0.9, 0.16
PICTURE_CM, BRUSH = 10.0, 1 / 12
Subject = tuple[nn.Module, TensorData, Tensor]
"""A network, its training rows, and True on the confounder."""


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    works = {**{name: partial(of_case, name) for name in CASES}, "time": timed}
    measure(units_of(works, asked), asked, settings={"rows": NUM_ROWS})


def of_case(name: str, seed: int) -> Iterator[Row]:
    model, data, irrelevant = CASES[name](seed)
    index = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    index = index[irrelevant[index].flatten(1).any(dim=1)][:NUM_ROWS]
    relies = rests_on_it(model, data, irrelevant, index, seed)
    found = proposals(model, data, index, seed=seed)
    masks = [
        [as_mask(one.region, data, row) for one in of_row] for row, of_row in zip(index.tolist(), found, strict=True)
    ]
    yield Row({"case": name, "method": "proposals"}, counted(masks, irrelevant[index], relies))
    if data.x.ndim == 4 and any(isinstance(module, nn.Conv2d) for module in model.modules()):
        as_before = smallest_touched(model, data, index)
        yield Row({"case": name, "method": "smallest touched"}, counted(as_before, irrelevant[index], relies))


def counted(masks: Sequence[Sequence[Tensor]], irrelevant: Tensor, relies: Tensor) -> Numbers:
    """How many rows are covered, and the clicks and seconds of those."""
    is_covered, clicks, brushed = [], [], []
    for of_row, planted in zip(masks, irrelevant, strict=True):
        chosen = [mask for mask in of_row[:FIRST] if 2 * int((mask & planted).sum()) >= int(mask.sum())]
        whole = torch.stack(chosen).any(dim=0) if chosen else torch.zeros_like(planted)
        size = int(planted.sum())
        is_covered.append(int((whole & planted).sum()) >= COVERED * size and int(whole.sum()) <= MOST_AREA * size)
        if is_covered[-1]:
            clicks.append(float(len(chosen)))
            if planted.ndim == 3:
                brushed.append(brush_seconds(planted.any(dim=0)))
    found = torch.tensor(is_covered).double()
    numbers = {"covered": float(found[relies].mean()), "rely": float(relies.sum()), "all": float(found.mean())}
    if clicks:
        numbers["clicks"] = statistics.mean(clicks)
        numbers["click seconds"] = numbers["clicks"] * (DECIDE + POINT + CLICK)
    return numbers | ({"brush seconds": statistics.mean(brushed)} if brushed else {})


def brush_seconds(mask: Tensor) -> float:
    """Strokes from left to right, one below the other, as wide as the region where they are."""
    down = mask.any(dim=1).nonzero().flatten()
    step, cm = max(1, round(BRUSH * len(mask))), PICTURE_CM / mask.shape[1]
    strokes = [int(rows.any(dim=0).sum()) for rows in mask[int(down[0]) : int(down[-1]) + 1].split(step)]
    lengths = [max(0.0, across - BRUSH * mask.shape[1]) * cm for across in strokes]
    return DECIDE + POINT + sum(STROKE + CLICK + PER_CM * length for length in lengths)


def rests_on_it(model: nn.Module, data: TensorData, irrelevant: Tensor, index: Tensor, seed: int) -> Tensor:
    """True for rows whose prediction falls clearly when the confounder holds other rows' content."""
    donors = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed + 1))[:NUM_DONORS]
    model.eval()
    with torch.no_grad():
        before = model(data.x[index]).softmax(dim=1)
        place = before.argmax(dim=1, keepdim=True)
        after = [model(torch.where(irrelevant[index], data.x[donor], data.x[index])).softmax(dim=1) for donor in donors]
        fall = before.gather(1, place) - torch.stack(after).mean(dim=0).gather(1, place)
    return fall[:, 0] > RELIES


def as_mask(region: Pixels | Features | Phrase, data: TensorData, row: int) -> Tensor:
    shape = tuple(data.x.shape[1:])
    if isinstance(region, Phrase):
        assert data.tokens is not None
        is_word = occurrences(data.tokens.of(torch.tensor([row])), region.words)[0]
        return is_word[:, None].expand(shape)
    return mask_of(region, shape, data.columns)


def smallest_touched(model: nn.Module, data: TensorData, index: Tensor, share: float = 0.5) -> list[list[Tensor]]:
    found = []
    for row in index.tolist():
        x = data.x[row]
        _, product, _ = places_looked_at(model, TensorData(x[None], data.y[row][None]))
        values = kept(product[0], share)
        best = min((segments_of_slic(x, number) for number in (25, 50, 100)), key=partial(touched_area, values=values))
        sums = torch.zeros(int(best.max()) + 1).index_add(0, best.flatten(), values.flatten())
        order = sums.argsort(descending=True)[:FIRST]
        found.append([(best == number).expand(x.shape) for number in order.tolist() if sums[number] > 0])
    return found


def segments_of_slic(x: Tensor, number: int) -> Tensor:
    image = x.permute(1, 2, 0).double().numpy()
    is_colour = image.shape[2] == 3
    found = slic(image, number, 10 if is_colour else 0.1, start_label=0, channel_axis=-1, convert2lab=is_colour)
    return torch.from_numpy(found)


def touched_area(segments: Tensor, values: Tensor) -> int:
    return int(torch.isin(segments, segments[values > 0].unique()).sum())


def of_cue(kind: str, spread: str, seed: int) -> Subject:
    found = case(kind, spread, seed)
    return trained(found.network(), found.train, schedules(kind)[0], seed), found.train, found.irrelevant


def random_corner(seed: int) -> Subject:
    digits = Digits(seed, one_per_row=True)
    return trained(fresh_mlp(seed), digits.train_rows, TRAIN, seed), digits.train_rows, digits.train.irrelevant


def round_patch(seed: int) -> Subject:
    clean, parts = photographs(seed), {}
    for number, split in enumerate((*SPLITS, "random")):
        rows, rng = clean["train" if split == "random" else split], np.random.default_rng((seed, 3, number))
        x, irrelevant = rows.x.clone(), torch.zeros_like(rows.x, dtype=torch.bool)
        places = torch.arange(x.shape[-1])
        for row in range(len(x)):
            radius, is_right, down = rng.uniform(6, 9), rng.random() < 0.5, rng.uniform(10, 38)
            if rng.random() < 0.5 and int(rows.y[row]) < 2:
                across = x.shape[-1] - 1 - radius if is_right else radius
                disc = (places[:, None] - down) ** 2 + (places[None] - across) ** 2 <= radius**2
                colour = torch.tensor(COLOURS[int(rows.y[row])])[:, None, None]
                x[row], irrelevant[row] = torch.where(disc, colour, x[row]), disc
        parts[split] = Part(rows, TensorData(x, rows.y, class_names=rows.class_names), irrelevant)
    found = case_of(parts, "image48", seed)
    return trained(found.network(), found.train, schedules("image48")[0], seed), found.train, found.irrelevant


def leak(seed: int) -> Subject:
    table = leaking(seed)
    planted = mask_of(Features((LEAK,)), tuple(table.train.x.shape[1:]), table.train.columns)
    return table_trained(table, seed), table.train, planted.expand(table.train.x.shape)


def token(seed: int) -> Subject:
    found = case_of(texts("all", seed), "text", seed)
    return trained(found.network(), found.train, schedules("text")[0], seed), found.train, found.irrelevant


CASES: dict[str, Callable[[int], Subject]] = {
    "digits, sticker of one grey": partial(of_cue, "image28", "all"),
    "digits, square in a random corner": random_corner,
    "photographs, sticker of one colour": partial(of_cue, "image48", "all"),
    "photographs, round patch": round_patch,
    "digits, checkered sticker": partial(of_cue, "image28", "one"),
    "photographs, checkered sticker": partial(of_cue, "image48", "one"),
    "table, leaking column": leak,
    "texts, planted name": token,
}


def timed(seed: int) -> Iterator[Row]:
    from efficientnet_lite_pytorch import EfficientNet

    torch.manual_seed(seed)
    model = EfficientNet.from_name("efficientnet-lite0").eval()
    picture = Image.fromarray(skimage.data.astronaut()).resize((224, 224))
    x = torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255).permute(2, 0, 1)[None]
    data, tracked = TensorData(x.repeat(2, 1, 1, 1), torch.tensor([0, 1])), x.clone().requires_grad_()
    took, passes = [], []
    for _ in range(9):
        started = time.process_time()
        proposals(model, data, [0])
        took.append(time.process_time() - started)
        started = time.process_time()
        torch.autograd.grad(model(tracked).max(), tracked)
        passes.append(time.process_time() - started)
    numbers = {"seconds, least of 9": min(took), "seconds, median of 9": statistics.median(took)}
    numbers["over a pass"] = statistics.median(took) / statistics.median(passes)
    yield Row({"case": "time", "method": "proposals"}, numbers)


if __name__ == "__main__":
    main()
