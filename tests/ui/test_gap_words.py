"""A gap above one percent is told in red."""

from ui.gap import SMALL, gap_words


def test_a_large_gap_is_red_and_a_small_one_is_not():
    assert gap_words(SMALL, "all but {}") == "all but 1.00%"
    assert gap_words(2 * SMALL, "all but {}").startswith(":red[") and "2.00%" in gap_words(
        2 * SMALL, "all but {}"
    )
