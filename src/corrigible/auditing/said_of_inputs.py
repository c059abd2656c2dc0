"""The parts of an audit about columns and inputs, in words: leak suspects, small steps, directions, unusual input."""

from collections.abc import Mapping, Sequence

from corrigible.auditing.erratic import ANSWERS, Erratic
from corrigible.auditing.jumps import Breach, Jump
from corrigible.auditing.leaks import Leak
from corrigible.auditing.sections import Finding, FoundTable, Section, move, prediction, section
from corrigible.figures import percent
from corrigible.printable import plural

MOST_ALONE = 10
MOST_JUMPS = 15
MOST_NAMES = 6
LARGE_JUMP = 0.1
"""Of the prediction, or of probability."""


def leaks_section(leaks: Sequence[Leak], alone: Mapping[str, float], why: str) -> Section:
    """The suspects, and how well each column alone tells the label."""
    if why:
        return section("leaks", not_measured=why)
    findings = [Finding(leak_in_words(leak), is_concern=True) for leak in leaks]
    if not leaks:
        findings = [Finding("no column, and none of its values, all but decides the label")]
    rows = tuple((name, f"{max(0.0, share):.3f}") for name, share in list(alone.items())[:MOST_ALONE])
    table = FoundTable("share of the label’s variance that a column explains alone", ("column", "share"), rows)
    return section("leaks", findings, [table])


def leak_in_words(leak: Leak) -> str:
    """Why the column is suspected."""
    if not leak.value:
        return (
            f"{leak.column} alone explains {percent(leak.alone, 0)} of the label’s variance, all other columns "
            f"together {percent(max(0.0, leak.others), 0)}: is it known before the decision?"
        )
    held = f"where {leak.column} is {leak.value} ({plural(leak.rows, 'row')})"
    if leak.label:
        return (
            f"{held}, {percent(leak.mean, 0)} have the label {leak.label}, and the other columns expect "
            f"{percent(leak.expected, 0)}: is it known before the decision?"
        )
    return (
        f"{held}, the label is nearly the same everywhere, larger than {percent(leak.mean, 0)} of all labels, and the "
        f"other columns expect {percent(leak.expected, 0)}: is it known before the label?"
    )


def jumps_section(found: Sequence[Jump], names: Sequence[str], *, of_classes: bool, why: str) -> Section:
    """The largest move of a prediction by a small move of each input."""
    if why or not found:
        return section("jumps", not_measured=why or "no column has two values")
    large = [jump for jump in found if jump.largest > LARGE_JUMP and jump.is_small]
    findings = [
        Finding(f"{jump.column}: {_change(jump, of_classes=of_classes)} (row {names[jump.row]}, {_step(jump)})", True)
        for jump in large[:3]
    ]
    if len(large) > len(findings):
        findings.append(Finding(f"and {plural(len(large) - len(findings), 'more column')}, in the table", True))
    if not large:
        findings = [Finding(f"no small step of a number moves a prediction by more than {percent(LARGE_JUMP, 0)}")]
    unit = "points of probability" if of_classes else "relative to the prediction"
    rows = tuple(
        (
            j.column,
            _size(j.largest, of_classes),
            _size(j.mean, of_classes),
            names[j.row],
            _step(j),
            " → ".join(prediction(v, of_classes=of_classes) for v in (j.predicted, j.predicted_after)),
        )
        for j in found[:MOST_JUMPS]
    )
    header = ("column", "largest move", "mean move", "row", "step", "prediction")
    return section(
        "jumps",
        findings,
        [FoundTable(f"moves by one small step, of a category to a neighbouring level; {unit}", header, rows)],
    )


def _size(size: float, of_classes: bool) -> str:
    return move(size, of_classes=True) if of_classes else percent(size)


def _change(jump: Jump, *, of_classes: bool) -> str:
    return f"one small step moves a prediction by {_size(jump.largest, of_classes)}"


def _step(jump: Jump) -> str:
    return f"{jump.before} → {jump.after}"


def directions_section(found: Sequence[Breach], names: Sequence[str], *, of_classes: bool, why: str) -> Section:
    """Whether the directions that were stated are kept."""
    if not found:
        return section("directions", not_measured=why)
    findings = []
    for one in found:
        must = "must not fall" if one.direction == 1 else "must not rise"
        if one.values < 2:
            held = plural(one.values, "value")
            findings.append(Finding(f"as {one.column} grows, predictions {must}: not measured, it holds {held}"))
            continue
        if one.largest == 0:
            tried = f"{plural(one.num_comparisons, 'comparison')} ({plural(one.rows, 'row')}, {one.values} values)"
            findings.append(Finding(f"as {one.column} grows, predictions {must}: no breach found in {tried}"))
            continue
        size = move(one.largest, of_classes=of_classes)
        findings.append(
            Finding(
                f"as {one.column} grows, predictions {must}: broken on {percent(one.share)} of the rows, at most by "
                f"{size} (row {names[one.row]}, from {one.before} to {one.after}); from the least value to the largest "
                f"they {'fall' if one.direction == 1 else 'rise'} on {percent(one.overall)}",
                is_concern=True,
            )
        )
    return section("directions", findings)


def erratic_section(found: Sequence[Erratic], why: str) -> Section:
    """What the model answers to unusual input; one row of the table for each column and kind."""
    if why:
        return section("erratic", not_measured=why)
    findings = []
    for answer in ANSWERS:
        some = [one for one in found if one.answer == answer]
        if some:
            named = _some(list(dict.fromkeys(one.column for one in some)))
            what = f"{plural(len(some), 'kind')} of unusual input"
            words = "gives" if len(some) == 1 else "give"
            findings.append(
                Finding(f"{what} {words} {_in_words(answer)}: {named}", is_concern=any(one.is_silent for one in some))
            )
    rows = tuple((one.column, one.given, one.answer + (f": {one.detail}" if one.detail else "")) for one in found)
    return section("erratic", findings, [FoundTable("", ("column", "given", "answer"), rows)])


def _some(names: list[str]) -> str:
    more = f" and {plural(len(names) - MOST_NAMES, 'more column')}" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _in_words(answer: str) -> str:
    return (
        f"a prediction {answer}" if "range" in answer else "an infinite prediction" if answer == "infinite" else answer
    )
