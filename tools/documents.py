"""Write docs/methods.md from the code and tables of results from benchmarks/results; --check says what is stale."""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import correction_tables

from corrigible.explanations.trust import axiom_markdown
from corrigible.workflow.listing import FAMILIES, settings, summary

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
METHODS = ROOT / "docs" / "methods.md"
README = ROOT / "README.md"
MEASURED = ROOT / "docs" / "measured.md"
REPRODUCTIONS = ROOT / "docs" / "reproductions.md"
CHOOSING = ROOT / "docs" / "how-to" / "choose-a-method.md"
AXIOMS = """Tested on small functions whose truth is known (`corrigible.explanations.trust.check_axioms`), zero as the
baseline; sampling methods with 1,000 samples hold up to their sampling error. Test your own method, or one on your own
model, in the same way."""


def methods_page() -> str:
    lines = [
        "# Methods",
        "",
        "Written by `make docs` from the code. `corrigible methods` prints the same list.",
        "A recipe, `corrigible.explain`, `corrigible.correct` and `corrigible.evaluate` take the names and settings of",
        "explainers, penalties, metrics and models; the other families are called from Python. A recipe gives a",
        '`background` as a number of training rows, and `groups` of images as `"grid"` or `"slic"`.',
    ]
    for family, members in FAMILIES.items():
        heading = f"{family}s".replace("ys", "ies").replace("sss", "sses").capitalize()
        lines += ["", f"## {heading}", "", "| name | what it is | settings | source |", "|---|---|---|---|"]
        for name, function in members.items():
            cells = (
                f"`{name}`",
                summary(function),
                f"`{settings(function)}`" if settings(function) else "",
                source(function),
            )
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += ["", "## Which explainer satisfies which axiom", "", AXIOMS, "", axiom_markdown()]
    return "\n".join(lines).rstrip() + "\n"


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
    seeds = found["seeds"]
    yield f"| {seeds} seeds, mean ± sd | accuracy | share of the gap | worst class | flip rate | overlap |"
    yield "|---|---|---|---|---|---|"
    for row in found["rows"]:
        cells = [percent(row[key]) for key in ("accuracy", "share_of_gap", "worst_class_accuracy")]
        cells += [number(row[key]) for key in ("flip_rate", "attribution_overlap")]
        yield f"| {row['model']} | " + " | ".join(cells) + " |"


def random_corner(found: dict[str, Any]) -> Iterator[str]:
    yield from corner_decoys(found)


def insurance(found: dict[str, Any]) -> Iterator[str]:
    seeds = found["seeds"]
    yield f"| {seeds} seeds, mean ± sd | AUC | share of race | mean abs. Δp, race flipped | gap between groups |"
    yield "|---|---|---|---|---|"
    for row in found["rows"]:
        cells = [number(row[key]) for key in ("auc", "attribution_overlap", "flip_effect", "group_prob_gap")]
        yield f"| {row['model']} | " + " | ".join(cells) + " |"


def weights(found: dict[str, Any]) -> Iterator[str]:
    yield "| data | chosen by swap score | best fixed weight, chosen on the test rows | that weight |"
    yield "|---|---|---|---|"
    for row in found["rows"]:
        yield f"| {row['case']} | {number(row['auto'])} | {number(row['best_fixed'])} | {row['best_fixed_weight']} |"


def step_cost(found: dict[str, Any]) -> Iterator[str]:
    few = f"{100 * found['reviewed'] / found['batch']:.0f} % of the rows reviewed"
    yield f"| time over a plain step, LeNet, batch {found['batch']} | {few} | aim | every row | aim |"
    yield "|---|---|---|---|---|"
    for row in found["rows"]:
        cells = [f"{row[key]:.2f} ×" if row[key] else "" for key in ("few", "few_aim", "every", "every_aim")]
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
            cells = " | ".join(f"{row[key]:.2f} ×" if key else "" for key in keys)
            yield f"| batch {row['batch']}, {kind} | {cells} |"


def scale(found: dict[str, Any]) -> Iterator[str]:
    yield f"| weight {found['weight']:g}, {found['reviewed_rows']} rows | accuracy |"
    yield "|---|---|"
    for row in found["rows"]:
        yield f"| {row['case']} | {percent(row['accuracy'])} |"


def explain(found: dict[str, Any]) -> Iterator[str]:
    yield "| work, one thread | peer | times as fast | aim | agreement | correlation with 400 orders: here, peer |"
    yield "|---|---|---|---|---|---|"
    for row in found["rows"]:
        agreement = apart(row["difference"]) if "difference" in row else ""
        correlation = f"{row['correlation']:.4f}" if "correlation" in row else ""
        correlation += f", {row['peer_correlation']:.4f}" if "peer_correlation" in row else ""
        agreement, correlation = (
            (agreement or f"r = {correlation}", "") if "," not in correlation else ("", correlation)
        )
        cells = (
            row["case"],
            row["peer"],
            f"{row['times_faster']:.3g} ×",
            f"{row['to_reach']} ×",
            agreement,
            correlation,
        )
        yield "| " + " | ".join(cells) + " |"


