"""How much of what a table says goes through its rows as their encoder reads them, and how much past it.

What is summed up of all related rows goes past the encoder, and so do the curves of the row's own cells: an encoder's
masks speak of what it reads alone.

Axis letters: K questions, G groups, N rows, C columns, O outputs.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.explain.ablation import values
from nexusflow.explain.explanation import ROWS, Floats, RowsRead
from nexusflow.explain.hiding import Ways, said

THROUGH, PAST = "(all that is read of its rows)", "(all that goes past them)"


def rows_read(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    table: str,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> RowsRead:
    """What of this table goes through the rows that are read, over these examples; HidingStopped where asked to stop.

    The share is of the mean squares of two Shapley values per example, of the rows and of what goes past them, each as
    its difference from the mean over the examples: what is the same for every row tells no row from another.
    """
    columns = reader.layout.tables[table].columns
    groups = _ways(reader, table)
    count = len(columns)
    hidden_KG = np.zeros((count + 4, count + 2), dtype=bool)
    hidden_KG[:count, :count] = np.eye(count, dtype=bool)
    # The last four hide nothing, the rows, what goes past them, and both.
    hidden_KG[[count + 1, count + 3], count] = True
    hidden_KG[[count + 2, count + 3], count + 1] = True
    logit_KNO = said(
        trained, reader, index_N, groups, hidden_KG, should_stop=should_stop, on_progress=on_progress
    )
    whole, no_rows, no_past, neither = logit_KNO[count:]
    through = _energy((whole - no_rows) + (no_past - neither))
    past = _energy((whole - no_past) + (no_rows - neither))
    value_KN = values(trained, np.concatenate([whole[None], logit_KNO[:count]]))
    return RowsRead(
        columns=columns,
        share=through / (through + past) if through + past > 0 else float("nan"),
        change_C=np.abs(value_KN[1:] - value_KN[:1]).mean(axis=1),
        asked=len(index_N),
    )


def _ways(reader: Reader, table: str) -> Ways:
    """Each column by the rows alone; all columns by the rows; and all that is said of the table past them."""
    columns = [(table, column) for column in reader.layout.tables[table].columns]
    sources = reader.summary_source()
    summed = {(reader.layout.roles[s.role].table, s.column or ROWS) for s in sources}
    past = frozenset(columns) | {key for key in summed if key[0] == table}
    nothing: frozenset[tuple[str, str]] = frozenset()
    return Ways(
        keys=(*columns, (table, THROUGH), (table, PAST)),
        rows=(*(frozenset({key}) for key in columns), frozenset(columns), nothing),
        beside=(*(nothing for _ in columns), nothing, past),
    )


def _energy(moved_NO: Floats) -> float:
    """The mean square of the difference from the mean over examples."""
    return float(((moved_NO - moved_NO.mean(axis=0)) ** 2).sum(axis=1).mean()) if len(moved_NO) else 0.0
