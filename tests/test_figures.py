import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corrigible import figures
from corrigible.figures import COLOURS, Line, bar_pair, dot_and_whisker, line_chart, number, percent, scale_of, shaded

FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(st.lists(FINITE, max_size=5))
def test_a_scale_holds_zero_and_all_values_without_much_to_spare(values):
    low, high = scale_of(values)
    assert low <= 0 <= high
    assert low < high
    for value in values:
        assert low * (1 + 1e-9) <= value <= high * (1 + 1e-9)
    assert high <= 2.5 * max([*values, 0.0]) * (1 + 1e-9) or (low, high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.500"),
        (-1.25, "−1.250"),
        (0.00012345, "0.000123"),
        (12345.6, "12,346"),
        (1.5e9, "1,500,000,000"),
        (-2.5e-8, "−2.5 × 10⁻⁸"),
        (0.000012, "0.000012"),
        (0.0, "0.000"),
    ],
)
def test_numbers_as_people_read_them(value, text):
    assert number(value) == text


def test_the_whisker_spans_the_interval():
    figure = dot_and_whisker(0.5, 0.25, 0.75, scale=(0.0, 1.0), style=0)
    assert "M50.0 4v8M140.0 4v8M50.0 8H140.0" in figure
    assert 'cx="95.0"' in figure
    assert COLOURS[0] not in dot_and_whisker(0.5, None, None, scale=(0.0, 1.0), style=0).split("<circle")[0]


def test_bars_are_as_long_as_their_shares():
    assert re.findall(r'width="([\d.]+)"', bar_pair(0.2, 0.05, longest=0.2)) == ["100.0", "25.0"]
    assert re.findall(r'width="([\d.]+)"', bar_pair(None, 0.1, longest=0.2)) == ["50.0"]


def chart(*values: float) -> str:
    return line_chart("loss", [Line("fooled", list(enumerate(values, start=1)), 0)])


def read(text: str) -> float:
    """The number that was written for people."""
    factor, _, power = text.replace("−", "-").replace(",", "").partition(" × 10")
    return float(factor) * 10.0 ** int(power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)


def ticks(svg: str) -> list[float]:
    return [read(t) for t in re.findall(r'text-anchor="end">([^<]*)<', svg)]


@given(st.lists(FINITE, min_size=1, max_size=6))
def test_the_axis_reaches_around_all_values_with_few_ticks(values):
    svg = chart(*values)
    found = ticks(svg)
    assert 2 <= len(found) <= 8
    assert found == sorted(found)
    heights = [float(y) for y in re.findall(r",([\d.e+-]+)", re.search(r'points="([^"]*)"', svg)[1])]
    assert all(38 - 0.1 <= y <= 160 + 0.1 for y in heights)


def test_values_over_decades_get_a_logarithmic_axis():
    assert "(log scale)" in chart(1.0, 0.1, 0.001)
    assert ticks(chart(1.0, 0.1, 0.001)) == [0.001, 0.01, 0.1, 1.0]
    assert "(log scale)" not in chart(1.0, 0.1, 0.0)


def test_values_that_are_not_finite_are_left_out_or_said():
    assert "from 1.000 to 3.000" in chart(1.0, float("nan"), 3.0)
    assert "not measured" in chart(float("nan"))


def test_dark_text_can_be_read_on_every_shade():
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert shaded(0.0, 0) == "#ffffff"
    for style in (0, 1):
        assert (luminance(shaded(1.0, style)) + 0.05) / (luminance("#1b1f24") + 0.05) >= 4.5


def test_no_text_writes_a_share_in_its_own_way():
    """Shares are written by `percent`: with a space before the sign and a minus that is one."""
    assert percent(-0.774) == "−77.4\u00a0%" and percent(0.5, 0) == "50\u00a0%" and percent(0.0004) == "0.0\u00a0%"
    sources = Path(figures.__file__).parent.rglob("*.py")
    specs = (
        (path.name, part.value)
        for path in sources
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr)
        for part in node.format_spec.values
        if isinstance(part, ast.Constant)
    )
    assert [found for found in specs if found[1].endswith("%")] == []
