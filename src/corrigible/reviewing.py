"""Look at items in a notebook, say what must not matter, and get it as feedback."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from corrigible.errors import FeedbackError
from corrigible.said import Feedback

if TYPE_CHECKING:
    from corrigible.widget import ReviewWidget
else:
    ReviewWidget = Any  # The widget's packages are optional.


def review(
    model: Any,
    data: Any,
    feedback: Sequence[Feedback] = (),
    *,
    rows: Sequence[int] | None = None,
    method: str | None = None,
    author: str = "",
    seed: int = 0,
) -> ReviewWidget:
    """A widget that shows one row after the other with its explanation, to be marked; it needs a notebook.

    ``feedback`` of the widget is a list that grows with each answer, for `corrigible.correct`; ``answers`` also says
    where nothing was wrong. The page in a browser, ``corrigible review``, shows the same view of a study.

    Args:
        model: anything that `corrigible.correct` takes.
        data: likewise, with labels.
        feedback: what is known already; the widget's list begins with it.
        rows: the rows to look at, in this order; by default those that are predicted wrongly, then the others.
        method: the explainer whose map is shown first; by default one that fits the kind of data.
        author: who reviews; it is kept with what is said.

    Raises:
        CorrigibleError: a model or data that cannot be used, or the packages of ``corrigible[notebook]`` are missing.
    """
    try:
        from corrigible.widget import ReviewWidget as Widget
    except ImportError as error:
        raise FeedbackError(
            "review needs anywidget, which is not installed; pip install 'corrigible[notebook]'"
        ) from error
    from corrigible.workflow.reviews.session import Session

    return Widget(Session(model, data, feedback, rows=rows, method=method, seed=seed), author=author)
