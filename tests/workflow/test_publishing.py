"""What the head of a report says about a correction."""

import pytest

from corrigible.reporting import ReportedModel
from corrigible.types import Measurement
from corrigible.workflow.publishing import _summary


@pytest.mark.parametrize(
    ("after", "ends", "expected"),
    [
        (0.75, (0.1, 0.4), "Accuracy rose from 0.500 to 0.750 (change +0.100 to +0.400)."),
        (0.25, (-0.4, -0.1), "Accuracy fell from 0.500 to 0.250 (change -0.400 to -0.100)."),
        (0.52, (-0.007, 0.04), "Accuracy may not have changed: from 0.500 to 0.520 (change -0.007 to +0.040)."),
        (0.75, (None, None), "Accuracy rose from 0.500 to 0.750."),
    ],
)
def test_a_change_is_said_to_be_one_where_its_interval_leaves_out_0(after, ends, expected):
    def model(value: float) -> ReportedModel:
        return ReportedModel("m", (Measurement("accuracy", value),))

    change = Measurement("accuracy", after - 0.5, low=ends[0], high=ends[1])
    assert list(_summary([model(0.5), model(after)], [change])) == [expected]
