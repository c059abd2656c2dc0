"""Several processes, started by torchrun, that work on one thing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from torch import distributed

LONGEST_WAIT = timedelta(days=30)
"""A process that dies ends the others' wait at once; one that only takes long must not."""


@contextmanager
def joined_processes() -> Iterator[None]:
    """Inside, the processes that torchrun started are one group, joined over gloo; a process alone stays alone."""
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
    """Wait until every process of the group has come here."""
    if num_processes() > 1:
        distributed.barrier()


def own_device(name: str) -> str:
    """``cuda`` as the GPU of this process, where torchrun started several on a machine; any other name as it is."""
    place = os.environ.get("LOCAL_RANK")
    return f"cuda:{place}" if name == "cuda" and num_processes() > 1 and place is not None else name


def _is_joined() -> bool:
    return distributed.is_available() and distributed.is_initialized()
