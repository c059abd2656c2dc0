"""A fitted estimator as JSON, beside its weights: numbers and texts, never code."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from corrigible.arguments import whole_number
from corrigible.data.table_encoder import from_json as encoder_from_json
from corrigible.data.table_encoder import to_json as encoder_to_json
from corrigible.errors import DataError
from corrigible.estimators.learning import Fitted
from corrigible.files import MOST_RECORD, read_text
from corrigible.models import MODELS
from corrigible.models.tabular import TableNetwork
from corrigible.protocols.corrections.verdict import Verdict
from corrigible.protocols.early_stopping import Watched
from corrigible.protocols.fairness.enforced import Enforced
from corrigible.protocols.fairness.group_means import GroupMeans
from corrigible.protocols.fairness.weight_for_gap import GapTrial
from corrigible.protocols.limiting.limited import Limited
from corrigible.strict_json import parse
from corrigible.surgery import Proxy
from corrigible.types import Measurement, Measurements

KEPT = "estimator.json"
FORMAT, VERSION = "corrigible-estimator", 2


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A fitted estimator without its weights."""

    name: str
    """Of its class."""
    params: Mapping[str, Any]
    fitted: Fitted
    is_named: bool
    """Whether the training rows had names of their own."""
    classes: NDArray[Any] | None
    verdict: Verdict | None
    limited: Limited | None
    enforced: Enforced | None = None


def as_json(kept: Kept) -> bytes:
    """What is kept, as JSON text.

    Raises:
        DataError: a parameter or a class that JSON has no form for.
    """
    fitted = kept.fitted
    written = {
        "format": FORMAT,
        "version": VERSION,
        "estimator": kept.name,
        "params": {name: _plain(f"parameter {name}", value) for name, value in kept.params.items()},
        "task": _plain("task", fitted.task),
        "names": list(fitted.names),
        "is_named": kept.is_named,
        "classes": None if kept.classes is None else _classes(kept.classes),
        "network": asdict(fitted.network),
        "seed": fitted.seed,
        "has_exposure": fitted.has_exposure,
        "watched": asdict(fitted.watched),
        "verdict": None if kept.verdict is None else asdict(kept.verdict),
        "limited": None if kept.limited is None else asdict(kept.limited),
        "enforced": None if kept.enforced is None else asdict(kept.enforced),
        "encoder": json.loads(encoder_to_json(fitted.encoder)),
    }
    return json.dumps(written, indent=1, ensure_ascii=False, allow_nan=False).encode()


def read_kept(folder: Path, name: str) -> Kept:
    """What `as_json` wrote into the folder.

    Raises:
        DataError: the file is missing or another, or it is of an estimator of another class.
    """
    path = folder / KEPT
    try:
        found = parse(read_text(path, most=MOST_RECORD))
        if (found["format"], found["version"]) != (FORMAT, VERSION):
            raise ValueError(f"it is {found['format']!r}, version {found['version']!r}")
        kept = _kept(found)
    except OSError as error:
        raise DataError(f"cannot read {path} ({error.strerror}); expected what `save` writes") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not as `save` wrote it ({error}); save the estimator again") from error
    if kept.name != name:
        raise DataError(f"{folder} holds a {kept.name}; load it by {kept.name}.load, not {name}.load")
    return kept


def _kept(found: Mapping[str, Any]) -> Kept:
    verdict, limited = found["verdict"], found["limited"]
    return Kept(
        name=str(found["estimator"]),
        params={key: tuple(value) if isinstance(value, list) else value for key, value in found["params"].items()},
        fitted=_fitted(found),
        is_named=bool(found["is_named"]),
        classes=None if found["classes"] is None else _array(found["classes"]),
        verdict=None if verdict is None else Verdict(**verdict),
        limited=None if limited is None else _limited(limited),
        enforced=None if (enforced := found.get("enforced")) is None else _enforced(enforced),
    )


def _limited(found: Mapping[str, Any]) -> Limited:
    measured = {name: Measurements(Measurement(**of) for of in found[name]) for name in ("before", "after", "change")}
    proxies = {name: tuple(Proxy(*of) for of in found[name]) for name in ("proxies", "told_before", "told_after")}
    return Limited(**{**found, **measured, **proxies})


def _enforced(found: Mapping[str, Any]) -> Enforced:
    measured = {name: Measurements(Measurement(**of) for of in found[name]) for name in ("before", "after", "change")}
    trials = tuple(GapTrial(**trial) for trial in found["trials"])
    return Enforced(
        **{**found, **measured, "trials": trials, "groups": tuple(GroupMeans(**of) for of in found["groups"])}
    )


def _fitted(found: Mapping[str, Any]) -> Fitted:
    encoder = encoder_from_json(json.dumps(found["encoder"]))
    network = TableNetwork(**found["network"])
    if network.name not in MODELS:  # Else it might name a function of somebody's, which building would run.
        raise ValueError(f"the network {network.name!r} is unknown")
    names = tuple(map(str, found["names"]))
    if len(set(names)) < len(names) or not set(encoder.columns.features) <= set(names):
        raise ValueError(f"the names {names} are not those of the encoder, {encoder.columns.features}")
    curves = {key: tuple(map(float, found["watched"][key])) for key in ("losses", "held_out_losses")}
    return Fitted(
        encoder=encoder,
        network=network,
        task=found["task"],
        names=names,
        seed=whole_number("seed", found["seed"]),
        has_exposure=bool(found["has_exposure"]),
        watched=Watched(**curves, has_converged=bool(found["watched"]["has_converged"])),
    )


def _classes(classes: NDArray[Any]) -> dict[str, Any]:
    if classes.dtype.kind not in "biufUO":
        raise DataError(f"classes are {classes.dtype}; expected numbers or text: convert them before fitting")
    return {"dtype": classes.dtype.str, "values": [_plain("class", value) for value in classes.tolist()]}


def _array(written: Mapping[str, Any]) -> NDArray[Any]:
    dtype = np.dtype(str(written["dtype"]))
    if dtype.kind not in "biufUO":
        raise ValueError(f"classes of {dtype}")
    return np.array(written["values"], dtype=dtype)


def _plain(what: str, value: Any) -> Any:
    """The value in JSON's types."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, torch.device):
        value = str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(what, inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(what, inside) for inside in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise DataError(f"{what} is a {type(value).__name__}, which cannot be saved; expected numbers, text or lists")
