"""What is said of the rows that a picture is of: how many, which, and that few may be chance."""

import pytest

from nexusflow.services.segments import FEW, Segment, Split
from ui.see_segments import Chosen, size_notes, split_name


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        (Chosen(rows=None, part="test", what="", key="all"), "A mean over 1,200 test rows"),
        (
            Chosen(rows=(1,), part="test", what=" (`plan`: `basic`)", key="3_1"),
            "A mean over 1,200 test rows (`plan`: `basic`)",
        ),
        (Chosen(rows=(1,), part="test", what="the row `c1`", key="row_1"), "Of the row `c1` alone"),
    ],
)
def test_a_picture_says_of_which_rows_it_is(chosen: Chosen, told: str) -> None:
    assert chosen.told(1200) == told


def test_small_segments_and_cut_ones_are_told() -> None:
    few = Segment(name="a", rows=tuple(range(FEW - 1)), size=FEW - 1)
    assert f"only {FEW - 1} rows" in size_notes(few)
    cut = Segment(name="a", rows=tuple(range(256)), size=1300)
    assert size_notes(cut) == "256 of its 1,300 rows are looked at, the same every time."
    assert size_notes(Segment(name="a", rows=tuple(range(FEW)), size=FEW)) == ""


def test_a_split_is_named_by_its_column() -> None:
    assert split_name(Split(by="prediction")) == "prediction"
    assert split_name(Split(by="column", column="plan")) == "plan"
    assert Split(by="column", column="prediction").id != Split(by="prediction").id
