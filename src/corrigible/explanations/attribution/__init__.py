"""Explainers by gradient: how much each input contributed to a row's score, one file per explainer.

Every explainer is ``(model, x, target, *, settings) -> like x`` and leaves the model as it found it. The settings
``columns``, ``seed``, ``differentiable`` and ``rows_at_once`` are filled in by `explain`. An explainer's core, named
``…_of``, works on a pass that already exists; penalties call it.
"""

from corrigible.explanations.attribution.deep_lift import deep_lift
from corrigible.explanations.attribution.expected_gradients import expected_gradients
from corrigible.explanations.attribution.grad_cam import grad_cam
from corrigible.explanations.attribution.gradient_x_input import gradient_x_input
from corrigible.explanations.attribution.guided_backpropagation import guided_backpropagation
from corrigible.explanations.attribution.guided_grad_cam import guided_grad_cam
from corrigible.explanations.attribution.input_gradient import input_gradient
from corrigible.explanations.attribution.integrated_gradients import integrated_gradients
from corrigible.explanations.attribution.smooth_grad import smooth_grad

EXPLAINERS = {
    f.__name__: f
    for f in (
        input_gradient,
        gradient_x_input,
        smooth_grad,
        integrated_gradients,
        expected_gradients,
        guided_backpropagation,
        grad_cam,
        guided_grad_cam,
        deep_lift,
    )
}
