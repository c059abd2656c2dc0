"""What a verb found, in one plain sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from corrigible.comparison import spoken
from corrigible.data.dataset import strata_of, task_of
from corrigible.data.protocol import Dataset, class_named, class_names_of
from corrigible.figures import number
from corrigible.printable import plural
from corrigible.protocols.corrections.verdict import Verdict
from corrigible.training import Epoch
from corrigible.workflow.records import Measured, MethodCompared

CLEARLY_MORE = 0.05
"""How far the share of the most frequent class must be above an equal share to be named."""
FEW_EPOCHS, SLOW = 8, 1e-4
"""Fewer epochs, or a lower learning rate, that may be why a correction changed little."""
HARDLY_CHANGED = 0.8


def trained_in_words(epoch: Epoch | None, watched: Dataset | None) -> str:
    """How well the model does after its last epoch, beside what guessing would give."""
    if epoch is None:
        return ""
    if watched is None or not epoch.validation:
        return (
            f"the loss on the training rows is {epoch.loss:.3g}; no validation rows are named in recipe.toml, so how "
            "well it does on other rows is for `evaluate` to say"
        )
    ((name, value),) = epoch.validation.items()
    return f"validation {name} {number(value)}; {chance_in_words(watched)}"


def privacy_in_words(record: Mapping[str, Any]) -> str:
    """What private steps cost, to append to a result; empty where there were none."""
    return f"; {record['privacy']['said']}" if "privacy" in record else ""


def chance_in_words(data: Dataset) -> str:
    """How well a guess does that looks at no input."""
    task = task_of(data)
    if task.logits is None:
        return f"the best guess without inputs gives {number(task.chance)}"
    counts = strata_of(data).bincount()
    num_classes, most = max(len(class_names_of(data) or ()), len(counts)), int(counts.argmax())
    share = float(counts.max() / counts.sum())
    told = f"chance with {num_classes} classes is {number(1 / num_classes)}"
    if share > 1 / num_classes + CLEARLY_MORE:
        told += f", and always naming class {class_named(most, class_names_of(data))} gives {number(share)}"
    return told


def corrected_in_words(found: Verdict) -> str:
    """The outcome, and how far the reliance fell."""
    now = found.moved_as.format(f"{100 * found.reliance_after:.1f}")
    return f"{found.outcome}: exchanging what was marked moves {now}; before, {100 * found.reliance_before:.1f}"


def why_failed(found: Verdict, *, epochs: int, learning_rate: float, where: str) -> tuple[str, ...]:
    """What to try after a failed correction, the likeliest first."""
    advice = [
        "look again at what was marked: it must not be what shows the label",
        f"corrigible compare {where}  # try other methods",
    ]
    is_hardly_changed = found.reliance_after > HARDLY_CHANGED * found.reliance_before
    short = [f"only {plural(epochs, 'epoch')}"] if epochs < FEW_EPOCHS else []
    slow = [f"a learning rate of {learning_rate:g}"] if learning_rate < SLOW else []
    if is_hardly_changed and (short or slow):
        longer = f"corrigible correct {where} --epochs {max(24, 3 * epochs)}" if short else "raise learning_rate"
        more = f"{longer}  # it had {' and '.join([*short, *slow])}, which may be too little to change the model"
        advice.insert(0, more)
    return tuple(advice)


def evaluated_in_words(measured: Sequence[Measured], data: Dataset) -> str:
    """The first metric of every model."""
    whole = [found for found in measured if not found.part and found.value is not None]
    if not whole:
        return "nothing could be measured"
    first = whole[0].metric
    values = [
        f"{found.model} {number(found.value)} {found.unit}".rstrip()
        for found in whole
        if found.metric == first and found.value is not None
    ]
    chance = f"; {chance_in_words(data)}" if first == "accuracy" else ""
    return f"{spoken(first)} on {whole[0].count:,} rows: {', '.join(values)}{chance}"


def compared_in_words(found: Sequence[MethodCompared]) -> str:
    """The best method of a comparison."""
    ranked = [result for result in found if result.swap_score is not None]
    if not ranked:
        return f"none of {len(found)} methods has a swap score: see the notes"
    best = ranked[0]
    outcome = f" ({best.outcome})" if best.outcome else ""
    return f"the best of {len(ranked)} by swap score: {spoken(best.method)}{outcome}"
