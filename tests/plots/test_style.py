import numpy as np
import pytest
from matplotlib.colors import to_rgb

from corrigible.pictures import diverging
from corrigible.plots.style import DIVERGING, VALUES, ink_on, on_two_lines, shortened


def luminance(colour: tuple[float, float, float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_figures_and_the_reports_pictures_have_one_colour_map() -> None:
    values = np.linspace(-1, 1, 41)
    drawn = 255 * DIVERGING((values + 1) / 2)[:, :3]
    assert np.abs(drawn - diverging(values, limit=1.0)).max() <= 1.5
    assert DIVERGING(0.5) == (1.0, 1.0, 1.0, 1.0)
    assert np.allclose(255 * np.array(DIVERGING(np.nan)[:3]), diverging(np.array([np.nan]), limit=1.0)[0], atol=0.5)


def test_values_grow_lighter_and_never_vanish_on_white() -> None:
    found = [luminance(VALUES(share)[:3]) for share in np.linspace(0, 1, 20)]
    assert found == sorted(found)
    assert 1.05 / (found[-1] + 0.05) > 1.6


@pytest.mark.parametrize("colour", ["#2166ac", "#b2182b", "#ffffff", "#969696", "#f4a582", "#92c5de"])
def test_text_can_be_read_on_every_stop(colour: str) -> None:
    light, dark = sorted((luminance(to_rgb(colour)), luminance(to_rgb(ink_on(colour)))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_a_long_name_keeps_both_ends() -> None:
    short = shortened("diagnosis code of the first visit=J45", longest=20)
    assert len(short) == 20
    assert short.startswith("diagnosis") and short.endswith("=J45") and "…" in short
    assert on_two_lines("diagnosis code of the first visit=J45", width=20) == "diagnosis code of\nthe first visit=J45"
    assert shortened(" two\nlines\x00 ") == "two lines·"
