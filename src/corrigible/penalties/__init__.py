"""What may be added to the label loss, one file each.

Feedback penalties see the pass over the reviewed rows. They are at least 0, a mean over rows and marked inputs, and 0
exactly when nothing marked is used. Model penalties see the pass over the labelled rows.
"""

from corrigible.penalties.gradient_size import gradient_size
from corrigible.penalties.right_reasons import right_reasons

FEEDBACK_PENALTIES = {f.__name__: f for f in (right_reasons,)}
MODEL_PENALTIES = {f.__name__: f for f in (gradient_size,)}
