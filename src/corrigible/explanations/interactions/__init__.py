"""Interactions: how pairs of inputs contributed together, one file per method.

Every method is ``(model, x, target, *, settings) -> (batch, input, input)``, with the inputs of a row flattened, and
leaves the model as it found it. `shapley_interactions` also takes groups of inputs. Over many rows of a table, see
`corrigible.explanations.strongest_interactions`.
"""

from corrigible.explanations.interactions.input_hessian import input_hessian
from corrigible.explanations.interactions.integrated_hessians import integrated_hessians
from corrigible.explanations.interactions.shapley_interactions import shapley_interactions

INTERACTIONS = {f.__name__: f for f in (input_hessian, integrated_hessians, shapley_interactions)}
