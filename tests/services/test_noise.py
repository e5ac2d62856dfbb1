"""Which tables are said to be within noise, and what of the shares that is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nexusflow.explain.explanation import DeletionCheck
from nexusflow.services.keeping import kept_check
from nexusflow.services.noise import MOST_NAMED, noise_sentence, within_noise

CURVES = pd.DataFrame({"share": [0.0, 1.0], "deletion": [0.0, 0.2]})


def check(cost: list[float], error: list[float], shown: list[float], names: list[str], matters: bool = True):
    frame = pd.DataFrame(
        {"name": names, "shown": shown, "change": shown, "cost": cost, "cost_error": error},
    )
    return DeletionCheck(
        frame=frame,
        curves=CURVES,
        agreement=1.0,
        comprehensiveness=0.2,
        sufficiency=0.1,
        matters=matters,
        rows=256,
        faithful=matters,
        sentence="",
    )


THREE = check([0.2, 0.01, -0.003], [0.02, 0.006, 0.004], [0.9, 0.06, 0.04], ["orders", "visits", "clicks"])


def test_what_costs_no_more_than_two_errors_is_within_noise_and_its_share_is_told():
    assert within_noise(THREE) == ["visits", "clicks"]
    said = noise_sentence(THREE)
    assert "visits, clicks" in said and "orders" not in said
    assert "10.0%" in said and "256 rows" in said and "any one of them" in said


def test_shares_need_not_sum_to_one():
    tenfold = replace(THREE, frame=THREE.frame.assign(shown=10 * THREE.frame["shown"]))
    assert noise_sentence(tenfold) == noise_sentence(THREE)


def test_nothing_is_said_where_every_table_counts_or_it_cannot_be_told():
    helps = check([0.2, 0.1], [0.02, 0.01], [0.6, 0.4], ["orders", "tickets"])
    unknown = check([np.nan, np.nan], [np.nan, np.nan], [0.6, 0.4], ["orders", "tickets"])
    by_lot = replace(THREE, matters=False)
    assert [noise_sentence(one) for one in (helps, unknown, by_lot)] == ["", "", ""]


def test_of_many_tables_some_are_named_and_all_are_counted():
    names = [f"table {n}" for n in range(30)]
    said = noise_sentence(check([0.0] * 30, [0.01] * 30, [1 / 30] * 30, names))
    assert f"and {30 - MOST_NAMED} more" in said and "these 30 tables" in said and "100.0%" in said


@pytest.mark.parametrize("hostile", ["a\nb", "c\u202ed"])
def test_a_hostile_name_stands_in_one_plain_line(hostile):
    said = noise_sentence(check([0.0, 0.5], [0.1, 0.01], [0.5, 0.5], [hostile, "orders"]))
    assert "\n" not in said and "\u202e" not in said and "Hiding it makes" in said


def test_a_check_that_was_kept_before_costs_had_errors_is_made_again(tmp_path):
    path = tmp_path / "check.json"
    old = replace(THREE, frame=THREE.frame.drop(columns="cost_error"))
    kept_check(path, lambda: old)
    again = kept_check(path, lambda: THREE)
    assert "cost_error" in again.frame
    kept = kept_check(path, lambda: pytest.fail("it is kept"))
    pd.testing.assert_frame_equal(kept.frame, THREE.frame)
