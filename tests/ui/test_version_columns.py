"""The table of models has the columns that fit, and those in which its lines differ."""

import pandas as pd
import pytest

from ui.versions import GIVE_WAY, ROOM, SHOWN, WIDTHS, columns_shown


def _frame(**others: list[str]) -> pd.DataFrame:
    same = {name: [1, 2] for name in SHOWN}
    return pd.DataFrame(
        {**same, "Question": ["left"] * 2, "Regime": ["Rolling"] * 2, "Baseline": ["x", "y"], **others}
    )


def test_what_is_the_same_of_every_run_takes_no_room() -> None:
    assert columns_shown(_frame()) == list(SHOWN)
    assert columns_shown(_frame().head(1)) == list(SHOWN)


@pytest.mark.parametrize("more", [(), ("Regime",), ("Question",), ("Question", "Regime")])
def test_what_differs_is_shown_and_all_that_is_shown_has_room(more: tuple[str, ...]) -> None:
    shown = columns_shown(_frame(**{name: ["a", "b"] for name in more}))
    assert shown[len(shown) - len(more) :] == list(more)
    assert sum(WIDTHS[name] for name in shown) <= ROOM
    assert set(SHOWN) - set(shown) <= set(GIVE_WAY)
    assert shown == [name for name in [*SHOWN, *more] if name in shown]
