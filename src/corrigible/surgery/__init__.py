"""Surgery: a model → a model in which inputs or units have less influence, or that answers less finely, without
training.
"""

from corrigible.surgery.clamped_inputs import ClampedInputs, clamped_inputs
from corrigible.surgery.limited_inputs import LimitedInputs
from corrigible.surgery.limited_units import LimitedUnits, limited_units, unit_contributions
from corrigible.surgery.proxies import Proxy, as_known, told_by
from corrigible.surgery.reopening import limited_as
from corrigible.surgery.replacements import REMOVALS, Replacement, replacement_of
from corrigible.surgery.rounded import Rounded, rounded, rounded_attribution
from corrigible.surgery.shares import bounded, share_of

__all__ = [
    "REMOVALS",
    "ClampedInputs",
    "LimitedInputs",
    "LimitedUnits",
    "Proxy",
    "Replacement",
    "Rounded",
    "bounded",
    "clamped_inputs",
    "limited_as",
    "limited_units",
    "replacement_of",
    "rounded",
    "rounded_attribution",
    "share_of",
    "as_known",
    "told_by",
    "unit_contributions",
]
