import pytest

from corrigible.explanations.surrogates._rule_text import rule_text_of
from corrigible.explanations.surrogates.fidelity import Fidelity
from corrigible.explanations.surrogates.tree_surrogate import Leaf, Split, TreeSurrogate
from corrigible.plots import surrogate_tree
from corrigible.types import Columns
from drawn import texts

TABLE = Columns(("age", "site=a", "site=b", "site=c"), ("age", *["site"] * 3), (False, True, True, True))
FIDELITY = Fidelity("agreement", 0.93, 0.6, 0.9, 500, 500.0)
YOUNG, OLD = Leaf((0.9, 0.1), 0.25), Leaf((0.2, 0.8), 0.25)
ROOT = Split(1, 0.5, Split(0, 41.5, YOUNG, OLD, 0.5), Leaf((0.0, 1.0), 0.5), 1.0)
TREE = TreeSurrogate("predicted class", ROOT, FIDELITY, rule_text_of(TABLE, None, ("well", "ill")))


def test_every_branch_has_its_question_and_every_leaf_its_answer() -> None:
    written = {text.get_text() for text in texts(surrogate_tree(TREE))}
    assert {"site is not a", "site is a", "age ≤ 41.5", "age > 41.5"} <= written
    assert {
        "well, 90 % sure",
        "ill, 80 % sure",
        "ill, 100 % sure",
        "25\u00a0% of points",
        "50\u00a0% of points",
    } <= written
    assert str(FIDELITY) in written


def test_answers_stand_beside_their_branch_in_order() -> None:
    places = {text.get_text(): text.get_position() for text in texts(surrogate_tree(TREE))}
    assert [round(places[said][1] + 0.1, 6) for said in ("well, 90 % sure", "ill, 80 % sure", "ill, 100 % sure")] == [
        0,
        1,
        2,
    ]
    assert places["age ≤ 41.5"][0] > places["site is not a"][0]
    assert places["age ≤ 41.5"][1] == pytest.approx(places["well, 90 % sure"][1])


def test_thicker_branches_carry_more_points() -> None:
    lines = [line for line in surrogate_tree(TREE).axes[0].get_lines() if len(line.get_xdata()) == 3]
    assert [line.get_linewidth() for line in lines] == [2.5, 2.5, 1.25, 1.25]
