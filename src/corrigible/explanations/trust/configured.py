"""An explainer with its settings, as the axioms test it."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from corrigible.errors import RecipeError
from corrigible.explanations.explaining import Method, attribution_of, explainer_of
from corrigible.explanations.passes import score_of, values_index
from corrigible.explanations.reading import meaning_of
from corrigible.explanations.trust.axiom_cases import Case
from corrigible.methods import name_of, settings_of
from corrigible.models.forward import Score
from corrigible.models.modes import untouched
from corrigible.outputs import as_outputs


@dataclass(frozen=True)
class ConfiguredExplainer:
    """An explainer with its settings."""

    method: Method
    settings: dict[str, Any]
    seed: int = 0

    def score(self, case: Case) -> str | Score:
        """The score that is explained."""
        of_classes = settings_of(explainer_of(self.method)).get("score", "target_logit")
        with untouched(case.model, self.seed), torch.no_grad():
            output = case.model(case.x[:1].clone())
        return meaning_of(case.task, output, self.settings.get("score"), of_classes=of_classes).score

    def attribution(self, case: Case) -> Float[Tensor, " batch *input"]:
        """The explainer's attribution, relative to the case's reference if it takes a baseline or background."""
        settings = dict(self.settings) | self._reference(case)
        layer = settings.get("layer")
        if layer is not None and layer not in dict(case.model.named_modules()):
            settings["layer"] = f"model.{layer}"  # A test has put the model inside another.
        return attribution_of(self.method, case.model, case.x, case.target, task=case.task, seed=self.seed, **settings)

    def scores(self, case: Case, rows: Float[Tensor, " row *input"], target: Int[Tensor, " row"]) -> Tensor:
        """The score that is explained, for any rows."""
        score = self.score(case)
        with untouched(case.model, self.seed), torch.no_grad():
            outputs = as_outputs(case.model(rows.clone()))
            return score_of(score, outputs, target, model=case.model, index=lambda: values_index(rows), seed=self.seed)

    def change(self, case: Case) -> Float[Tensor, " batch"]:
        """Score of each row minus the mean score of the reference for the same class."""
        rows = case.reference.repeat(len(case.x), *[1] * (case.x.ndim - 1))
        nothing = self.scores(case, rows, case.target.repeat_interleave(len(case.reference)))
        return self.scores(case, case.x, case.target) - nothing.view(len(case.x), -1).mean(1)

    def _reference(self, case: Case) -> dict[str, Any]:
        takes = settings_of(explainer_of(self.method))
        if "baseline" in takes and len(case.reference) == 1:
            return {"baseline": case.reference[0]}
        if "background" in takes:
            return {"background": case.reference}
        if len(case.reference) > 1:
            raise RecipeError(f"explainer {name_of(self.method)!r} has no background; give a baseline")
        return {}
