"""The tables that a run was trained on, read as its model reads them: one way in for pages and for programs."""

from typing import TYPE_CHECKING

from nexusflow.data.asking import asked_tables
from nexusflow.data.tables import TableSet
from nexusflow.errors import DataError
from nexusflow.services.data_cache import data_cache
from nexusflow.services.prediction import scoreable

if TYPE_CHECKING:
    from nexusflow.artifact import TrainedModel
    from nexusflow.data.reader import Reader


def run_reader(trained: "TrainedModel", tables: TableSet) -> "Reader":
    """A reader of every row that the run knew; DataError where a table is not the one that it was trained on."""
    from nexusflow.data.reader import Reader

    task, known = trained.preprocessing.task, trained.run.data_sha256
    for name, digest in known.items():
        there = name in tables
        if (not there or tables[name].sha256 != digest) and not (
            task.over_time and name == task.entity_table
        ):
            state = "has changed since" if there else "is no longer there, as it was when"
            raise DataError(
                f"Table {name!r} {state} this run was trained. Upload the same file again, or train again."
            )
    asked, _ = asked_tables(tables, trained.preprocessing.schema, task)
    if task.over_time and asked[task.entity_table].sha256 != known[task.entity_table]:
        raise DataError("The rows that the question asks about have changed since this run. Train again.")
    examples, _ = scoreable(trained.preprocessing, asked)
    return Reader(trained.preprocessing, asked, examples, data_cache(asked))
