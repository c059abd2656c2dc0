"""The verb that finds changes of every row of a table, in a run that can be interrupted and resumed."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from corrigible.data.protocol import Dataset
from corrigible.explanations.counterfactuals.result import STATUSES
from corrigible.explanations.shards import counterfactuals_all as find_into
from corrigible.explanations.shards import read_counterfactuals, shard_paths
from corrigible.models.processes import joined_processes, own_device, process_number
from corrigible.recipe import load_data
from corrigible.study import Study, open_study
from corrigible.workflow.changing import settings_for, subject_in
from corrigible.workflow.explaining_all import splits_of
from corrigible.workflow.records import Finished, Record
from corrigible.workflow.reviews.subject import Subject
from corrigible.workflow.shard_runs import alone, discard, link_all, plain, unfinished

VERB = "counterfactuals"


def counterfactuals_all(
    folder: Path,
    *,
    splits: Sequence[str] = (),
    rows_per_shard: int | None = None,
    run: str | None = None,
    k: int = 1,
    starts: int = 2,
    seed: int | None = None,
    device: str = "cpu",
    **wanted: Any,
) -> Iterator[Record]:
    """Find changes of every row of these splits, by default of all of the study's, and write them to shards.

    Finished shards survive an interruption, and torchrun shares the work, as with `explain_all`.

    Args:
        rows_per_shard: None for at most 512.
        run, k, starts, wanted: see `counterfactuals`.
    """
    with joined_processes():
        study = open_study(folder)
        subject = subject_in(study, run, seed=seed, device=own_device(device))
        settings = {
            "k": k,
            "starts": starts,
            "rows_per_shard": rows_per_shard,
            **settings_for(study, subject, **wanted),
        }
        asked = {
            "k": k,
            "starts": starts,
            **{name: value for name, value in wanted.items() if value not in (None, "", ())},
        }
        begun = _found(study, subject, tuple(splits) or splits_of(study), settings, {"device": device, "asked": asked})
        with alone(study, VERB, "finds changes of every row"), closing(begun) as records:
            for record in records:
                if process_number() == 0:
                    yield record


def _found(
    study: Study, subject: Subject, splits: tuple[str, ...], settings: dict[str, Any], origin: dict[str, Any]
) -> Generator[Record, None, None]:
    parts = {
        split: subject.data[split] if split in subject.data else load_data(study.recipe, study.folder, split)
        for split in splits
    }
    how = {"rows": subject.sample, "seed": subject.seed, **settings}
    begun = [
        find_into(subject.model, data, unfinished(study, VERB, split), name=plain(split), **how)
        for split, data in parts.items()
    ]
    num_rows = {}
    for split, records in zip(splits, begun, strict=True):
        planned: Any = next(records)  # Before anything is searched, to check that all splits can be begun or resumed.
        num_rows[split] = planned.num_rows
        yield planned
    for records in begun:
        yield from records
    if process_number() == 0:
        yield from _publish(study, parts, {"parent": subject.run, "seed": subject.seed, "rows": num_rows, **origin})


def _publish(study: Study, parts: dict[str, Dataset], record: dict[str, Any]) -> Iterator[Record]:
    """Make a run from the shards, which keep their place until the run is finished."""
    counts: Counter[str] = Counter()
    with study.new_run(VERB, **record) as draft:
        for split in parts:
            link_all(shard_paths(unfinished(study, VERB, split), name=plain(split)), draft.folder)
            counts.update(
                row[0] for part in read_counterfactuals(draft.folder, name=plain(split)) for row in part.status
            )
    for split in parts:
        discard(unfinished(study, VERB, split))
    said = ", ".join(f"{counts[status]:,} {status}" for status in STATUSES if counts[status])
    yield Finished(VERB, str(draft.published), result=f"{sum(record['rows'].values()):,} rows: {said}")
