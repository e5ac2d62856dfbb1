"""The table of models has the columns that fit, and those in which its lines differ."""

import pandas as pd

from ui.versions import SHOWN, columns_shown


def _frame(**others: list[str]) -> pd.DataFrame:
    same = {name: [1, 2] for name in SHOWN}
    return pd.DataFrame(
        {**same, "Question": ["left"] * 2, "Regime": ["Rolling"] * 2, "Baseline": ["x", "y"], **others}
    )


def test_what_is_the_same_of_every_run_takes_no_room() -> None:
    assert columns_shown(_frame()) == list(SHOWN)
    assert columns_shown(_frame().head(1)) == list(SHOWN)
    assert columns_shown(_frame(Regime=["Rolling", "Frozen"])) == [*SHOWN, "Regime"]
    assert columns_shown(_frame(Question=["left", "spends"], Regime=["Rolling", "Frozen"])) == [
        *SHOWN,
        "Question",
        "Regime",
    ]
