"""What is measured by default. Differences between groups are measured together: closing one can open another."""

from corrigible.types import Task

OF_TWO_CLASSES = (
    *("demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference"),
    *("group_prob_gap", "group_calibration_gap"),
)
OF_ANY_CLASSES = ("group_accuracy_gap",)
OF_NUMBERS = ("group_mean_gap",)
OF_LOG_MEANS = ("group_balance_gap",)
"""Other amounts may sum to 0 or less in a group, and quantiles need not sum to the labels."""
OF_ANY = ("group_loss_gap",)


def usual_metrics(task: Task, num_classes: int = 2) -> tuple[str, ...]:
    """The metrics of a task, and after them the differences between groups that mean something for it."""
    return task.metrics + gaps_of(task, num_classes)


def gaps_of(task: Task, num_classes: int = 2) -> tuple[str, ...]:
    """Names of the differences between groups that mean something for a task; none for rankings.

    Args:
        num_classes: that the model tells apart; of more than two, no class is the positive one.
    """
    if task.name == "ranking":
        return ()
    if task.logits is not None:
        return ((OF_TWO_CLASSES if num_classes == 2 else ()) + OF_ANY_CLASSES) + OF_ANY
    of_numbers = () if task.name == "several_labels" else OF_NUMBERS
    return of_numbers + (OF_LOG_MEANS if task.reads == "logarithms" else ()) + OF_ANY
