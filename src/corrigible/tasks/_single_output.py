"""A single output of which nothing is known but that it is a number: what `explain` reads without a task."""

import torch

from corrigible.outputs import as_outputs
from corrigible.tasks.ranking import ranking

SINGLE_OUTPUT = ranking(torch.zeros(2))._replace(name="single_output", outputs=as_outputs)
