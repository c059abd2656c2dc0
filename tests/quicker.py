"""What makes the tests quicker and changes nothing that they check.

The collector of garbage would go through all modules and tests again and again. PyTorch's loggers would be given
pytest's handlers, one by one, before and after each part of each test. And a seed for devices that are not there would
be kept with the stack of its call. Folders of which no test is to run are not imported. Files outlive the tests'
process without waiting for the disk.
"""

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

MARKED = {Path(__file__).parent / "slow": "slow", Path(__file__).parent / "web" / "browser": "browser"}
"""Folders of which every test has this mark."""


def pytest_itemcollected(item: pytest.Item) -> None:
    for folder in MARKED.keys() & set(item.path.parents):
        item.add_marker(MARKED[folder])


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if f"not {MARKED.get(collection_path)}" in config.option.markexpr else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        _prepare_torch()
        os.fsync = os.fstat  # Which refuses what is not an open file, too.


def _prepare_torch() -> None:
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger) and logger.name.split(".")[0] == "torch":
            logger.propagate = True
    if not torch.accelerator.is_available():
        torch.manual_seed = torch.random.manual_seed = _seed


def _seed(seed: int) -> torch.Generator:
    return torch.default_generator.manual_seed(int(seed))
