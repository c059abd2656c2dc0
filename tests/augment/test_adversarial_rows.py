"""Attacked rows beside the rows they came from, or in their place."""

from dataclasses import replace

import torch

from corrigible.augment import adversarial_rows, fgsm, projected_gradient
from corrigible.protocols.schedule import Schedule
from corrigible.training import fit
from corrigible.types import Batch


def generator():
    return torch.Generator().manual_seed(3)


def test_rows_are_attacked_and_keep_everything_else(case):
    batch = replace(case.batch, weight=torch.arange(4.0), extra={"mark": torch.arange(4)})
    x = fgsm(case.model, batch.x, batch.y, epsilon=0.2)
    alone = adversarial_rows(case.model, batch, generator(), epsilon=0.2, rows="attacked")
    assert torch.equal(alone.x, x)
    both = adversarial_rows(case.model, batch, generator(), epsilon=0.2)
    assert torch.equal(both.x, torch.cat([batch.x, x]))
    for name in ("index", "y", "irrelevant", "weight"):
        assert torch.equal(getattr(both, name), torch.cat([getattr(batch, name)] * 2))
    assert both.extra["mark"].tolist() == [0, 1, 2, 3] * 2
    assert both.columns == batch.columns
    assert both.group is None


def test_a_random_start_comes_from_the_generator(case):
    settings = {"epsilon": 0.2, "steps": 1, "random_start": True, "rows": "attacked"}
    found = adversarial_rows(case.model, case.batch, generator(), **settings)
    once = {"epsilon": 0.2, "steps": 1, "step_size": 0.2, "random_start": True, "index": case.batch.index}
    seed = int(torch.randint(2**62, (), generator=generator()))
    assert torch.equal(found.x, projected_gradient(case.model, case.batch.x, case.batch.y, seed=seed, **once))


def test_training_runs_on_attacked_rows(smooth_case):
    seen = []

    def batches(epoch):
        yield smooth_case.batch

    def change(model, batch, generator):
        seen.append(adversarial_rows(model, batch, generator))
        return seen[-1]

    optimizer = torch.optim.SGD(smooth_case.model.parameters(), Schedule().learning_rate)
    list(fit(smooth_case.model, batches, augment=[change], optimizer=optimizer, epochs=2))
    assert [len(batch.x) for batch in seen] == [6, 6]
    assert isinstance(seen[0], Batch)
