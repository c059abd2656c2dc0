"""The verb that audits: a study's model makes a run with a page, a file is read with any function."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studies import corrigible, edit, refused, table_study


def test_a_study_is_audited_with_its_groups_and_causes(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    edit(study, "[evaluate]", '[causes]\nsite = ["sex"]\n[evaluate]')
    corrigible("train", study)
    answer = corrigible("audit", study, "--forbidden", "site", "--rising", "age", "--json")
    *found, finished = answer.records
    parts = {record["part"] for record in found}
    assert {"Groups", "Leak suspects", "Counterfactual flips", "Directions"} <= parts
    missing = [record for record in found if "not measured" in record["text"]]
    assert {record["part"] for record in missing} == {"Proxies", "Counterfactual flips"}
    assert all("8 rows m" in record["text"] or "m 8 rows" in record["text"] for record in missing)
    assert any(record["is_concern"] and record["text"].startswith("site alone explains") for record in found)
    folder = Path(finished["path"])
    assert "site alone explains" in (folder / "audit.html").read_text()
    assert {part["key"] for part in json.loads((folder / "audit.json").read_text())} >= {"proxies", "jumps"}
    assert corrigible("verify", study).code == 0
    edit(study, '["sex"]', '["sxe"]')
    assert "did you mean 'sex'" in refused("audit", study)
    assert "are of a file" in refused("audit", study, "--target", "label")
    assert "for --rising and for --falling" in refused("audit", study, "--rising", "age", "--falling", "age")


def test_a_file_is_audited_with_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "audited_pricing.py").write_text("def price(frame):\n    return 10.0 + frame.age\n")
    monkeypatch.syspath_prepend(tmp_path)
    rng = np.random.default_rng(0)
    age, sex = rng.integers(20, 60, 80), rng.choice(["f", "m"], 80)
    pd.DataFrame({"age": age, "sex": sex, "cost": 11.0 + age}).to_csv(tmp_path / "rates.csv", index=False)
    monkeypatch.chdir(tmp_path)
    asked = ("audit", "rates.csv", "--model", "audited_pricing:price", "--target", "cost")
    answer = corrigible(*asked, "--group", "sex", "--forbidden", "sex")
    assert answer.code == 0 and "sex: predictions do not depend on it" in answer.stdout
    assert (tmp_path / "rates-audit.html").exists()
    assert "no column 'race'" in refused(*asked, "--group", "race")
    assert "expected --model" in refused("audit", "rates.csv")
    assert "cannot read other.csv" in refused("audit", "other.csv", *asked[2:])
    assert "there is no folder" in refused("audit", "other")
    assert "there is no file other" in refused("audit", "other", *asked[2:])
    assert "--group: column 'cost' is that of --target already" in refused(*asked, "--group", "cost")
    assert "--exposure: column 'cost' is that of --target" in refused(*asked, "--exposure", "cost")
    assert "--group: column 'age' is that of --exposure" in refused(*asked, "--exposure", "age", "--group", "age")
    assert "--group: column 'sex' is that of --group" in refused(*asked, "--group", "sex", "--group", "sex")
    assert "expected module:function" in refused(*asked[:3], "audited_pricing", *asked[4:])
    (tmp_path / "odd.csv").write_text("age;cost\n1;2\n")
    assert "has one column, 'age;cost'; expected several" in refused("audit", "odd.csv", *asked[2:])
    (tmp_path / "empty.csv").write_text("")
    assert "cannot read" in refused("audit", "empty.csv", "--model", "audited_pricing:price", "--target", "cost")
