"""The verbs, which the command line and the web app call.

Each is loaded when it is first used: importing PyTorch takes seconds, and asking for help must be quick.
"""

import importlib
from typing import Any

_HOME = {
    "init": "setting_up",
    "train": "model_runs",
    "correct": "model_runs",
    "explain": "measuring",
    "explain_all": "explaining_all",
    "compare": "comparing",
    "suspect": "suspecting",
    "evaluate": "measuring",
    "add_feedback": "reviewing",
    "import_feedback": "reviewing",
    "export_feedback": "reviewing",
    "list_feedback": "reviewing",
    "retract_feedback": "reviewing",
    "report": "publishing",
    "seal": "publishing",
    "verify": "publishing",
    "methods": "listing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOME)
