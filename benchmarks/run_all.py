"""Measure every figure in the documents again, one benchmark after another, and write their tables.

python benchmarks/run_all.py
"""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
CORRECTING = (
    "front_page",
    "step_cost",
    "draws",
    "bayes_cost",
    "calibrating",
    "evidence",
    "evidence_mnist",
    "bayes",
    "attribution_overlap",
    "insurance",
    "limiting",
    "fair_prices",
    "fair",
    "random_corner",
    "tasks",
    "corner_decoys",
    "scale",
    "image_scale",
    "weights",
    "table_methods",
    "right_reasons_scores",
    "suspects",
    "proposals",
    "queries",
    "telling_columns",
    "students",
    "unlearning",
    "private_training",
    "robustness",
    "privacy",
    "influence",
    "lissa",
    "counterfactuals",
    "counterfactual_peers",
    "tree_counterfactuals",
    "counterfactual_distillation",
    "audit",
    "tampering",
    "tables",
)
BOTH = ("--methods", "right_reasons,energy_outside")
DEFAULT = ("--methods", "energy_outside")
REPRODUCING = (
    *(["toy_colours"], ["iris_cancer"], ["methods"], ["methods", "--epochs", "24", "--first-seed", "2", *BOTH]),
    ["decoy_mnist", "--first-seed", "3", "--methods", "right_reasons,energy_outside,counterexamples"],
    *(["decoy_mnist", "--network", "wide", *BOTH], ["four_corners", "--rows", "20,100", *BOTH]),
    *(["decoy_fashion", *DEFAULT], ["stamps_on_textures", *DEFAULT], ["colour_patch", *BOTH]),
    *(["annotation_efficiency"], ["wrong_feedback"], ["adversarial_robustness"], ["planted_token"]),
)
"""Their data are fetched as benchmarks/reproduce/README.md says."""
ON_OTHER_SEEDS = ("random_corner", "insurance")
EXPLAINING = (
    "explain",
    "explanation_quality",
    "explain_memory",
    "scaffolding",
    "review_load",
    "review_time",
    "review_path",
)


def main() -> None:
    commands = [[name] for name in CORRECTING + EXPLAINING] + [[name, "--first-seed", "5"] for name in ON_OTHER_SEEDS]
    commands += [[f"reproduce/{name}", *arguments] for name, *arguments in REPRODUCING]
    for name, *arguments in commands:
        subprocess.run([sys.executable, str(FOLDER / f"{name}.py"), *arguments], check=True)
    subprocess.run([sys.executable, str(FOLDER.parent / "tools" / "documents.py")], check=True)


if __name__ == "__main__":
    main()
