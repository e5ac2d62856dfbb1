"""Charts of trust hold every bin and every point, misses apart, and nothing that JSON cannot hold."""

import json

import numpy as np
import pandas as pd
import pytest

from nexusflow.train.reliability import reliability
from ui.palette import DARK, LIGHT
from ui.trust_charts import POINTS_SHOWN, hiding_curves, interval_chart, reliability_chart


def test_reliability_has_a_point_and_a_range_per_bin_in_percent() -> None:
    rng = np.random.default_rng(0)
    chance = rng.uniform(0, 0.31, 400)
    frame = pd.DataFrame([vars(one) for one in reliability((rng.random(400) < chance) * 1.0, chance)])
    option = reliability_chart(frame, title="t", palette=LIGHT)
    observed, equal = option["series"]
    assert [point["value"] for point in observed["data"]] == [
        pytest.approx([100 * a, 100 * b], abs=0.01)
        for a, b in frame[["predicted", "observed"]].to_numpy().tolist()
    ]
    ends = [[end["coord"] for end in pair] for pair in observed["markLine"]["data"]]
    for (low, high), (_, line) in zip(ends, frame.iterrows(), strict=True):
        assert low[0] == high[0] == pytest.approx(100 * line["predicted"], abs=0.01)
        assert (low[1], high[1]) == pytest.approx((100 * line["low"], 100 * line["high"]), abs=0.01)
    most = option["xAxis"]["max"]
    assert 100 * frame[["predicted", "high"]].max().max() <= most < 100
    assert equal["data"] == [[0.0, 0.0], [most, most]]
    assert "40 rows said" in observed["data"][0]["name"]
    json.dumps(option, allow_nan=False)


def test_an_interval_chart_shows_hits_and_misses_in_two_colours() -> None:
    frame = pd.DataFrame(
        {
            "key": ["a\x00a", "b", "c"],
            "predicted": [3.0, 1.0, 2.0],
            "actual": [3.5, 9.0, -9.0],
            "low": [2.0, 0.0, 1.0],
            "high": [4.0, 2.0, 3.0],
        }
    )
    option = interval_chart(frame, title="t", palette=DARK)
    within, outside, low, high, equal = option["series"]
    assert [point["value"] for point in within["data"]] == [[3.0, 3.5]]
    assert sorted(point["value"] for point in outside["data"]) == [[1.0, 9.0], [2.0, -9.0]]
    assert within["color"] != outside["color"]
    assert low["data"] == [[1.0, 0.0], [2.0, 1.0], [3.0, 2.0]]
    assert high["data"] == [[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]]
    assert equal["data"] == [[1.0, 1.0], [3.0, 3.0]]
    assert within["data"][0]["name"] == "a\N{REPLACEMENT CHARACTER}a: predicted 3, actual 3.5"


@pytest.mark.parametrize("rows", [1, 5000])
def test_many_points_are_thinned_and_one_is_enough(rows: int) -> None:
    value = np.random.default_rng(0).normal(size=rows)
    frame = pd.DataFrame({"key": "k", "predicted": value, "actual": 0.0, "low": value - 1, "high": value + 1})
    option = interval_chart(frame, title="t", palette=LIGHT)
    assert sum(len(s["data"]) for s in option["series"][:2]) == min(rows, POINTS_SHOWN)
    json.dumps(option, allow_nan=False)


def test_showing_draws_the_other_curves_by_their_share() -> None:
    frame = pd.DataFrame(
        {
            "share": [0.0, 0.5, 1.0],
            "deletion": [0.0, 0.3, 0.4],
            "deletion_random": [0.0, 0.2, 0.4],
            "insertion": [0.4, 0.1, 0.0],
            "insertion_random": [0.4, 0.2, 0.0],
        }
    )
    for showing, first in ((False, [0.0, 0.3, 0.4]), (True, [0.4, 0.1, 0.0])):
        option = hiding_curves(frame, title="t", palette=LIGHT, showing=showing)
        assert [y for _, y in option["series"][0]["data"]] == first
        assert [x for x, _ in option["series"][1]["data"]] == [0.0, 50.0, 100.0]
        assert option["xAxis"]["name"].startswith("Shown" if showing else "Hidden")
