"""Several processes, started by torchrun, that share one task."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from torch import distributed

LONGEST_WAIT = timedelta(days=30)
"""A process that dies ends the others' wait at once; one that is merely slow must not."""


@contextmanager
def joined_processes() -> Iterator[None]:
    """A context in which the processes that torchrun started form one gloo group; a single process forms none."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or distributed.is_initialized():
        yield
        return
    distributed.init_process_group("gloo", timeout=LONGEST_WAIT)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def process_number() -> int:
    """This process's place in the group, from 0."""
    return distributed.get_rank() if _is_joined() else 0


def num_processes() -> int:
    """How many processes are in the group."""
    return distributed.get_world_size() if _is_joined() else 1


def wait_for_all() -> None:
    """Wait until every process of the group has reached this call."""
    if num_processes() > 1:
        distributed.barrier()


def own_device(name: str) -> str:
    """The device's name; ``cuda`` becomes this process's own GPU if torchrun started several on a machine."""
    place = os.environ.get("LOCAL_RANK")
    return f"cuda:{place}" if name == "cuda" and num_processes() > 1 and place is not None else name


def _is_joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()
