"""How far long work is: records from deep inside it, and one line where somebody watches."""

import io
import logging
import sys
import threading

import pytest
import torch
from torch import nn

import corrigible
from corrigible.progress import counted, shown, watched


def recorded(work) -> list[tuple]:
    found: list[tuple] = []
    with watched(lambda *step: found.append(step)):
        work()
    return found


def test_each_item_is_recorded_after_it_is_done_with():
    assert recorded(lambda: list(counted("row", "ab"))) == [("row", 1, 2), ("row", 2, 2)]
    assert recorded(lambda: next(iter(counted("row", "ab")))) == []
    assert recorded(lambda: list(counted("row", iter("ab")))) == [("row", 1, None), ("row", 2, None)]


def test_nothing_is_recorded_where_nobody_watches(caplog):
    assert list(counted("row", "ab")) == ["a", "b"]
    assert caplog.records == []
    assert logging.getLogger("corrigible.progress").level == logging.NOTSET


def test_the_progress_of_other_threads_is_not_shown():
    def work() -> None:
        other = threading.Thread(target=lambda: list(counted("other", "ab")))
        other.start()
        other.join()

    assert recorded(work) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "is_wanted", "is_shown"),
    [(Terminal, None, True), (Terminal, False, False), (io.StringIO, None, False), (io.StringIO, True, True)],
)
def test_one_line_is_shown_where_it_is_wanted_and_then_gone(stream, is_wanted, is_shown, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream())
    with shown(is_wanted):
        list(counted("row", range(3)))
    written = sys.stderr.getvalue()
    assert written.startswith("\rrow 1/3") is is_shown
    assert (written == "") is not is_shown
    assert "\n" not in written
    assert not is_shown or written.endswith("\r" + " " * len("row 1/3") + "\r")


def test_a_correction_tells_its_steps_and_its_judging(monkeypatch):
    torch.manual_seed(0)
    x, y = torch.rand(24, 1, 4, 4), torch.arange(24) % 2
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[0] = True
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    said = [corrigible.Feedback(mask.numpy(), row=row) for row in range(4)]
    found = recorded(lambda: corrigible.correct(model, (x, y), said, epochs=2, batch_size=8))
    stages = {stage for stage, *_ in found}
    assert {"epoch 1/2: batch", "epoch 2/2: batch"} <= stages
    assert any(stage.startswith("judged") for stage in stages)
    assert [step for step in found if step[0] == "epoch 2/2: batch"] == [("epoch 2/2: batch", n, 3) for n in (1, 2, 3)]
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    corrigible.correct(model, (x, y), said, epochs=1, progress=False)
    assert "epoch" not in terminal.getvalue()
    corrigible.correct(model, (x, y), said, epochs=1)
    assert "\repoch 1/1: batch 1" in terminal.getvalue()


def test_an_evaluation_tells_its_resamples():
    x, y = torch.rand(8, 3), torch.arange(8) % 2
    found = recorded(lambda: corrigible.evaluate(nn.Linear(3, 2), (x, y), metrics=["accuracy"], num_resamples=5))
    assert ("intervals: resample", 5, 5) in found
    assert any(stage == "predictions: batch" for stage, *_ in found)
