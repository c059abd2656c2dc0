"""How far a prediction is from another one, as something that can be minimised."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import log_softmax

from corrigible.types import Task


def divergence(
    task: Task, outputs: Float[Tensor, " batch output"], others: Float[Tensor, " batch output"]
) -> Float[Tensor, " batch"]:
    """The Kullback-Leibler divergence of each row's prediction from the other one, in nats.

    It is that of ``outputs`` seen from ``others``: the sum over classes of q (log q - log p), with q from ``others``.
    For tasks without classes it is half the sum of squared differences in standard units, which is the divergence of
    normal distributions with variance 1.
    """
    if task.logits is None:
        return (task.standard(outputs) - task.standard(others)).square().sum(dim=1) / 2
    log_p, log_q = (log_softmax(task.logits(of), dim=1) for of in (outputs, others))
    return (log_q.exp() * (log_q - log_p)).sum(dim=1)
