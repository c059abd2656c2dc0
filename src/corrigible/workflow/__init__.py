"""The verbs, which the command line and the web app call.

Each is loaded when it is first used: importing PyTorch takes seconds, and asking for help must be quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corrigible.workflow.answering import answer_feedback as answer_feedback
    from corrigible.workflow.answering import conflicts as conflicts
    from corrigible.workflow.auditing import audit as audit
    from corrigible.workflow.changing import counterfactuals as counterfactuals
    from corrigible.workflow.changing_all import counterfactuals_all as counterfactuals_all
    from corrigible.workflow.comparing import compare as compare
    from corrigible.workflow.deciding import discard as discard
    from corrigible.workflow.deciding import keep as keep
    from corrigible.workflow.explaining import explain as explain
    from corrigible.workflow.explaining_all import explain_all as explain_all
    from corrigible.workflow.forgetting import forget as forget
    from corrigible.workflow.importing import import_feedback as import_feedback
    from corrigible.workflow.influencing import influence as influence
    from corrigible.workflow.influencing_all import influence_all as influence_all
    from corrigible.workflow.listing import methods as methods
    from corrigible.workflow.measuring import evaluate as evaluate
    from corrigible.workflow.model_runs import correct as correct
    from corrigible.workflow.model_runs import train as train
    from corrigible.workflow.proposing import propose as propose
    from corrigible.workflow.proposing import queue as queue
    from corrigible.workflow.publishing import report as report
    from corrigible.workflow.reviewing import add_feedback as add_feedback
    from corrigible.workflow.reviewing import export_feedback as export_feedback
    from corrigible.workflow.reviewing import list_feedback as list_feedback
    from corrigible.workflow.reviewing import retract_feedback as retract_feedback
    from corrigible.workflow.sealing_models import attest as attest
    from corrigible.workflow.sealing_models import seal as seal
    from corrigible.workflow.setting_up import init as init
    from corrigible.workflow.setting_up import trust as trust
    from corrigible.workflow.suspecting import suspect as suspect
    from corrigible.workflow.verifying import diff as diff
    from corrigible.workflow.verifying import keygen as keygen
    from corrigible.workflow.verifying import verify as verify

_HOME = {
    "init": "setting_up",
    "trust": "setting_up",
    "train": "model_runs",
    "correct": "model_runs",
    "explain": "explaining",
    "explain_all": "explaining_all",
    "keep": "deciding",
    "discard": "deciding",
    "compare": "comparing",
    "forget": "forgetting",
    "influence": "influencing",
    "influence_all": "influencing_all",
    "audit": "auditing",
    "suspect": "suspecting",
    "propose": "proposing",
    "queue": "proposing",
    "counterfactuals": "changing",
    "counterfactuals_all": "changing_all",
    "evaluate": "measuring",
    "add_feedback": "reviewing",
    "answer_feedback": "answering",
    "conflicts": "answering",
    "import_feedback": "importing",
    "export_feedback": "reviewing",
    "list_feedback": "reviewing",
    "retract_feedback": "reviewing",
    "report": "publishing",
    "seal": "sealing_models",
    "attest": "sealing_models",
    "verify": "verifying",
    "diff": "verifying",
    "keygen": "verifying",
    "methods": "listing",
}


if not TYPE_CHECKING:  # which would take any name for one that is here

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
