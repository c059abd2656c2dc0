"""Data sets and studies to try the package on; they need ``pip install corrigible[demo]``."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corrigible.workflow.records import Record
else:
    Record = Any  # Asking for help loads no PyTorch.

DEMOS = {"digits": "corrigible.demos.digits", "insurance": "corrigible.demos.insurance"}


def run(name: str, folder: Path, *, seed: int | None = None, device: str = "cpu") -> Iterator[Record]:
    """Run the whole loop on real data in a study folder, yielding records; in an existing folder it adds new runs."""
    import torch

    demo = importlib.import_module(DEMOS[name])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # For networks this small, threads cost more than they bring.
    try:
        yield from demo.run(folder, seed=0 if seed is None else seed, device=device)
    finally:
        torch.set_num_threads(threads)
