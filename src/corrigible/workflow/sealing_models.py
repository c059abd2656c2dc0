"""The verbs that seal a study's model, and attest what is measured of it later."""

import hashlib
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from inspect import getsourcefile
from pathlib import Path
from typing import Any

from corrigible import sealing
from corrigible.data.text import VOCABULARY_FILE
from corrigible.errors import SealError, StudyError
from corrigible.feedback.exchange import to_json
from corrigible.files import MOST_ROWS, found_hash, read_bytes
from corrigible.folders import inside
from corrigible.manifest import MANIFEST, read_manifest
from corrigible.recipe_keys import heading_of
from corrigible.reporting import render
from corrigible.sealing.attestations import read_attestation
from corrigible.sealing.evidence import environment
from corrigible.sealing.records import read_seal_record
from corrigible.study import Run, Study, open_study
from corrigible.trusted_code import code_named
from corrigible.types import Measurement
from corrigible.workflow.making import load_model
from corrigible.workflow.publishing import report_content
from corrigible.workflow.records import Sealed
from corrigible.workflow.reproducing import FEEDBACK, LATER, all_feedback
from corrigible.workflow.study_problems import with_hash
from corrigible.workflow.verdicts import FAILED, verdicts_on

Ask = Callable[[], str]


def seal(
    folder: Path, *, name: str = "", anyway: bool = False, key: Path | None = None, ask: Ask | None = None
) -> Iterator[Sealed]:
    """Copy the latest corrected model and its evidence into a folder whose manifest makes any change detectable.

    The seal names the newest one before it in the study.

    Args:
        anyway: also seal a correction whose verdict is failed.
        key: file of the private key that signs it.
        ask: asks for the passphrase of an encrypted key.

    Raises:
        SealError: a failed correction, a gap that was closed by predicting hardly anything, a name that is taken, a key
            that cannot be used, or a newest seal that was changed.
        StudyError: a model that was not evaluated.
    """
    study = _opened(folder, key)
    evaluation, run = study.latest("evaluate"), study.latest("correct", "train")
    target = _sealed_folder(study, name or run.name)
    for source in (run, evaluation):
        source.require_unchanged()
    results = evaluation.read("evaluation.json")
    measured = _measured(folder, run.name, results)
    verdict = next(iter(verdicts_on(run, results)), None)
    _require_sound(run, verdict, anyway)
    files = {
        "recipe.toml": run.record["recipe"].encode(),
        "run.json": (run.folder / "run.json").read_bytes(),
        **_feedback_files(study, run if run.verb == "correct" else evaluation, evaluation),
        "report.html": render(report_content(study, evaluation)).encode(),
        **_vocabulary(study, run),
        **({"verdict.json": json.dumps(verdict, indent=1).encode()} if verdict else {}),
    }
    model = load_model(run)  # Which requires that the recipe's code is trusted.
    how = sealing.Signing(key, ask, newest_seal(study), _provenance(run, evaluation))
    sealing.seal(model, target, evidence=measured, files=files, signing=how)
    head = read_attestation(target, 1).sha256 if key else ""
    yield _sealed(target, key, head=head, outcome=verdict["outcome"] if verdict else "")


def attest(folder: Path, *, key: Path, name: str = "", ask: Ask | None = None) -> Iterator[Sealed]:
    """Add the latest evaluation to a signed seal of the same model, as an attestation; the seal stays as it was.

    Args:
        name: of the sealed folder; by default that of the latest correction, or training.

    Raises:
        SealError: the seal is of another run, was not made with this key, or the key cannot be used.
        ChangedError: the sealed folder was changed.
        StudyError: a model that was not evaluated.
    """
    study = _opened(folder, key)
    evaluation = study.latest("evaluate")
    target = _sealed_folder(study, name or study.latest("correct", "train").name)
    evaluation.require_unchanged()
    read_manifest(target)
    run = sealed_run(study, target)
    run.require_unchanged()
    measured = _measured(folder, run.name, evaluation.read("evaluation.json"))
    page = with_hash(render(report_content(study, evaluation)).encode())
    about = _provenance(run, evaluation)
    head = sealing.attest(target, measured, key=key, provenance=about, report=page, ask=ask)
    yield _sealed(target, key, head=head)


