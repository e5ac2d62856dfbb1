"""The way to a table in one line of a chart."""

from hypothesis import given
from hypothesis import strategies as st

from ui.escape import plain
from ui.see_relations import ARROW, LABEL, path_label

names = st.lists(st.text(min_size=1, max_size=90), min_size=1, max_size=3).map(tuple)


@given(names)
def test_a_path_fits_and_shows_how_its_last_name_begins(path: tuple[str, ...]) -> None:
    label = path_label(path)
    assert len(label) <= LABEL
    last = plain(path[-1])
    shown = label.split(ARROW)[-1] if ARROW not in last else label[-LABEL // 2 :]
    assert last.startswith(shown.removesuffix("…").rstrip()) or ARROW in last


def test_short_names_are_whole_and_long_ones_leave_the_last_its_half() -> None:
    assert path_label(("orders",)) == "orders"
    assert path_label(("orders", "items", "products")) == "orders → items → products"
    first, last = path_label(("a" * 60, "b" * 60)).split(ARROW)
    assert len(last) >= LABEL // 2 and first.endswith("…")
