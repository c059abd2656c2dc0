"""Write docs/methods.md, the list of methods, and tables from benchmarks/results; --check says what is stale.

The form of the results is told in benchmarks/runner.py.
"""

import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asking_tables
import audit_tables
import bayes_tables
import correction_tables
import counterfactual_tables
import explanation_tables
import fair_tables
import forgetting_tables
import influence_tables
import privacy_tables
import private_tables
import robustness_tables
import sealing_tables
import table_figures
import tabular_robustness_tables

from corrigible.explanations.trust import axiom_markdown
from corrigible.workflow.method_families import FAMILIES, home, listed, settings, summary

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
METHODS = ROOT / "docs" / "methods.md"
METHODS_LISTED = ROOT / "src" / "corrigible" / "templates" / "methods.json"
"""What `corrigible methods` prints."""
README = ROOT / "README.md"
MEASURED = ROOT / "docs" / "measured.md"
REPRODUCTIONS = ROOT / "docs" / "reproductions.md"
CHOOSING = ROOT / "docs" / "how-to" / "choose-a-method.md"
PLURALS = {
    "summary": "summaries",
    "explanation quality": "explanation qualities",
    "feedback loss": "feedback losses",
    "loss": "losses",
    "feedback penalty": "feedback penalties",
    "relevance penalty": "relevance penalties",
    "model penalty": "model penalties",
    "change of a model": "changes of a model",
    "method of unlearning": "methods of unlearning",
    "suspects": "suspects",
    "query strategy": "query strategies",
}
"""Names of families that take more than an s."""
AXIOMS = """Tested on small functions whose truth is known (`corrigible.explanations.trust.check_axioms`), zero as the
baseline; sampling methods with 1,000 samples hold up to their sampling error. Test your own method, or one on your own
model, in the same way."""


