"""Influence on many queries holds no matrix over all training rows."""

import os
import subprocess
import sys

import pytest

MEASURED = """
import resource, sys, tempfile
import torch
from torch import nn
from corrigible import TensorData
from corrigible.protocols.influence.influence_all import influence_all

def rows(count):
    x = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    return TensorData(x, (x[:, 0] > 0).long())

data, query = rows(int(sys.argv[1])), rows(1000)
torch.manual_seed(0)
model = nn.Linear(3, 2)
with tempfile.TemporaryDirectory() as folder:
    list(influence_all(model, rows(2000), query, folder + "/first", keep=5, method="exact"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    list(influence_all(model, data, query, folder + "/all", keep=5, method="exact"))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (1 if sys.platform == "darwin" else 1024))
"""


def grown(count):
    """Bytes by which the peak of a process grows with so many training rows, over that with 2,000."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", MEASURED, str(count)]
    return int(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_training_rows():
    # A matrix of 1,000 queries and 100,000 rows would take 400 MB.
    assert grown(100_000) < 60_000_000
