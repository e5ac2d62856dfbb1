"""What the masks of a table can speak of: how much of what it says goes through the rows that TabNet reads."""

import json
from typing import TYPE_CHECKING

import numpy as np

from nexusflow.explain.explanation import RowsRead
from nexusflow.services.columns import ROWS_HIDDEN
from nexusflow.services.insight import Insight, OnProgress, ShouldStop, never, silent
from nexusflow.services.storage import write_bytes

if TYPE_CHECKING:
    from pathlib import Path

# From this share on the masks speak of most of what a table says.
MOST = 0.5
LEAST = 0.005


def rows_read(
    insight: Insight, table: str, *, should_stop: ShouldStop = never, on_progress: OnProgress = silent
) -> RowsRead:
    """How much of what a table says goes through the rows that its encoder reads, over a sample; kept with the run."""
    from nexusflow.explain.rows_read import rows_read as measured

    path = insight.folder / f"rows-read-{list(insight.reader.layout.tables).index(table)}.json"
    if not path.is_file():
        found = measured(
            insight.trained,
            insight.reader,
            insight.sample(ROWS_HIDDEN),
            table,
            should_stop=should_stop,
            on_progress=on_progress,
        )
        _write(path, found)
    kept = json.loads(path.read_text(encoding="utf-8"))
    return RowsRead(
        columns=tuple(kept["columns"]),
        share=kept["share"],
        change_C=np.asarray(kept["change_C"], dtype=np.float64),
        asked=kept["asked"],
    )


def reach_sentence(read: RowsRead, *, own: bool) -> str:
    """How much of what a table says the masks speak of, in plain text; `own` where it is the table that is asked
    about."""
    if np.isnan(read.share):
        return "Nothing that is read of this table moves the answers, so that its masks say nothing of them."
    share, only = f"{read.share:.0%}", f"Only {read.share:.0%}" if read.share >= LEAST else "Less than 1%"
    past = "cell by cell, or summed up over related rows" if own else "summed up over all related rows"
    if read.share >= MOST:
        return (
            f"{share} of what this table says to the answers goes through the rows that TabNet reads, of "
            f"which its masks speak; the rest goes past them, {past}."
        )
    return (
        f"{only} of what this table says to the answers goes through the rows that TabNet reads, and its masks "
        f"speak of that part alone: the rest goes past them, {past}."
    )


def _write(path: "Path", read: RowsRead) -> None:
    data = {**vars(read), "change_C": read.change_C.tolist()}
    write_bytes(path, json.dumps(data).encode())
