"""Networks, and forward passes through any network."""

from corrigible.models.alexnet import alexnet
from corrigible.models.draws import normal_like, shared_normal_like
from corrigible.models.forward import Augment, Forward, Loss, Penalty, Score
from corrigible.models.gates import with_gates, without_gates
from corrigible.models.lenet import lenet
from corrigible.models.mlp import mlp, table_mlp
from corrigible.models.small_cnn import small_cnn
from corrigible.models.tabm import tabm
from corrigible.models.text import text_bag, text_cnn

MODELS = {f.__name__: f for f in (alexnet, lenet, mlp, small_cnn, table_mlp, tabm, text_bag, text_cnn)}

__all__ = [
    "MODELS",
    "Augment",
    "Forward",
    "Loss",
    "Penalty",
    "Score",
    "alexnet",
    "lenet",
    "mlp",
    "normal_like",
    "shared_normal_like",
    "small_cnn",
    "table_mlp",
    "tabm",
    "text_bag",
    "text_cnn",
    "with_gates",
    "without_gates",
]
