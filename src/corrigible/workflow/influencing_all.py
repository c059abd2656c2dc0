"""The verb ``influence --all``: the influence on every row of a split, in a run that can be interrupted and resumed."""

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from corrigible.data.dataset import Labelled, TensorData, all_labels, task_of
from corrigible.data.protocol import Dataset
from corrigible.explanations.shards import shard_paths
from corrigible.models.processes import joined_processes, own_device, process_number
from corrigible.printable import plural
from corrigible.protocols.influence.influence_all import influence_all as influence_into
from corrigible.protocols.influence.influence_all import read_influence
from corrigible.study import Study, open_study
from corrigible.workflow.influencing import Question, question
from corrigible.workflow.records import Influenced, Record
from corrigible.workflow.row_texts import outputs_of
from corrigible.workflow.shard_runs import alone, discard, link_all, plain, unfinished

VERB = "influence"


def influence_all(
    folder: Path,
    *,
    run: str | None = None,
    split: str | None = None,
    method: str = "last_layer",
    n: int = 5,
    nearest: int = 100,
    seed: int | None = None,
    device: str = "cpu",
) -> Iterator[Record]:
    """Write the influence on what a run's model predicts of every row of a split, of each row the strongest.

    Finished shards survive an interruption; the same call resumes with the others. Of several processes started by
    torchrun, each makes a part of the shards, and the first one yields the records. ``read_influence`` reads them. Of
    the training split, rows are among those that taught them. In the place of a forgotten row another stands, as in
    training.

    Args:
        run, split, method, n, nearest: as `influence` takes them.
    """
    with joined_processes():
        study = open_study(folder)
        how: dict[str, Any] = {"method": method, "nearest": nearest, "seed": seed, "device": own_device(device)}
        with (
            alone(study, VERB, doing="asks about every row"),
            closing(_influence_all(study, run, split, n, how)) as told,
        ):
            for record in told:
                if process_number() == 0:
                    yield record


def _influence_all(
    study: Study, run: str | None, split: str | None, n: int, how: dict[str, Any]
) -> Generator[Record, None, None]:
    asked = question(study, run, split, **how)
    place, name = unfinished(study, VERB, asked.split), plain(asked.split)
    yield from influence_into(
        asked.subject.model, asked.learned, predicted_labels(asked), place, name=name, keep=n, **asked.how
    )
    if process_number() == 0:
        yield _published(asked, place, name, n, how)


def predicted_labels(asked: Question) -> Dataset:
    """The rows of the split with what the model says of each as the label; labels that are no classes stay."""
    data, task = asked.data, task_of(asked.data)
    if task.name != "classes":
        return data
    said = task.observed(outputs_of(asked.subject.model, data))["predicted"].to(all_labels(data))
    return replace(data, y=said) if isinstance(data, TensorData | Labelled) else Labelled(data, said, task)


def _published(asked: Question, place: Path, name: str, n: int, how: dict[str, Any]) -> Influenced:
    """A run of the shards, which keep their place until it is finished."""
    origin = {"parent": asked.source.name, "seed": asked.how["seed"], "device": how["device"], "split": asked.split}
    num_rows = len(asked.data)
    with asked.study.new_run(VERB, **origin, method=how["method"], nearest=how["nearest"], rows=num_rows) as draft:
        link_all(shard_paths(place, name=name), draft.folder)
        doubts = dict.fromkeys(asked.minimised.doubts)
        for part in read_influence(draft.folder, name=name):
            doubts |= dict.fromkeys(part.warnings)
        draft.record["doubts"] = list(doubts)
    assert draft.published is not None
    discard(place)
    said = f"the {plural(n, 'most helpful training row')} and the most harmful ones of each of {num_rows:,} rows of "
    read = f"read_influence({str(draft.published)!r}, name={name!r}) of corrigible.protocols.influence.influence_all"
    result = said + f"{asked.split}, by {how['method']} of {asked.source.name}; {read} reads them"
    return Influenced(VERB, str(draft.published), result=result, doubts=tuple(doubts))
