"""The chart of the passes shows each pass with its range, also where there is but one."""

import json

import pandas as pd
import pytest

from ui.palette import DARK, LIGHT, Palette
from ui.pass_charts import movement_chart


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("count", [1, 4])
def test_every_pass_has_its_mean_within_its_own_range(palette: Palette, count: int) -> None:
    frame = pd.DataFrame(
        {
            "pass": range(2, count + 2),
            "mean": [0.2 / (n + 1) for n in range(count)],
            "low": [0.1 / (n + 1) for n in range(count)],
            "high": [0.4 / (n + 1) for n in range(count)],
            "running": [40 - n for n in range(count)],
        }
    )
    option = movement_chart(frame, title="t", palette=palette)
    json.dumps(option)
    line, low, spread = option["series"]
    assert option["xAxis"]["data"] == [f"Pass {n}" for n in frame["pass"]]
    assert [point["value"] for point in line["data"]] == pytest.approx(frame["mean"].to_list(), rel=5e-3)
    ends = [first["coord"] + last["coord"] for first, last in line["markLine"]["data"]]
    for place, (here, first, there, last) in enumerate(ends):
        assert here == there == place
        assert (first, last) == pytest.approx((frame["low"][place], frame["high"][place]), rel=5e-3)
        # The coloured band is stacked: from the low end up by the spread.
        assert low["data"][place] + spread["data"][place] == pytest.approx(last, rel=1e-2)
    assert "40 rows made it" in line["data"][0]["name"]
