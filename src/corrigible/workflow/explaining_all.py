"""The verb that explains every row of a study, in a run that can be interrupted and resumed."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from corrigible.comparison import spoken
from corrigible.data.image_folder import splits_in
from corrigible.data.protocol import Dataset, columns_of, tokens_of
from corrigible.data.tokens import Tokens
from corrigible.explanations.features import feature_shares
from corrigible.explanations.shards import explain_all as explain_into
from corrigible.explanations.shards import read_shards, shard_paths
from corrigible.explanations.words import by_token, settings_for_texts
from corrigible.models.devices import device_named
from corrigible.models.processes import joined_processes, own_device, process_number
from corrigible.recipe import Recipe, load_data
from corrigible.study import Study, open_study
from corrigible.workflow.backgrounds import with_background
from corrigible.workflow.explained_words import WORDS_FILE, word_shares, words_of_rows
from corrigible.workflow.explaining import keep_shares, told_shares
from corrigible.workflow.making import load_model
from corrigible.workflow.next_steps import next_steps
from corrigible.workflow.records import Finished, Record
from corrigible.workflow.shard_runs import alone, discard, link_all, plain, unfinished

SUFFIXES = {"image": ".npz", "table": ".csv", "text": ".csv"}


def explain_all(
    folder: Path,
    *,
    splits: Sequence[str] = (),
    format: str = "safetensors",
    rows_per_shard: int | None = None,
    run: str | None = None,
    seed: int | None = None,
    device: str = "cpu",
) -> Iterator[Record]:
    """Explain what a run's model predicts on every row of these splits, by default of all of the study's.

    Finished shards survive an interruption; the same call resumes with the others. Of several processes started by
    torchrun, each makes a part of the shards, and the first one yields the records.
    """
    with joined_processes():
        settings = {"format": format, "rows_per_shard": rows_per_shard}
        study = open_study(folder)
        begun = _explain_all(study, tuple(splits), run, seed, device, settings)
        with alone(study, "explain", "explains every row"), closing(begun) as records:
            for record in records:
                if process_number() == 0:
                    yield record


def _explain_all(
    study: Study, splits: tuple[str, ...], run: str | None, seed: int | None, device: str, settings: dict[str, Any]
) -> Generator[Record, None, None]:
    recipe = with_background(study)
    explanation = recipe.explain
    seed = recipe.seed if seed is None else seed
    source = study.run_named(run) if run else study.latest("train", "correct")
    splits = splits or splits_of(study)
    model = load_model(source, recipe).to(device_named(own_device(device)))
    parts = {split: load_data(recipe, study.folder, split) for split in splits}
    settings = {"method": explanation.method, "seed": seed, **settings, **explanation.settings}
    if all(tokens_of(data) for data in parts.values()):
        settings = settings_for_texts(explanation.method, settings)
    begun = [
        explain_into(model, data, unfinished(study, "explain", split), name=plain(split), **settings)
        for split, data in parts.items()
    ]
    num_rows = {}
    for split, records in zip(splits, begun, strict=True):
        planned: Any = next(
            records
        )  # Before anything is explained, to check that all splits can be started or resumed.
        num_rows[split] = planned.num_rows
        yield planned
    for records in begun:
        yield from records
    if process_number() == 0:
        record = {"parent": source.name, "seed": seed, "device": device, "method": explanation.method, "rows": num_rows}
        yield from _publish(study, parts, record)


def splits_of(study: Study) -> tuple[str, ...]:
    """The splits of the study's data: one per file in ``data`` or folder of images, or those that the recipe names."""
    named = _splits_named(study.recipe)
    if study.recipe.source is not None or study.recipe.kind not in SUFFIXES:
        return named
    data = study.folder / "data"
    found = sorted(path.stem for path in data.glob(f"*{SUFFIXES[study.recipe.kind]}")) or splits_in(data)
    if not found:
        return named
    # If a split that the recipe explains or evaluates is missing, loading it raises an error.
    expected = {*found, "train", study.recipe.explain.split, study.recipe.evaluate.split}
    return tuple(name for name in named if name in expected) + tuple(name for name in found if name not in named)


def _splits_named(recipe: Recipe) -> tuple[str, ...]:
    baselines = [baseline.split for baseline in recipe.baselines]
    names = ["train", recipe.validation_split, recipe.evaluate.split, recipe.explain.split, *baselines]
    return tuple(dict.fromkeys(name for name in names if name))


def _publish(study: Study, parts: Mapping[str, Dataset], record: dict[str, Any]) -> Iterator[Record]:
    """Make a run from the shards, which keep their place until the run is finished."""
    with study.new_run("explain", **record) as draft:
        for split, data in parts.items():
            link_all(shard_paths(unfinished(study, "explain", split), name=plain(split)), draft.folder)
            tokens = tokens_of(data)
            if tokens is not None:
                draft.write_json(f"{plain(split)}-{WORDS_FILE}", words_of_rows(tokens))
        shares = _shares(draft.folder, parts)
        keep_shares(draft, shares)
    for split in parts:
        discard(unfinished(study, "explain", split))
    yield from told_shares(shares, study.recipe.labels, of_words=_tokens(parts) is not None)
    result = f"{spoken(record['method'])} of {record['parent']} on {sum(record['rows'].values()):,} rows"
    yield Finished("explain", str(draft.published), result=result, next=next_steps(study.folder, "explain"))


def _shares(folder: Path, parts: Mapping[str, Dataset]) -> list[tuple[str, float]]:
    """The share of each feature or word over all parts together."""
    explained = (part.attribution for split in parts for part in read_shards(folder, name=plain(split)))
    tokens = _tokens(parts)
    if tokens is not None:
        return word_shares(map(by_token, explained), tokens)
    return feature_shares(explained, columns_of(list(parts.values())[-1]))


def _tokens(parts: Mapping[str, Dataset]) -> Tokens | None:
    """The words of all parts, one after another."""
    found = [tokens for data in parts.values() if (tokens := tokens_of(data)) is not None]
    return Tokens(torch.cat([tokens.ids for tokens in found]), found[0].words) if found else None
