"""The parts of an audit about people, in words: quality, groups, proxies, and what their attributes move."""

from collections.abc import Sequence

from corrigible.auditing.flips import Flip
from corrigible.auditing.groups import FEW_ROWS, ByGroup, Gap, Share
from corrigible.auditing.proxies import Proxies, ProxyColumn
from corrigible.auditing.reliance import Moved
from corrigible.auditing.sections import Finding, FoundTable, Section, interval, move, prediction, section
from corrigible.auditing.telling import Told
from corrigible.comparison import spoken
from corrigible.figures import number, percent
from corrigible.printable import plural
from corrigible.types import Measurements

MOST_PROXIES = 10
TELLS, TELLS_R2 = 0.6, 0.1
"""AUC and R² above which other columns tell an attribute; R² also of one column alone."""
MOVES = 0.01
"""Of the range of predictions; a smaller mean move is no concern."""


GAPS = {
    "demographic_parity_difference": "the share predicted as positive (demographic parity)",
    "equal_opportunity_difference": "the share of positive rows that is found (equal opportunity)",
    "equalized_odds_difference": "the true or the false positive rate (equalized odds)",
    "group_accuracy_gap": "the accuracy",
    "group_prob_gap": "the mean probability",
    "group_calibration_gap": "how far the mean probability exceeds the rate (calibration)",
    "group_mean_gap": "the mean prediction",
    "group_balance_gap": "the ratio of the sum predicted to the sum observed (balance)",
    "group_loss_gap": "the mean loss",
}
"""What differs between the groups; other gaps go by their own names."""


def quality_section(measured: Measurements) -> Section:
    """How good the model is on all rows."""
    found = [m for m in measured if m.value is not None]
    findings = [Finding(f"{spoken(m.metric)}: {_with_ends(number(m.value or 0.0), m.low, m.high)}") for m in found]
    findings += [Finding(f"{spoken(m.metric)}: {m.note or 'not measured'}") for m in measured if m.value is None]
    return section("quality", findings)


def groups_section(found: Sequence[ByGroup], positive: str, why: str) -> Section:
    """Quality and gaps by group.

    Args:
        positive: the second of two classes; empty for amounts.
    """
    if not found:
        return section("groups", not_measured=why)
    findings: list[Finding] = []
    tables: list[FoundTable] = []
    for one in found:
        findings += _of_gaps(one)
        tables += [_group_table(one, positive), _gap_table(one)]
    return section("groups", findings, tables)


def _of_gaps(found: ByGroup) -> list[Finding]:
    clear = [gap for gap in found.gaps if gap.is_clear]
    said = [
        Finding(
            f"{found.attribute}: {_what(gap)} differs between groups by {number(gap.measured.value or 0.0)}; "
            f"chance alone brings up to {number(gap.by_chance)}",
            is_concern=True,
        )
        for gap in clear
    ]
    if not clear:
        why = found.why_not_compared
        none = f"no gap can be told from chance: {why}" if why else "no gap is larger than chance alone brings"
        said = [Finding(f"{found.attribute}: {none}")]
    said += [Finding(f"{found.attribute}: {text}") for text in _left_out(found)]
    small = [f"{group.name} ({plural(group.rows, 'row')})" for group in found.groups if group.rows < FEW_ROWS]
    if small:
        said.append(Finding(f"{found.attribute}: too few rows to say much about {', '.join(small)}"))
    return said


def _left_out(found: ByGroup) -> list[str]:
    """Gaps that are not defined on these rows, groups that a gap leaves out, and rows without a group."""
    said = [
        f"{_what(gap)} is not measured{f': {gap.measured.note}' if gap.measured.note else ''}"
        if gap.measured.value is None
        else f"{_what(gap)}: {gap.measured.note}"
        for gap in found.gaps
        if gap.measured.value is None or "left out" in gap.measured.note
    ]
    if found.num_unknown:
        said.append(f"{plural(found.num_unknown, 'row')} have no value of it and are left out")
    return said