def explain_proofs(found: dict[str, Any]) -> Iterator[str]:
    yield "| what | largest relative error |"
    yield "|---|---|"
    for row in found["proofs"]:
        yield f"| {row['what']} | {row['error']:.0e} |"


def explanation_quality(found: dict[str, Any]) -> Iterator[str]:
    yield f"| measure, {found['rows_explained']} digits | times as fast as quantus (aim: 10) | largest difference |"
    yield "|---|---|---|"
    for row in found["rows"]:
        difference = apart(row["largest_difference"]) if "largest_difference" in row else ""
        yield f"| {row['measure']} | {row['ratio']:.1f} × | {difference} |"


def explain_memory(found: dict[str, Any]) -> Iterator[str]:
    yield "| work | rows | steps or samples | peak memory of the process | of which explaining |"
    yield "|---|---|---|---|---|"
    for row in found["rows"]:
        count, added = row.get("steps", row.get("samples")), row["peak_mib"] - row["before_mib"]
        yield f"| {row['work']} | {row['num_rows']:,} | {count} | {row['peak_mib']:.0f} MiB | {added:.0f} MiB |"


def scaffolding(found: dict[str, Any]) -> Iterator[str]:
    yield f"| {found['seeds']} seeds, mean ± sd | absent features | attacker expects | biased: race on top | attacked |"
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
    "weight": "weight",
    "cost": "step cost",
}
"""What the tables of reproductions show, where it was measured, by the names of the columns."""


def reproduction(found: dict[str, Any]) -> Iterator[str]:
    shown = [key for key in REPRODUCED if any(key in row for row in found["rows"])]
    seeds = found["seeds"] if isinstance(found["seeds"], int) else len(found["seeds"])
    spread = "s, mean ± sd" if seeds > 1 else ""
    yield f"| {seeds} seed{spread} | " + " | ".join(REPRODUCED[key] for key in shown) + " |"
    yield "|---" * (1 + len(shown)) + "|"
    for row in found["rows"]:
        name = f"{row['case']}: {row['model']}" if "case" in row else row["model"]
        yield f"| {name} | " + " | ".join(short(row[key]) if key in row else "" for key in shown) + " |"


def short(value: dict[str, float]) -> str:
    """Three decimals, fewer for what is not a share; without a spread where all seeds, or a single one, agree."""
    if value["least"] == value["most"]:
        return f"{value['mean']:.3g}" if value["most"] > 1.5 else f"{value['mean']:.3f}"
    if value["most"] > 1.5:
        return f"{value['mean']:.3g} ± {value['sd']:.2g}"
    return number(value)


def adversarial_robustness(found: dict[str, Any]) -> Iterator[str]:
    sizes = sorted({row["epsilon"] for row in found["rows"]})
    spread = "s, mean ± sd" if found["seeds"] > 1 else ""
    yield f"| {found['seeds']} seed{spread} | attack | " + " | ".join(f"ε = {size:g}" for size in sizes) + " |"
    yield "|---" * (2 + len(sizes)) + "|"
    networks = dict.fromkeys((row["network"], row["attack"]) for row in found["rows"])
    for network, attack in networks:
        of_both = [row for row in found["rows"] if (row["network"], row["attack"]) == (network, attack)]
        cells = [short(row) for row in sorted(of_both, key=lambda row: row["epsilon"])]
        yield f"| {network.replace('_', ' ')} | {attack} | " + " | ".join(cells) + " |"


def suspects(found: dict[str, Any]) -> Iterator[str]:
    yield f"| {found['seeds']} seeds, mean ± sd | AUC of planted parts | rank of the first planted |"
    yield "|---|---|---|"
    for row in found["rows"]:
        yield f"| {row['case']} | {number(row['auc'])} | {row['best_rank']['mean']:.1f} |"


def apart(difference: float) -> str:
    return f"{difference:.0e} apart" if difference else "the same"


def percent(value: dict[str, float]) -> str:
    return f"{100 * value['mean']:.1f} ± {100 * value['sd']:.1f} %"


def number(value: dict[str, float]) -> str:
    return f"{value['mean']:.3f} ± {value['sd']:.3f}"


TABLES: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    f.__name__: f
    for f in (
        *(corner_decoys, random_corner, insurance, weights, step_cost, draws, scale),
        *(explain, explanation_quality, explain_memory, scaffolding),
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
TABLES |= {f.__name__: f for f in (correction_tables.never_ruins, correction_tables.transplant)}
RESULTS_OF = {"explain_proofs": "explain"}
TABLES |= {"explain_proofs": explain_proofs}
"""A second table from the same file of results."""


def main() -> int:
    wanted = {METHODS: methods_page()}
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
