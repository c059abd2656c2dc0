import pytest
import torch
from torch import nn

from corrigible.models import batch_size
from corrigible.models.batch_size import FEWEST, MOST, activation_bytes, cache_bytes, rows_that_fit


def described(folder, **caches):
    """A cache description as Linux gives it."""
    for name, parts in caches.items():
        (folder / name).mkdir()
        for part, text in parts.items():
            (folder / name / part).write_text(f"{text}\n")
    return folder


def cache_of(monkeypatch, folder):
    monkeypatch.setattr(batch_size, "_CACHES", folder)
    cache_bytes.cache_clear()
    try:
        return cache_bytes()
    finally:
        cache_bytes.cache_clear()


LEVEL_1 = {"type": "Data", "size": "48K", "shared_cpu_list": "0"}
INSTRUCTIONS = {"type": "Instruction", "size": "99999K", "shared_cpu_list": "0"}
LEVEL_2 = {"type": "Unified", "size": "2048K", "shared_cpu_list": "0-1"}


@pytest.mark.parametrize(
    ("level_3", "expected"),
    [("0-3", 4096 * 1024), ("0-3,8-11", 2048 * 1024), ("0-63", 1024 * 1024), ("0", 8 * 2**20), ("?", 1024 * 1024)],
)
def test_a_core_has_its_share_of_the_largest_cache_up_to_8_mib(monkeypatch, tmp_path, level_3, expected):
    last = {"type": "Unified", "size": "16384K", "shared_cpu_list": level_3}
    folder = described(tmp_path, index0=LEVEL_1, index1=INSTRUCTIONS, index2=LEVEL_2, index3=last)
    assert cache_of(monkeypatch, folder) == expected


def test_a_system_that_does_not_tell_is_taken_to_have_1_mib(monkeypatch, tmp_path):
    assert cache_of(monkeypatch, tmp_path / "nothing") == 2**20


def test_activations_are_those_of_the_innermost_layers():
    model = nn.Sequential(nn.Sequential(nn.Linear(3, 5), nn.ReLU()), nn.Linear(5, 2))
    assert activation_bytes(model, torch.zeros(1, 3)) == 4 * (3 + 5 + 5 + 2)
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(("cache", "expected"), [(1, FEWEST), (60 * 100, 128), (2**40, MOST)])
def test_as_many_rows_as_fit_to_a_power_of_two(monkeypatch, cache, expected):
    model = nn.Sequential(nn.Sequential(nn.Linear(3, 5), nn.ReLU()), nn.Linear(5, 2))
    monkeypatch.setattr(batch_size, "cache_bytes", lambda: cache)
    assert rows_that_fit(model, torch.zeros(1, 3)) == expected


@pytest.mark.parametrize(("rows", "expected"), [(0.5, 1), (3.5, 2), (6, 4), (100, FEWEST)])
def test_of_large_rows_fewer_run_at_once(monkeypatch, rows, expected):
    monkeypatch.setattr(batch_size, "cache_bytes", lambda: 1)
    monkeypatch.setattr(batch_size, "LARGE_BYTES", int(4 * (3 + 2) * rows))
    assert rows_that_fit(nn.Linear(3, 2), torch.zeros(1, 3)) == expected