def _group_table(found: ByGroup, positive: str) -> FoundTable:
    if positive:
        header = ("group", "rows", f"label is {positive}", f"predicted {positive}", "accuracy")
    else:
        header = ("group", "rows", "mean label", "mean prediction", "mean absolute error")
    written = _share if positive else _amount
    rows = [
        (
            group.name,
            f"{group.rows:,}",
            *(written(part) for part in (group.label, group.predicted)),
            written(group.quality),
        )
        for group in found.groups
    ]
    return FoundTable(f"{found.attribute}: each group", header, tuple(rows))


def _gap_table(found: ByGroup) -> FoundTable:
    rows = [
        (
            spoken(gap.measured.metric),
            "–" if gap.measured.value is None else number(gap.measured.value),
            _ends(gap.measured.low, gap.measured.high),
            number(gap.by_chance),
            _verdict(gap),
        )
        for gap in found.gaps
    ]
    header = ("what differs, largest minus smallest", "gap", "95 % interval", "by chance up to", "")
    return FoundTable(f"{found.attribute}: all gaps", header, tuple(rows))


def _what(gap: Gap) -> str:
    return GAPS.get(gap.measured.metric, spoken(gap.measured.metric))


def _verdict(gap: Gap) -> str:
    if gap.measured.value is None:
        return "not measured"
    return "more than chance" if gap.is_clear else "as by chance"


def proxies_section(found: Sequence[Proxies], by_predictions: Sequence[tuple[str, Told]], why: str) -> Section:
    """How well other columns tell each attribute, and what is left without the first."""
    if not found and not by_predictions:
        return section("proxies", not_measured=why)
    findings, tables = [], []
    for one in found:
        names = f"most of it {', '.join(one.first)}" if one.first else "no column stands out"
        is_told = one.told.low > (TELLS if one.told.measure == "AUC" else TELLS_R2)
        findings.append(Finding(f"the other columns tell {one.attribute}: {one.told}; {names}", is_told))
        if one.left:
            gone = ", ".join(name for name, _ in one.left)
            findings.append(Finding(f"without {gone}, the others still tell {one.attribute}: {one.left[-1][1]}"))
        findings += _alone(one)
        tables.append(_proxy_table(one))
        tables.append(
            FoundTable(
                f"{one.attribute}: what is left",
                ("taken away, and all learned anew", one.told.measure, "95 % interval"),
                (
                    ("nothing", number(one.told.value), _ends(one.told.low, one.told.high)),
                    *(
                        (("and " if place else "") + name, number(t.value), _ends(t.low, t.high))
                        for place, (name, t) in enumerate(one.left)
                    ),
                ),
            )
        )
    findings += [Finding(f"the predictions alone tell {name}: {told}") for name, told in by_predictions]
    findings += [Finding(f"not measured: {why}")] if why else []
    return section("proxies", findings, tables)


def _alone(found: Proxies) -> list[Finding]:
    """The column that tells the attribute best by itself, where that is more than chance brings."""
    best = max(found.columns, key=lambda column: column.alone)
    if best.alone <= max(TELLS_R2, found.alone_by_chance):
        return []
    told = f"{best.name} alone explains {percent(best.alone, 0)} of the variance of {found.attribute}"
    by_chance = percent(max(0.0, found.alone_by_chance), 0)
    return [Finding(f"{told}; by chance the best column explains up to {by_chance}", is_concern=True)]


def _proxy_table(found: Proxies) -> FoundTable:
    shown = found.columns[:MOST_PROXIES]
    has_pairs = any(column.partner for column in shown)
    header = ("column", "alone", *(("with another column, beyond both",) if has_pairs else ()), "beside all others")
    rows = tuple(
        (c.name, _variance(c.alone), *((_partner(c),) if has_pairs else ()), _variance(c.beside)) for c in shown
    )
    return FoundTable(f"{found.attribute}: share of its variance that a column tells", header, rows)


def _variance(share: float) -> str:
    return f"{share:.3f}"


def _partner(column: ProxyColumn) -> str:
    return f"{_variance(column.together)} with {column.partner}" if column.partner else "–"


def reliance_section(
    found: Sequence[Moved], proxies: Sequence[Moved], names: Sequence[str], span: float, *, of_classes: bool, why: str
) -> Section:
    """How far predictions move with forbidden columns, and with their proxies.

    Args:
        names: of the row of each place.
        span: from the least to the largest prediction.
    """
    if not found and not proxies:
        return section("reliance", not_measured=why)
    findings = [_moved(moved, names, span, of_classes=of_classes) for moved in found]
    if why:
        findings.append(Finding(f"not measured: {why}"))
    tables = [_moved_table("forbidden columns, with other rows’ values", found, names, of_classes=of_classes)]
    tables += [_moved_table("their first proxies, likewise", proxies, names, of_classes=of_classes)]
    return section("reliance", findings, [table for table in tables if table.rows])


