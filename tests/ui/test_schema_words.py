"""Relations in figures, as sentences."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.relations import relate
from nexusflow.data.schema import ForeignKey
from nexusflow.data.tables import Table, TableSet
from ui.schema_words import share, stats_text

KEY = ForeignKey(child_table="c", child_columns=("p",), parent_table="p", parent_columns=("id",))


def told(parents: list[int], children: list[float | None]) -> str:
    """The figures of children that refer to parents."""
    frames = {"p": pd.DataFrame({"id": parents}), "c": pd.DataFrame({"p": children}, dtype="float64")}
    tables = {name: Table(name=name, frame=frame) for name, frame in frames.items()}
    return stats_text(relate(TableSet(tables=tables), KEY))


def test_every_figure_is_told_in_words() -> None:
    text = told([1, 2, 3, 4], [1, 1, 1, 2, 9, None])
    assert text == (
        "N:1 · 80 % of 5 filled-in rows match · 1 row without a parent · 1 empty · "
        "children per parent: median 2, 99 % at most 3, most 3 · 50 % of parents have none"
    )
    assert told([1, 2], [1, 2]).startswith("1:1 · 100 % of 2 filled-in rows match · children per parent")
    assert told([1, 1], [1]).startswith("N:M") and "1 repeated parent" in told([1, 1], [1])
    assert told([1], [None]) == "N:1 · no row is filled in · 100 % of parents have none"


@given(st.floats(0, 1))
def test_a_share_is_none_or_all_only_where_it_is(part: float) -> None:
    number = int(share(part).split()[0])
    assert (number == 0) == (part == 0) and (number == 100) == (part == 1)
    assert abs(number - 100 * part) <= 1
