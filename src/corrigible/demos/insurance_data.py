"""Did a person see a doctor that year? 20,190 person-years of the RAND Health Insurance Experiment.

The table is in the public domain and comes inside the package statsmodels, which has it from Cameron and Trivedi 2005,
"Microeconometrics".
"""

import io

import pandas as pd
import torch

from corrigible.data.dataset import TensorData
from corrigible.data.table import encode, encoder_of
from corrigible.demos.pinned import pinned_bytes
from corrigible.errors import DataError, unknown

SHA256 = "fe64f3c8e987779daa6052dd756d9ce277e025330f5549126c7c2f6a3c9c5541"
SHARES = {"train": 0.7, "validation": 0.1, "test": 0.2}
PERSON = "zper"
RACE = "black"
OUTCOMES = (
    *("outpdol", "drugdol", "suppdol", "mentdol", "inpdol", "meddol", "lnmeddol", "binexp"),
    *("totadm", "inpmis", "mentvis", "mdvis", "notmdvis", "time"),
)
"""What is known only when the year is over: spending, visits, admissions, how much of the year the person stayed."""
COPIES = ("lfam", "lnum", "linc", "lpi", "ghindx")
"""Logarithms of ``num``, ``income`` and ``pioff``, and ``xghindx`` with gaps: a person who says that income must not
matter would have to say so about its logarithm too."""
DROPPED = (PERSON, *OUTCOMES, *COPIES)


def load(split: str, *, seed: int = 0, use_race: bool = True) -> TensorData:
    """Person-years as encoded columns; y is 1 where the person saw a doctor at least once.

    ``train``, ``validation`` and ``test`` hold 70, 10 and 20 % of the 5,912 persons, each with all their years, drawn
    by the seed. Groups are ``black``, where the column of that name is at least one half, and ``not black``; values
    between 0 and 1 were imputed. With ``use_race=False`` that column is no feature, and the groups remain.

    Raises:
        DataError: an unknown split, or statsmodels' data file is missing or changed.
    """
    if split not in SHARES:
        raise DataError(unknown("split", split, SHARES))
    table = read()
    persons = split_persons(table, seed=seed)
    drop = (*DROPPED, "race") if use_race else (*DROPPED, "race", RACE)
    prepared = _prepared(table)
    encoder = encoder_of(prepared[table[PERSON].isin(persons["train"])], target="visit", group="race", drop=drop)
    return encode(prepared[table[PERSON].isin(persons[split])], encoder)


def read() -> pd.DataFrame:
    """The raw table, one row per person and year."""
    content = pinned_bytes("statsmodels", "datasets/randhie/src/randhie.csv", sha256=SHA256)
    return pd.read_csv(io.BytesIO(content))


def split_persons(table: pd.DataFrame, *, seed: int) -> dict[str, list[int]]:
    """The identifiers of the persons in each split."""
    persons = torch.tensor(sorted(table[PERSON].unique()))
    order = torch.randperm(len(persons), generator=torch.Generator().manual_seed(seed))
    train, validation = (round(SHARES[split] * len(persons)) for split in ("train", "validation"))
    parts = persons[order].split([train, validation, len(persons) - train - validation])
    return {split: part.tolist() for split, part in zip(SHARES, parts, strict=True)}


def _prepared(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the label, the group, and the numbers of plans and sites as categories."""
    return table.assign(
        visit=(table["mdvis"] > 0).map({False: "no visit", True: "visit"}),
        race=(table[RACE] >= 0.5).map({False: "not black", True: "black"}),
        plan=table["plan"].astype(str),
        site=table["site"].astype(str),
    )
