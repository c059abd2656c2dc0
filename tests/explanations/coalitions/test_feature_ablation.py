import pytest
import torch

from corrigible.explanations import explain
from literal_games import LABELS, conditional_value, filled_value, logit, rows, smooth_net, spread_over


@pytest.mark.parametrize(("absent", "literal"), [("marginal", filled_value), ("conditional", conditional_value)])
def test_it_is_what_the_score_loses_without_the_group(absent, literal):
    model, x, others = smooth_net(), rows(2), rows(10, seed=2)
    found = explain(model, x, 1, method="feature_ablation", groups=LABELS, background=others, absent=absent)
    for row, attribution in zip(x, found, strict=True):
        score, everything = logit(model, 1), {0, 1, 2}
        values = [score(row) - literal(score, row, LABELS, everything - {g}, others) for g in range(3)]
        torch.testing.assert_close(attribution, spread_over(values, LABELS))


def test_segments_of_an_image_are_hidden_whole():
    segments = torch.tensor([[[0, 0, 1], [2, 2, 1]]])
    x = torch.full((1, 1, 2, 3), 2.0)
    found = explain(lambda x: x.flatten(1).prod(1), x, method="feature_ablation", groups=segments)
    assert found.tolist() == [[[[32.0] * 3] * 2]]
