"""The insurance table: no person in two splits, nothing in x that is known only when the year is over."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from corrigible.demos import insurance_data
from corrigible.errors import DataError

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def table():
    pytest.importorskip("statsmodels")
    return insurance_data.read()


@pytest.fixture(scope="module")
def splits(table):
    patch = pytest.MonkeyPatch()
    patch.setattr(insurance_data, "read", lambda: table)
    yield {split: insurance_data.load(split) for split in SPLITS}
    patch.undo()


def test_no_person_is_in_two_splits_and_none_is_lost(table, splits):
    persons = insurance_data.split_persons(table, seed=0)
    every = [person for split in SPLITS for person in persons[split]]
    assert len(every) == len(set(every)) == 5912 and set(every) == set(table["zper"])
    assert [len(persons[split]) for split in SPLITS] == [4138, 591, 1183]
    for split in SPLITS:
        assert len(splits[split]) == int(table["zper"].isin(persons[split]).sum())
    assert sum(map(len, splits.values())) == 20190
    assert persons != insurance_data.split_persons(table, seed=1)


def test_no_outcome_identifier_or_copy_is_a_feature(splits):
    features = splits["train"].columns.features
    forbidden = """outpdol drugdol suppdol mentdol inpdol meddol totadm inpmis mentvis mdvis notmdvis lnmeddol binexp
        time zper lfam lnum linc lpi ghindx visit race"""
    assert not set(features) & set(forbidden.split())
    assert "plan" in features and "site" in features and len(features) == 25


def test_no_column_alone_tells_the_label(table, splits):
    """Any spending at all, left out, ranks 85 % of pairs rightly; no feature comes near."""
    assert roc_auc_score(table["mdvis"] > 0, table["binexp"]) > 0.8
    train = splits["train"]
    for column, name in zip(train.x.T, train.columns.names, strict=True):
        assert abs(roc_auc_score(train.y, column) - 0.5) < 0.13, name


def test_labels_and_groups_are_those_of_the_table(table, splits):
    persons = insurance_data.split_persons(table, seed=0)
    rows = table[table["zper"].isin(persons["test"])]
    test = splits["test"]
    assert test.class_names == ("no visit", "visit") and test.group_names == ("black", "not black")
    assert test.y.tolist() == (rows["mdvis"] > 0).astype(int).tolist()
    assert test.group.tolist() == (rows["black"] < 0.5).astype(int).tolist()


def test_columns_are_finite_and_the_same_in_every_split(splits):
    for data in splits.values():
        assert data.columns == splits["train"].columns and torch.isfinite(data.x).all()


def test_race_can_be_left_out_of_the_features_and_stays_the_group(table, splits, monkeypatch):
    monkeypatch.setattr(insurance_data, "read", lambda: table)
    blind, train = insurance_data.load("validation", use_race=False), splits["validation"]
    assert set(train.columns.features) - set(blind.columns.features) == {"black"}
    assert torch.equal(blind.group, train.group)


def test_an_unknown_split_is_refused():
    with pytest.raises(DataError, match="unknown split 'valid'"):
        insurance_data.load("valid")


def test_copies_say_nothing_more_than_the_columns_kept(table):
    pioff = table["pioff"].fillna(0).clip(lower=1)
    for copy, original in {
        "lfam": table["num"],
        "lnum": table["num"],
        "linc": table["income"] + 1,
        "lpi": pioff,
    }.items():
        assert np.allclose(table[copy], np.log(original), atol=1e-5), copy
    is_known = table["ghindx"].notna()
    assert table["ghindx"][is_known].equals(table["xghindx"][is_known])


def test_less_than_a_year_is_always_the_last_year(table):
    is_last = table["year"] == table.groupby("zper")["year"].transform("max")
    assert is_last[table["time"] < 1].all() and not is_last.all()