def methods_page() -> str:
    lines = [
        "# Methods",
        "",
        "Written by `make docs` from the code. `corrigible methods` prints the same list.",
        "A recipe, `corrigible.explain`, `corrigible.correct` and `corrigible.evaluate` take the names and settings of",
        "explainers, penalties, augmentations, losses, tasks, metrics and models; the other families are called from",
        "Python. A recipe gives a `background` as a number of training rows, and `groups` of images as "
        '`"grid"` or `"slic"`.',
    ]
    for family, members in FAMILIES.items():
        lines += ["", f"## {PLURALS.get(family, family + 's').capitalize()}", ""]
        lines += ["| name | import from | what it is | settings | source |", "|---|---|---|---|---|"]
        for name, function in members.items():
            cells = (
                f"`{name}`" if function.__name__ == name else f"`{name}`, `{function.__name__}`",
                f"`{home(function)}`",
                summary(function),
                f"`{settings(function)}`" if settings(function) else "",
                source(function),
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += ["", "## Which explainer satisfies which axiom", "", AXIOMS, "", axiom_markdown()]
    return "\n".join(lines).rstrip() + "\n"


def methods_listed() -> str:
    return json.dumps([dataclasses.asdict(method) for method in listed()], indent=1, ensure_ascii=False) + "\n"


def source(function: Callable[..., Any]) -> str:
    """The first sentence of the module that defines it, where that names a paper."""
    text = " ".join((inspect.getdoc(inspect.getmodule(function)) or "").partition("\n\n")[0].split())
    return text if re.search(r"\b(19|20)\d\d\b", text) else ""


def with_tables(text: str) -> str:
    """The page with each marked table written anew."""
    for name, write in TABLES.items():
        path = RESULTS / f"{RESULTS_OF.get(name, name)}.json"
        table = "\n".join(write(json.loads(path.read_text(encoding="utf-8")))) if path.exists() else ""
        text = re.sub(
            rf"(<!-- {name} -->\n)(?:.*?\n)??(<!-- end -->)",
            lambda found, table=table: found[1] + table + "\n" + found[2],
            text,
            flags=re.S,
        )
    return text


def corner_decoys(found: dict[str, Any]) -> Iterator[str]:
    yield f"| {seeds(found)} | accuracy | share of the gap | worst class | flip rate | overlap |"
    yield "|---|---|---|---|---|---|"
    for row in found["rows"]:
        cells = [percent(row[key]) for key in ("accuracy", "share_of_gap", "worst_class_accuracy")]
        cells += [number(row[key]) for key in ("flip_rate", "attribution_overlap")]
        yield f"| {row['model']} | " + " | ".join(cells) + " |"


def random_corner(found: dict[str, Any]) -> Iterator[str]:
    yield from corner_decoys(found)


def insurance(found: dict[str, Any]) -> Iterator[str]:
    yield f"| {seeds(found)} | AUC | share of race | mean abs. Δp, race flipped | gap between groups |"
    yield "|---|---|---|---|---|"
    for row in found["rows"]:
        cells = [number(row[key]) for key in ("auc", "attribution_overlap", "flip_effect", "group_prob_gap")]
        yield f"| {row['model']} | " + " | ".join(cells) + " |"


def weights(found: dict[str, Any]) -> Iterator[str]:
    yield "| data | chosen by swap score | best fixed weight, chosen on the test rows | that weight |"
    yield "|---|---|---|---|"
    for case in dict.fromkeys(row["case"] for row in found["rows"]):
        scores = {row["weight"]: row["score"] for row in found["rows"] if row["case"] == case}
        auto = scores.pop("auto")
        best = max(scores, key=lambda weight: scores[weight]["mean"])
        yield f"| {case} | {number(auto)} | {number(scores[best])} | {best:g} |"


def step_cost(found: dict[str, Any]) -> Iterator[str]:
    batch = found["settings"]["batch"]
    few = f"{100 * found['settings']['reviewed'] / batch:.0f} % of the rows reviewed"
    yield f"| time over a plain step, LeNet, batch {batch} | {few} | aim | every row | aim |"
    yield "|---|---|---|---|---|"
    for row in found["rows"]:
        values = (row["few"]["mean"], row.get("few_aim"), row["every"]["mean"], row.get("every_aim"))
        cells = [f"{value:.2f} ×" if value else "" for value in values]
        yield f"| {row['method']} | " + " | ".join(cells) + " |"


def draws(found: dict[str, Any]) -> Iterator[str]:
    kinds = {
        "draws alone": ("draws", "global_generator", "two_words_each"),
        "step with them": ("step_with_draws", "step_with_global_generator", None),
    }
    yield "| time over a plain step, LeNet | by row | PyTorch's generator | two words each, NumPy |"
    yield "|---|---|---|---|"
    for row in found["rows"]:
        for kind, keys in kinds.items():
            cells = " | ".join(f"{row[key]['mean']:.2f} ×" if key else "" for key in keys)
            yield f"| batch {row['batch']}, {kind} | {cells} |"


def scale(found: dict[str, Any]) -> Iterator[str]:
    settings = found["settings"]
    yield f"| weight {settings['weight']:g}, {settings['reviewed_rows']} rows | accuracy |"
    yield "|---|---|"
    for row in found["rows"]:
        yield f"| {row['case']} | {percent(row['accuracy'])} |"


def scaffolding(found: dict[str, Any]) -> Iterator[str]:
    yield f"| {seeds(found)} | absent features | attacker expects | biased: race on top | attacked |"
    yield "|---|---|---|---|---|"
    for row in found["rows"]:
        cells = [percent(row[f"{model}: race first"]) for model in ("biased", "attacked")]
        yield f"| {row['explainer']} | {row['absent']} | {row['expected']} | " + " | ".join(cells) + " |"


REPRODUCED = {
    "accuracy": "accuracy",
    "accuracy_swapped": "accuracy",
    "macro_group_accuracy": "group-macro",
    "macro_group_accuracy_swapped": "group-macro",
    "worst_group_accuracy": "worst group",
    "worst_group_accuracy_swapped": "worst group",
    "worst_class_accuracy": "worst class",
    "f1": "F1",
    "auc": "AUC",
    "clean_macro_group_accuracy": "group-macro, clean rows",
    "follows_corners": "follows corners",
    "count": "explanations found",
    "overlap": "overlap",
    "attribution_overlap": "overlap",
    "flip_rate": "flip rate",
    "refused": "share of seeds refused",
    "weight": "weight",
    "cost": "step cost",
}
"""What the tables of reproductions show, where it was measured, by the names of the columns."""


def reproduction(found: dict[str, Any]) -> Iterator[str]:
    shown = [key for key in REPRODUCED if any(key in row for row in found["rows"])]
    yield f"| {seeds(found)} | " + " | ".join(REPRODUCED[key] for key in shown) + " |"
    yield "|---" * (1 + len(shown)) + "|"
    for row in found["rows"]:
        name = f"{row['case']}: {row['model']}" if "case" in row else row["model"]
        yield f"| {name} | " + " | ".join(short(row[key]) if key in row else "" for key in shown) + " |"


def seeds(found: dict[str, Any]) -> str:
    """How many, and what the cells hold."""
    return f"{len(found['seeds'])} seeds, mean ± sd" if len(found["seeds"]) > 1 else "1 seed"


def short(value: dict[str, float]) -> str:
    """Three decimals, fewer for what is not a share; without a spread where all seeds, or a single one, agree."""
    if value["least"] == value["most"]:
        return f"{value['mean']:.3g}" if value["most"] > 1.5 else f"{value['mean']:.3f}"
    if value["most"] > 1.5:
        return f"{value['mean']:.3g} ± {value['sd']:.2g}"
    return number(value)


def adversarial_robustness(found: dict[str, Any]) -> Iterator[str]:
    rows = [row for row in found["rows"] if "attack" in row]
    sizes = sorted({row["epsilon"] for row in rows})
    yield f"| {seeds(found)} | attack | " + " | ".join(f"ε = {size:g}" for size in sizes) + " |"
    yield "|---" * (2 + len(sizes)) + "|"
    for network, attack in dict.fromkeys((row["network"], row["attack"]) for row in rows):
        of_both = [row for row in rows if (row["network"], row["attack"]) == (network, attack)]
        cells = [short(row["accuracy"]) for row in sorted(of_both, key=lambda row: row["epsilon"])]
        yield f"| {network.replace('_', ' ')} | {attack} | " + " | ".join(cells) + " |"


def suspects(found: dict[str, Any]) -> Iterator[str]:
    yield f"| {seeds(found)} | AUC of planted parts | rank of the first planted |"
    yield "|---|---|---|"
    for row in found["rows"]:
        yield f"| {row['case']} | {number(row['auc'])} | {row['best_rank']['mean']:.1f} |"


def percent(value: dict[str, float]) -> str:
    return f"{100 * value['mean']:.1f} ± {100 * value['sd']:.1f} %"


def number(value: dict[str, float]) -> str:
    return f"{value['mean']:.3f} ± {value['sd']:.3f}"


TABLES: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    f.__name__: f
    for f in (
        *(corner_decoys, random_corner, insurance, weights, step_cost, draws, scale),
        *(explanation_tables.explain, explanation_tables.explanation_quality, explanation_tables.explain_memory),
        scaffolding,
    )
}


