"""Small inputs that once gave a wrong answer without a word, a raw error, or no answer: all of them hold.

Each case runs in a process of its own, without the checks of array annotations, as a user runs it.
"""

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "cases" / "run.py"
SLOW = (
    "a_compiled_network",
    "a_date_changed_in_a_manifest",
    "a_network_in_training_is_left_in_training",
    "a_scan_of_a_hundred_megapixels",
    "a_small_file_of_81_megapixels",
    "class_maps_from_four_threads",
    "corrections_in_three_threads",
    "values_of_a_network_in_training",
)
"""Cases of more than a second of processor time."""


def fall_short(*names: str) -> list[str]:
    """What the runner says of the cases that do not hold."""
    ended = subprocess.run([sys.executable, RUN, *names], capture_output=True, text=True, check=False)
    lines = ended.stdout.splitlines()
    assert lines and lines[-1].endswith("hold"), ended.stdout + ended.stderr
    return [line for line in lines[:-1] if not line.startswith("ok ")]


def case_names() -> list[str]:
    listed = subprocess.run([sys.executable, RUN, "--list"], capture_output=True, text=True, check=True).stdout
    return [line.split(":")[0].removesuffix(" (control)") for line in listed.splitlines()]


@pytest.mark.slow
def test_quick_cases_hold() -> None:
    assert fall_short(*(name for name in case_names() if name not in SLOW)) == []


@pytest.mark.slow
def test_slow_cases_hold() -> None:
    assert fall_short(*SLOW) == []
