from corrigible.explanations.surrogates._rule_text import rule_text_of
from corrigible.explanations.surrogates.fidelity import Fidelity
from corrigible.explanations.surrogates.linear_surrogate import LinearSurrogate
from corrigible.plots import surrogate_bars
from corrigible.types import Columns
from drawn import row_names, texts

TABLE = Columns(("age", "dose", "site=a", "site=b"), ("age", "dose", "site", "site"), (False, False, True, True))
FIDELITY = Fidelity("r2", 0.93, 0.0, 0.9, 500, 500.0)
FOUND = LinearSurrogate(
    "margin of ill", 0.5, (1.0, 0.0, -2.0, 2.5), ("age", "site"), FIDELITY, rule_text_of(TABLE, None, ())
)


def test_bars_are_the_weights_strongest_on_top_without_those_that_are_zero() -> None:
    figure = surrogate_bars(FOUND)
    assert row_names(figure.axes[0]) == ["site is b", "site is a", "age"]
    assert [bar.get_width() for bar in figure.axes[0].containers[0]] == [2.5, -2.0, 1.0]
    assert {"+2.500", "−2.000", "+1.000", str(FIDELITY)} <= {
        line for text in texts(figure) for line in text.get_text().splitlines()
    }
    assert figure.axes[0].get_xlabel().startswith("weight in the margin of ill, per standard")


def test_what_is_left_out_is_said() -> None:
    assert "1 smaller terms not shown" in surrogate_bars(FOUND, max_terms=2).axes[0].get_xlabel().replace("\n", " ")
