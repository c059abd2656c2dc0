"""What is shown while a verb runs."""

import io

from rich.console import Console

from corrigible.terminal import _Bar


def test_a_bar_grows_when_more_is_tried_than_was_announced():
    with _Bar(Console(file=io.StringIO(), force_terminal=True)) as bar:
        for number in range(1, 7):
            bar.advance("weight", number, max(5, number), "", True)
        (task,) = bar.progress.tasks
        assert (task.completed, task.total) == (6, 6)
