"""Two charts of bars beside each other have one scale, and all of both fits on it."""

import pandas as pd
import pytest

from ui.chart_scale import one_scale, round_ends
from ui.charts import bars
from ui.palette import LIGHT


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [
        (-0.0101, 0.322, (-0.1, 0.4, 0.1)),
        (0.0, 0.439, (0.0, 0.5, 0.1)),
        (-3.0, 700.0, (-200.0, 800.0, 200.0)),
        (-0.00012, 0.0, (-0.00015, 0.0, 0.00005)),
        (0.0, 0.0, (0.0, 1.0, 1.0)),
    ],
)
def test_ends_are_round_and_hold_everything(low: float, high: float, ends: tuple[float, ...]) -> None:
    found = round_ends(low, high)
    assert (found["min"], found["max"], found["interval"]) == ends
    assert found["min"] <= low and found["max"] >= high


def _bars(values: pd.Series) -> dict[str, object]:
    frame = pd.DataFrame({"table": [f"t{n}" for n in range(len(values))], "value": values})
    return bars(frame, label="table", value="value", title="x", palette=LIGHT, signed=True)


def test_charts_beside_each_other_have_one_scale() -> None:
    one, other = pd.Series([0.4, 0.01, 0.2]), pd.Series([0.1, -0.3, 0.55])
    left, right = one_scale(_bars(one), one, other), one_scale(_bars(other), other, one)
    assert left["xAxis"] == right["xAxis"]
    axis = left["xAxis"]
    assert axis["min"] < -0.3 and axis["max"] >= 0.55
    assert (axis["max"] - axis["min"]) / axis["interval"] == pytest.approx(
        round((axis["max"] - axis["min"]) / axis["interval"])
    )
    assert {key: value for key, value in left.items() if key != "xAxis"} == {
        key: value for key, value in _bars(one).items() if key != "xAxis"
    }
