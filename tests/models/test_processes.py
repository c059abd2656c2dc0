"""A process alone, and what the environment that torchrun sets says; two processes are started by a slow test."""

import pytest
from torch import distributed as pytorchs

from corrigible.models import processes
from corrigible.models.processes import (
    joined_processes,
    num_processes,
    own_device,
    process_number,
    wait_for_all,
)


@pytest.mark.parametrize("world", [None, "1"])
def test_a_process_alone_joins_nobody_and_waits_for_nobody(world: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if world:
        monkeypatch.setenv("WORLD_SIZE", world)
    with joined_processes():
        assert not pytorchs.is_initialized()
        assert (process_number(), num_processes()) == (0, 1)
        wait_for_all()


def test_each_process_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert own_device("cuda") == "cuda"
    monkeypatch.setattr(processes, "num_processes", lambda: 4)
    assert [own_device(name) for name in ("cuda", "cuda:1", "cpu")] == ["cuda:3", "cuda:1", "cpu"]