TABLES |= {"random_corner_from_5": random_corner, "insurance_from_5": insurance}
"""Seeds that played no part in any choice."""
CASES = ("decoy_mnist", "decoy_mnist_wide", "four_corners", "decoy_fashion", "stamps_on_textures", "colour_patch")
CASES += ("annotation_efficiency", "wrong_feedback", "methods", "toy_colours", "iris_cancer", "planted_token")
TABLES |= {f"reproduce_{case}": reproduction for case in CASES}
TABLES |= dict.fromkeys(("table_methods", "right_reasons_scores"), reproduction)
TABLES |= {f"reproduce_{case}": reproduction for case in ("decoy_mnist_from_3", "methods_from_2")}
TABLES |= {f.__name__: f for f in (adversarial_robustness, suspects)}
TABLES |= {f.__name__: f for f in (asking_tables.queries, asking_tables.proposals, asking_tables.review_path)}
TABLES |= {f.__name__: f for f in correction_tables.ALL}
TABLES |= {f.__name__: f for f in (table_figures.tables, table_figures.table_peers)}
TABLES |= {f.__name__: f for f in (table_figures.table_quantiles, table_figures.table_balance)}
TABLES |= {f.__name__: f for f in (fair_tables.fair, fair_tables.fair_cost)}
TABLES |= {f.__name__: f for f in (table_figures.layer_wise, table_figures.monotone)}
RESULTS_OF = {
    "fair_prices_truth": "fair_prices",
    "front_page_spread": "front_page",
    "table_quantiles": "tables",
    "table_balance": "tables",
    "explain_proofs": "explain",
    "fair_cost": "fair",
    "influence_found": "influence",
    "private_defences": "private_training",
    **dict.fromkeys(("privacy_explanations", "privacy_attributes", "privacy_typical"), "privacy"),
    "adversarial_robustness": "reproduce_adversarial_robustness",
}
TABLES |= {f.__name__: f for f in bayes_tables.ALL}
TABLES |= {"audit": audit_tables.audit, "unlearning": forgetting_tables.unlearning}
TABLES |= {"tree_counterfactuals": counterfactual_tables.tree_counterfactuals}
TABLES |= {"feedback_influence": influence_tables.feedback_influence}
TABLES |= {f.__name__: f for f in (influence_tables.influence, influence_tables.influence_found)}
TABLES |= {"robustness": robustness_tables.robustness}
TABLES |= {"ek_fac_peer": influence_tables.ek_fac_peer, "lissa": influence_tables.lissa}
TABLES |= {"counterfactuals": counterfactual_tables.counterfactuals}
TABLES |= {"counterfactual_peers": counterfactual_tables.counterfactual_peers}
TABLES |= {"counterfactual_distillation": counterfactual_tables.counterfactual_distillation}
TABLES |= {f.__name__: f for f in privacy_tables.ALL}
TABLES |= {f.__name__: f for f in private_tables.ALL}
TABLES |= {f.__name__: f for f in (tabular_robustness_tables.feasible_attacks, tabular_robustness_tables.erratic_rows)}
TABLES |= {"explain_proofs": explanation_tables.explain_proofs}
TABLES |= {"tampering": sealing_tables.tampering}
"""A second table from the same file of results."""


def main() -> int:
    wanted = {METHODS: methods_page(), METHODS_LISTED: methods_listed()}
    pages = (README, MEASURED, REPRODUCTIONS, CHOOSING)
    wanted |= {page: with_tables(page.read_text(encoding="utf-8")) for page in pages}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        print(
            "".join(f"{path.relative_to(ROOT)} is stale: run `make docs`\n" for path in stale) or "documents: current"
        )
        return bool(stale)
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
