"""What may be added to the label loss, one file each.

* Feedback penalties see the pass over the reviewed rows. They are at least 0, a mean over rows and marked inputs, and 0
  exactly when nothing marked irrelevant is used.
* Relevance penalties see it too: 0 exactly when what is marked relevant matters as it should, or nothing is marked so.
* Feedback losses are label losses on reviewed rows whose marked inputs were changed; 0 where nothing is marked.
* Model penalties see the pass over the labelled rows.
"""

from collections.abc import Callable
from typing import Any

from corrigible.penalties.gradient_size import gradient_size
from corrigible.penalties.right_reasons import right_reasons

FEEDBACK_PENALTIES: dict[str, Callable[..., Any]] = {f.__name__: f for f in (right_reasons,)}
RELEVANCE_PENALTIES: dict[str, Callable[..., Any]] = {}
FEEDBACK_LOSSES: dict[str, Callable[..., Any]] = {}
MODEL_PENALTIES: dict[str, Callable[..., Any]] = {f.__name__: f for f in (gradient_size,)}

ON_REVIEWED_ROWS = FEEDBACK_PENALTIES | RELEVANCE_PENALTIES | FEEDBACK_LOSSES
PENALTIES = ON_REVIEWED_ROWS | MODEL_PENALTIES
OF_LAYERS = frozenset({"grad_cam_overlap", "should_matter", "activation_evidence", "concept_gradient"})
"""Those that look at layers: unless told otherwise they need no gradient with respect to the input."""
