"""The printed form of what long work yields: a step of a progress bar, or lines of text; it loads PyTorch."""

from collections.abc import Iterator
from typing import assert_never

from rich.markup import escape

from corrigible.comparison import spoken
from corrigible.explanations.shards.writing import ShardsPlanned, ShardWritten
from corrigible.figures import number, percent, short_number
from corrigible.lines.of_verdicts import verdict_lines
from corrigible.lines.printing import Step, wrapped
from corrigible.printable import plural
from corrigible.protocols.corrections.defaults import MethodChosen
from corrigible.protocols.corrections.mask_checks import FeedbackDoubted
from corrigible.protocols.corrections.verdict import Verdict
from corrigible.protocols.corrections.weight import WeightChoice, WeightTrial
from corrigible.protocols.fairness.enforced import Enforced
from corrigible.regions.shifts import Shift
from corrigible.training import Epoch
from corrigible.workflow.records import LongRecord


def told_of_long_work(record: LongRecord) -> Step | Iterator[str]:
    """The record as a step of a progress bar, or as lines with rich's markup."""
    match record:
        case Epoch():
            return Step("epoch", record.number, record.num_epochs, _epoch_values(record), False)
        case WeightTrial():
            return Step("weight", record.number, record.num_trials, _trial_values(record), True)
        case ShardWritten():
            return Step(f"{record.name}: shard", record.number, record.num_shards, "", False)
        case MethodChosen() | WeightChoice():
            return map(escape, wrapped(record.message))
        case FeedbackDoubted():
            return (f"[yellow]{escape(line)}[/yellow]" for line in wrapped(record.message))
        case Shift():
            return map(escape, wrapped(f"matters more now: {record.region}; {_shift_in_words(record)}"))
        case Enforced():
            return (escape(line) for said in str(record).splitlines() for line in wrapped(said.strip()))
        case Verdict():
            return verdict_lines(record)
        case ShardsPlanned():
            return _planned(record)
        case _:
            assert_never(record)


def _epoch_values(epoch: Epoch) -> str:
    named = {
        "loss": epoch.loss,
        **{spoken(name): value for name, value in epoch.penalties.items()},
        **{f"validation {k}": v for k, v in epoch.validation.items()},
    }
    return "  ".join(f"{name} {number(value)}" for name, value in named.items())


def _trial_values(trial: WeightTrial) -> str:
    """The accuracy of a trial with marked content exchanged, and on the rows as found, which may fall rightly."""
    accuracy = f"{trial.measured} {number(trial.accuracy)} exchanged, {number(trial.as_found)} as found"
    refused = "  refused" if trial.is_refused else ""
    return f"{short_number(trial.weight)}: swap score {number(trial.swap_score)}, {accuracy}{refused}"


def _planned(record: ShardsPlanned) -> Iterator[str]:
    kept = f"; goes on after {record.num_kept} finished before" if record.num_kept else ""
    shards = plural(record.num_shards, "shard")
    yield f"[bold]{escape(record.name)}[/bold]: {record.num_rows} rows in {shards}{kept}"


def _shift_in_words(record: Shift) -> str:
    """How good predictions are with other rows' values in the region."""
    return f"{record.measured} {percent(record.after, 0)} when it is exchanged, before {percent(record.before, 0)}"
