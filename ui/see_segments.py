"""Of which rows a picture on Interpret is: all that are sampled, a segment of them, or one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from nexusflow.services.insight import Insight
from nexusflow.services.segments import Segment, Split, one_row, segments, splits
from ui import state
from ui.escape import code, counted, plain

ALL, ROW = "all", "row"
LISTED = 200
T = TypeVar("T")
TITLES = {"prediction": "By prediction", "error": "By error"}


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The rows that were chosen (None: a sample of all), what they are in Markdown, and a key that no others have."""

    rows: tuple[int, ...] | None
    part: str
    what: str
    key: str

    def told(self, used: int) -> str:
        """Of what a picture over so many of these rows is, in Markdown, to begin a sentence."""
        if self.key.startswith(ROW):
            return f"Of {self.what} alone"
        return f"A mean over {counted(used, f'{self.part} row')}{self.what}"


def choose_rows(insight: Insight) -> Chosen | None:
    """Two fields that choose the rows, the same on every tab; None, and it is said why, where there are none."""
    parting = {split.id: split for split in splits(insight)}
    left, right, far = st.columns([1, 1, 1])
    options = [ALL, *parting, ROW]
    names = {ALL: "All sampled rows", ROW: "One row"}
    by = kept_selectbox(
        left, "Rows", options, "rows_by", lambda one: names.get(one) or split_title(insight, parting[one])
    )
    part = str(insight.sampled_part)
    if by == ALL:
        return Chosen(rows=None, part=part, what="", key=ALL)
    if by == ROW:
        return _chosen_row(insight, right, far)
    split = parting[by]
    found = segments(insight, split)
    number = kept_selectbox(
        right,
        "Segment",
        list(range(len(found))),
        f"rows_segment_{options.index(by)}",
        lambda n: f"{plain(found[n].name)} · {counted(found[n].size, 'row')}",
    )
    segment = found[number]
    if not segment.rows:
        st.info(f"No {part} row is in the segment {code(segment.name)}.", icon=":material/search_off:")
        return None
    notes = size_notes(segment)
    if notes:
        st.caption(notes)
    return Chosen(
        rows=segment.rows,
        part=part,
        what=f" ({code(split_name(split))}: {code(segment.name)})",
        key=f"{options.index(by)}_{number}",
    )


def size_notes(segment: Segment) -> str:
    """What must be said of a segment's number of rows; empty where it is neither small nor cut."""
    if segment.few:
        return (
            f":material/warning: This segment has only {counted(segment.size, 'row')}: "
            "what is shown of so few may be chance."
        )
    if len(segment.rows) < segment.size:
        return f"{len(segment.rows):,} of its {segment.size:,} rows are looked at, the same every time."
    return ""


def split_name(split: Split) -> str:
    """What parts the rows."""
    return split.column or split.by


def split_title(insight: Insight, split: Split) -> str:
    """A way to part the rows as it is printed in a list."""
    if split.by in TITLES:
        return TITLES[split.by]
    task = insight.trained.preprocessing.task
    told = ""
    if split.role:
        told = f" ({plain(insight.roles[split.role])})"
    elif split.column == task.target_column:
        told = " (the target)"
    return f"By {plain(split.column)}{told}"


def kept_selectbox(
    column: st.delta_generator.DeltaGenerator,
    label: str,
    options: Sequence[T],
    key: str,
    named: Callable[[T], str],
) -> T:
    """A field that keeps its choice also while its tab is not drawn."""
    state.recall_choice(key, options)
    chosen = column.selectbox(label, options, format_func=named, key=key)
    state.keep_choice(key, chosen)
    return chosen


def _chosen_row(
    insight: Insight, left: st.delta_generator.DeltaGenerator, right: st.delta_generator.DeltaGenerator
) -> Chosen | None:
    search = left.text_input("Search the key", key="rows_search")
    part = str(insight.sampled_part)
    found = insight.rows(part=part, search=search).head(LISTED)
    if found.empty:
        st.info(f"No {part} row's key holds this text.", icon=":material/search_off:")
        return None
    keys = dict(zip(found["row"].tolist(), found["key"].map(plain), strict=True))
    row = int(kept_selectbox(right, "Row", list(keys), "rows_row", keys.__getitem__))
    segment = one_row(insight, row)
    return Chosen(rows=segment.rows, part=part, what=f"the row {code(segment.name)}", key=f"{ROW}_{row}")
