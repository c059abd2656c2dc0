"""What is changed for a moment is given back, also after an error."""

import ast
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from torch import nn

import corrigible
from corrigible.errors import UnsupportedModelError
from corrigible.models.modes import (
    PrivateRandomness,
    device_of,
    evaluating,
    frozen_norms,
    learning,
    mixes_rows,
    untouched,
)
from corrigible.models.networks import copied


class InterruptionError(Exception):
    pass


def mixed() -> nn.Sequential:
    """Some layers learn, some do not."""
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(), nn.BatchNorm1d(3), nn.InstanceNorm1d(3))
    model[1].eval()
    model[2].eval()
    return model


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


@pytest.mark.parametrize("context", [evaluating, learning, frozen_norms])
def test_every_module_gets_its_mode_back(context):
    model = mixed()
    before = modes(model)
    with context(model):
        assert modes(model) != before
    assert modes(model) == before
    with pytest.raises(InterruptionError), context(model):
        raise InterruptionError
    assert modes(model) == before


def test_evaluating_and_learning_reach_every_module():
    model = mixed()
    with evaluating(model) as inside:
        assert inside is model
        assert not any(modes(model))
        with learning(model):
            assert all(modes(model))
        assert not any(modes(model))


def test_frozen_norms_touch_the_norms_alone():
    model = mixed().train()
    with frozen_norms(model):
        assert modes(model) == [True, True, False, True, False, False]


def test_rows_do_not_mix_under_frozen_norms(resnet_case):
    model, x = resnet_case.model.train(), resnet_case.batch.x
    statistics = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with frozen_norms(model):
        together = model(x)
        alone = torch.cat([model(row[None]) for row in x])
    torch.testing.assert_close(together, alone)
    assert all(torch.equal(buffer, statistics[name]) for name, buffer in model.named_buffers())


def test_device_of_a_model():
    assert device_of(nn.Linear(1, 1, device="meta")) == torch.device("meta")
    assert device_of(nn.ReLU()) == torch.device("cpu")


def test_private_randomness_is_seeded_and_leaves_the_outside_alone():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    with PrivateRandomness(11):
        inside = torch.rand(4)
    assert torch.equal(torch.rand(4), expected)
    torch.manual_seed(11)
    assert torch.equal(torch.rand(4), inside)


def test_private_randomness_goes_on_where_it_left_off():
    randomness, found = PrivateRandomness(11), []
    for _ in range(3):
        torch.rand(5)
        with randomness:
            found.append(torch.rand(2))
    torch.manual_seed(11)
    assert torch.equal(torch.cat(found), torch.cat([torch.rand(2) for _ in range(3)]))


def test_private_randomness_ends_with_an_error():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError), PrivateRandomness(11):
        torch.rand(1) @ torch.rand(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_only_batch_normalisation_mixes_rows():
    assert mixes_rows(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
    assert not mixes_rows(nn.Sequential(nn.InstanceNorm1d(3), nn.LayerNorm(3), nn.GroupNorm(1, 3)))
    assert not mixes_rows(nn.BatchNorm1d(3).eval())


def test_norms_without_running_statistics_cannot_be_frozen():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, track_running_stats=False))
    with pytest.raises(UnsupportedModelError, match=r"layer '1'.*track_running_stats=True"), frozen_norms(model):
        pass


def test_building_it_leaves_the_global_state_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    PrivateRandomness(11)
    assert torch.equal(torch.get_rng_state(), before)


def test_private_randomness_may_be_entered_inside_another():
    with PrivateRandomness(11):
        first = torch.rand(2)
        with PrivateRandomness(12):
            inner = torch.rand(2)
        found = torch.cat([first, torch.rand(2)])
    torch.manual_seed(11)
    assert torch.equal(torch.cat([torch.rand(2), torch.rand(2)]), found)
    torch.manual_seed(12)
    assert torch.equal(torch.rand(2), inner)


def test_a_second_thread_waits_for_its_private_randomness():
    """Though it asks to go inside while the first is there, each sees its own draws, and the outside none of them."""
    asks, found = threading.Event(), {}

    def second() -> None:
        asks.set()
        with PrivateRandomness(12):
            found[12] = torch.rand(4)

    torch.manual_seed(3)
    before, thread = torch.get_rng_state(), threading.Thread(target=second)
    with PrivateRandomness(11):
        first = torch.rand(2)
        thread.start()
        assert asks.wait(timeout=20)
        thread.join(timeout=0.1)
        assert thread.is_alive()
        found[11] = torch.cat([first, torch.rand(2)])
    thread.join(timeout=20)
    assert torch.equal(torch.get_rng_state(), before)
    for seed, drawn in found.items():
        torch.manual_seed(seed)
        expected = torch.cat([torch.rand(2), torch.rand(2)]) if seed == 11 else torch.rand(4)
        assert torch.equal(drawn, expected)
    assert set(found) == {11, 12}


def in_threads(*jobs):
    """The results of the jobs, each in a thread of its own, which meet often."""
    found, interval = {}, sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=lambda i=i: found.__setitem__(i, jobs[i]())) for i in range(len(jobs))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
    finally:
        sys.setswitchinterval(interval)
    return [found[place] for place in range(len(jobs))]


@pytest.mark.parametrize("context", [evaluating, frozen_norms, lambda model: untouched(model, 0)])
def test_threads_leave_the_mode_as_it_was_and_see_the_one_that_they_ask_for(context):
    model = mixed()
    before = modes(model)

    def job():
        seen = []
        for _ in range(20):
            with context(model):
                time.sleep(0)
                seen.append(model[3].training)
        return seen

    assert [any(seen) for seen in in_threads(job, job, job)] == [False] * 3
    assert modes(model) == before


def test_a_copy_is_not_made_while_another_thread_evaluates():
    model, inside, found = mixed(), threading.Event(), []

    def evaluate_slowly():
        with evaluating(model):
            inside.set()
            time.sleep(0.05)

    def copy_it():
        assert inside.wait(timeout=20)
        found.append(copied(model))

    in_threads(evaluate_slowly, copy_it)
    assert modes(found[0]) == modes(model)


def test_no_generator_of_the_package_waits_inside():
    """Whoever asks for the next value might never ask, or in another thread."""
    held = {"evaluating", "learning", "in_mode", "frozen_norms", "untouched", "PrivateRandomness", "randomness"}
    home = Path(corrigible.__file__).parent
    for path in home.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_context = any("contextmanager" in ast.dump(of) for of in getattr(function, "decorator_list", ()))
            if not isinstance(function, ast.FunctionDef) or is_context:
                continue
            for block in (node for node in ast.walk(function) if isinstance(node, ast.With)):
                names = {node.id for item in block.items for node in ast.walk(item) if isinstance(node, ast.Name)}
                waits = [node for node in ast.walk(block) if isinstance(node, ast.Yield | ast.YieldFrom)]
                assert not (names & held and waits), f"{path.name}: {function.name} yields inside a context"
