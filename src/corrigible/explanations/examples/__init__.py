"""Training rows that explain a prediction, from the model and the rows alone."""

from corrigible.explanations.examples.gradient_similarity import gradient_similarity
from corrigible.explanations.examples.nearest_examples import nearest_examples
from corrigible.explanations.examples.representer_points import representer_points

EXAMPLES = {f.__name__: f for f in (nearest_examples, representer_points, gradient_similarity)}
"""(model, data, query) -> which training rows are like the queries, or made their outputs."""

__all__ = ["EXAMPLES", "gradient_similarity", "nearest_examples", "representer_points"]