def flips_section(found: Sequence[Flip], names: Sequence[str], span: float, *, of_classes: bool, why: str) -> Section:
    """How far predictions move if an attribute is flipped along the graph of causes."""
    if not found:
        return section("flips", not_measured=why)
    findings, tables = [], []
    for one in found:
        means = (one.whole.mean, one.direct.mean, one.through.mean, one.through_by_chance)
        whole, direct, through, chance = (move(mean, of_classes=of_classes) for mean in means)
        caused = f", {through} through what it causes ({', '.join(one.caused)})" if one.caused else ""
        caused += f"; if it caused nothing, chance would bring up to {chance}" if one.caused else ""
        said = f"{one.attribute}: a flip moves predictions by {whole} on average, {direct} directly{caused}"
        findings.append(Finding(said, _is_concern(one, MOVES * span)))
        if one.left_out:
            findings.append(Finding(f"{one.attribute}: too few rows to flip {', '.join(one.left_out)}"))
        parts = [("with all that it causes", one.whole), ("the attribute alone", one.direct)]
        parts += [("what it causes alone", one.through)] if one.caused else []
        rows = tuple((words, *_cells(m, names, of_classes=of_classes)) for words, m in parts)
        tables.append(FoundTable(f"{one.attribute}: flipped", ("flipped", *MOVED_HEADER), rows))
    findings += [Finding(f"not measured: {why}")] if why else []
    return section("flips", findings, tables)


def _is_concern(flip: Flip, limit: float) -> bool:
    """Directly by more than the limit, or by what the attribute causes, and then by more than chance brings."""
    is_clear = flip.through.mean > flip.through_by_chance
    return flip.direct.mean > limit or (is_clear and max(flip.whole.mean, flip.through.mean) > limit)


MOVED_HEADER = ("mean move", "95 % interval", "largest move", "row", "held", "given", "prediction")


def _moved_table(title: str, found: Sequence[Moved], names: Sequence[str], *, of_classes: bool) -> FoundTable:
    rows = tuple((moved.what, *_cells(moved, names, of_classes=of_classes)) for moved in found)
    return FoundTable(title, ("column", *MOVED_HEADER), rows)


def _cells(moved: Moved, names: Sequence[str], *, of_classes: bool) -> tuple[str, ...]:
    mean, low, high, largest = (
        move(v, of_classes=of_classes) for v in (moved.mean, moved.low, moved.high, moved.largest)
    )
    before, after = (prediction(v, of_classes=of_classes) for v in (moved.predicted, moved.predicted_after))
    row = names[moved.row] if moved.largest > 0 else "–"
    held, given = (moved.before, moved.after) if moved.largest > 0 else ("–", "–")
    return mean, f"{low} to {high}", largest, row, held, given, f"{before} → {after}" if moved.largest > 0 else "–"


def _moved(moved: Moved, names: Sequence[str], span: float, *, of_classes: bool) -> Finding:
    if moved.largest == 0:
        return Finding(f"{moved.what}: predictions do not depend on it")
    mean, low, high, largest = (
        move(v, of_classes=of_classes) for v in (moved.mean, moved.low, moved.high, moved.largest)
    )
    return Finding(
        f"{moved.what}: other rows’ values move predictions by {mean} on average ({low} to {high}), at most by "
        f"{largest} (row {names[moved.row]}, {moved.before} → {moved.after})",
        is_concern=moved.mean > MOVES * span,
    )


def _with_ends(value: str, low: float | None, high: float | None) -> str:
    """The value with its interval, where resamples gave one."""
    ends = _ends(low, high)
    return f"{value} ({ends})" if ends else value


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def _share(found: Share) -> str:
    if found.value != found.value:
        return "–"
    return f"{percent(found.value)} ({100 * found.low:.1f} to {100 * found.high:.1f})"


def _amount(found: Share) -> str:
    return interval(found.value, found.low, found.high)
