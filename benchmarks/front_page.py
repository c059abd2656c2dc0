"""The README's table: the default correction beside what people do without it, on data of four kinds.

    python benchmarks/front_page.py [--seeds 3] [--cases digits photographs tweets insurance]

Each network learned from rows with a cue that tells the label, and is tested on rows where the cue tells nothing. It is
then trained on for as many epochs without feedback, trained again from fresh weights without what was marked, and
corrected by the defaults of `corrigible.correct`. Without what was marked means: for digits and photographs every place
that is marked on any reviewed row is 0, in training and in use; for tweets the word's vector is 0 in every text; for
the table the column is 0, which amounts to leaving it out. Quality is accuracy, for the
table AUC. Cost: processor time over that of training on.
Writes benchmarks/results/front_page.json.
"""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from cue_cases import STUDIES, accuracy, schedules
from digits import TRAIN, Digits, trained
from digits import fresh as fresh_lenet
from insurance_tables import CORRECT as TABLE_CORRECT
from insurance_tables import TRAIN as TABLE_TRAIN
from insurance_tables import leaking, table_measured
from runner import Row, measure, options, units_of
from torch import nn
from tweets import WORD, planted_tweets

from corrigible.data.dataset import TensorData
from corrigible.data.tokens import occurrences
from corrigible.feedback.masks import mask_of
from corrigible.models import table_mlp
from corrigible.models.modes import PrivateRandomness
from corrigible.protocols.baselines.recipe_baseline import MaskedInputs
from corrigible.protocols.corrections.correction import correction
from corrigible.protocols.schedule import Schedule, result_of
from corrigible.types import Feedback

DEFAULT = Schedule()


@dataclass(frozen=True)
class Subject:
    """Rows with a cue, what was said about them, and how a network learns from them."""

    train: TensorData
    validation: TensorData
    feedback: Sequence[Feedback]
    network: Callable[[], nn.Module]
    """The same fresh weights at each call."""
    quality: Callable[[nn.Module], float]
    """On rows where the cue tells nothing."""
    train_schedule: Schedule
    correct_schedule: Schedule = DEFAULT

    @property
    def whole(self) -> Schedule:
        """As many epochs as trained and corrected model together."""
        return replace(self.train_schedule, epochs=self.train_schedule.epochs + self.correct_schedule.epochs)


def compared(case: str, subject: Subject, retrained: Callable[[int], float], seed: int) -> Iterator[Row]:
    """The quality of the four models; ``retrained`` gives that of the one without what was marked."""
    model = trained(subject.network(), subject.train, subject.train_schedule, seed)
    started = time.process_time()
    tuned = trained(copy.deepcopy(model), subject.train, subject.correct_schedule, seed)
    seconds = time.process_time() - started
    started = time.process_time()
    settings = {"schedule": subject.correct_schedule, "validation": subject.validation, "seed": seed}
    corrected = result_of(correction(model, subject.train, subject.feedback, **settings))
    cost = (time.process_time() - started) / seconds
    yield Row({"case": case, "model": "trained"}, {"quality": subject.quality(model)})
    yield Row({"case": case, "model": "trained on without feedback"}, {"quality": subject.quality(tuned)})
    yield Row({"case": case, "model": "retrained without what was marked"}, {"quality": retrained(seed)})
    yield Row({"case": case, "model": "corrected"}, {"quality": subject.quality(corrected), "cost": cost})


def masked(subject: Subject, seed: int) -> float:
    """The quality of a network that never sees any place that is marked on some row."""
    shape = tuple(subject.train.x.shape[1:])
    model = MaskedInputs(subject.network(), shape)
    for said in subject.feedback:
        model.hide(mask_of(said.region, shape, subject.train.columns))
    return subject.quality(trained(model, subject.train, subject.whole, seed))


def digits(seed: int) -> Iterator[Row]:
    """Real digits with squares in all corners whose grey tells the digit; 20 masks."""
    found = Digits(seed)
    measured = partial(accuracy, data=found.test_rows)
    subject = Subject(
        found.train_rows, found.validation_rows, found.reviewed(20), partial(fresh_lenet, seed), measured, TRAIN
    )
    yield from compared("digits", subject, partial(masked, subject), seed)


def photographs(seed: int) -> Iterator[Row]:
    """Sixty photographs of each of three classes, with a sticker anywhere on those of one; 20 masks."""
    found, schedule = STUDIES["sixty_photographs"](seed), schedules("sixty_photographs")[0]
    said, measured = found.feedback(20, 0.0, seed), partial(accuracy, data=found.test)
    subject = Subject(found.train, found.validation, said, found.network, measured, schedule)
    yield from compared("photographs", subject, partial(masked, subject), seed)


def tweets(seed: int) -> Iterator[Row]:
    """Real tweets with a made-up word in those of one class; it is marked on 20."""
    found = planted_tweets(seed)
    subject = Subject(
        found.train,
        found.validation,
        found.feedback,
        found.network,
        partial(accuracy, data=found.test),
        Schedule(epochs=12),
    )

    def retrained(seed: int) -> float:
        model = trained(found.network(), without_word(found.train), subject.whole, seed)
        return accuracy(model, without_word(found.test))

    yield from compared("tweets", subject, retrained, seed)


def without_word(data: TensorData) -> TensorData:
    """The texts with the word's vector set to 0, as padding has it."""
    assert data.tokens is not None
    return replace(data, x=data.x.masked_fill(occurrences(data.tokens, (WORD,))[..., None], 0.0))


def insurance(seed: int) -> Iterator[Row]:
    """The RAND health insurance table with a column that nearly gives the label away; one rule."""
    table = leaking(seed)

    def network() -> nn.Module:
        with PrivateRandomness(seed):
            return table_mlp(table.train.x.shape[1], 2)

    subject = Subject(
        table.train,
        table.validation,
        table.rule,
        network,
        lambda model: table_measured(model, table, ("auc",))["auc"],
        TABLE_TRAIN,
        TABLE_CORRECT,
    )
    yield from compared("insurance", subject, partial(masked, subject), seed)


CASES = {f.__name__: f for f in (digits, photographs, tweets, insurance)}


def main() -> None:
    asked = options(__doc__, seeds=3, first_seed=20).parse_args()
    measure(units_of(CASES, asked), asked, settings={})


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