def newest_seal(study: Study) -> Path | None:
    """The study's seal that follows most others, of equal ones the latest; None where there is none.

    Raises:
        SealError: a folder in ``sealed`` has no readable manifest.
    """
    folders = [path for path in sorted((study.folder / "sealed").glob("[!.]*")) if (path / MANIFEST).exists()]
    records = {path: read_seal_record(path, read_manifest(path)) for path in folders}
    return max(folders, key=lambda path: (len(records[path].history), records[path].created), default=None)


def _opened(folder: Path, key: Path | None) -> Study:
    """The study, whose folder must not hold the private key: others may get it."""
    study = open_study(folder)
    if key is not None and key.resolve().is_relative_to(study.folder.resolve()):
        raise SealError(f"the private key {key} lies in the study, which others may get; keep it elsewhere")
    return study


def _sealed(target: Path, key: Path | None, *, head: str, outcome: str = "") -> Sealed:
    manifest = read_manifest(target)
    pinned = f"--key {shlex.quote(f'{key}.pub')} --head {head}" if key else f"--root {manifest.root}"
    steps = (f"corrigible verify {shlex.quote(str(target))} {pinned}",)
    return Sealed(str(target), manifest.root, len(manifest.files), outcome, head=head, next=steps)


def _measured(folder: Path, run: str, results: Mapping[str, Any]) -> list[Measurement]:
    found = {model["run"]: model for model in results["models"]}
    if run not in found:
        raise StudyError(f"{run} has not been evaluated; run `corrigible evaluate {folder}`, then seal")
    return [Measurement(**each) for each in found[run]["measurements"]]


def sealed_run(study: Study, target: Path) -> Run:
    """The run whose model was sealed in the folder.

    Raises:
        SealError: the study has no such run.
    """
    sealed = found_hash(target / "run.json")
    for run in study.runs():
        if found_hash(run.folder / "run.json") == sealed:
            return run
    raise SealError(f"{target} was sealed from no run of {study.folder}; name another seal, or seal the model")


def _provenance(run: Run, evaluation: Run) -> sealing.Provenance:
    recipe = run.record["recipe"]
    return sealing.Provenance(
        data=evaluation.record.get("data") or None,
        feedback=run.record.get("feedback"),
        recipe=hashlib.sha256(recipe.encode()).hexdigest(),
        code={name: _source_hash(name) for name in code_named(recipe)},
        environment={**environment(), **evaluation.record["versions"]},
    )


def _source_hash(name: str) -> str | None:
    """SHA-256 of the source file of what the recipe names; None where its source is no file."""
    try:
        source = getsourcefile(import_module(name.partition(":")[0]))
    except (ImportError, TypeError):
        return None
    return found_hash(Path(source)) if source else None


def _feedback_files(study: Study, corrected: Run, evaluation: Run) -> dict[str, bytes]:
    """The feedback that the correction was made with, and apart from it what was given until the evaluation."""
    found = {name: all_feedback(study, run) for name, run in ((FEEDBACK, corrected), (LATER, evaluation))}
    if found[LATER] == found[FEEDBACK]:
        del found[LATER]
    return {name: to_json(said).encode() for name, said in found.items()}


def _require_sound(run: Run, verdict: Mapping[str, Any] | None, anyway: bool) -> None:
    if verdict is not None and verdict["outcome"] == FAILED and not anyway:
        raise SealError(
            f"cannot seal {run.name}; on {verdict['where']} rows: {verdict['sentence']} Correct again, with other "
            "feedback or another method (`corrigible compare` tries several), and evaluate; or seal it with --anyway"
        )
    for record in ("enforced", "forgotten"):
        if (ruin := run.record.get(record, {}).get("ruin", "")) and not anyway:
            raise SealError(f"cannot seal {run.name}: {ruin}; or seal it with --anyway")


def _sealed_folder(study: Study, name: str) -> Path:
    sealed = study.folder / "sealed"
    try:
        return inside(sealed, name)
    except ValueError as error:
        raise SealError(f"cannot seal under this name: {error}") from error


def _vocabulary(study: Study, run: Run) -> dict[str, bytes]:
    """The words and their vectors, which a model of texts needs; empty for other data."""
    recipe = heading_of(run.record["recipe"])
    if recipe.kind != "text" or recipe.source is not None:
        return {}
    path = study.folder / "data" / VOCABULARY_FILE
    try:
        return {VOCABULARY_FILE: read_bytes(path, most=MOST_ROWS, within=study.folder / "data")}
    except OSError as error:
        raise StudyError(
            f"cannot read {path} ({error}); put back the vocabulary that the model learned with"
        ) from error
