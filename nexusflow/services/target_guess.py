"""Which column one would want to predict, where nobody has said: a guess by names and values, with its reasons."""

from dataclasses import dataclass

from nexusflow.config_problems import nearest
from nexusflow.data.examples import resolve_task
from nexusflow.data.names import words_of
from nexusflow.data.schema import Kind, Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.errors import ConfigError, NexusFlowError, Problem, Severity

NAMES = frozenset(
    {
        *(
            "target",
            "label",
            "outcome",
            "response",
            "y",
            "class",
            "churn",
            "churned",
            "left",
            "leaves",
            "risk",
        ),
        *("default", "defaulted", "fraud", "fraudulent", "converted", "conversion", "cancelled", "canceled"),
        *(
            "survived",
            "delayed",
            "late",
            "returned",
            "bought",
            "won",
            "lost",
            "attrition",
            "success",
            "failed",
            "lapsed",
            "quit",
            "resigned",
            "retained",
            "renewed",
            "overdue",
            "readmitted",
            "died",
        ),
    }
)
CUTOFF_NAMES = frozenset({"snapshot", "cutoff", "asof", "reference", "observed", "observation"})


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A column that could be the target, and what speaks for it."""

    table: str
    column: str
    score: float
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


def guess_targets(tables: TableSet, schema: Schema) -> tuple[Guess, ...]:
    """Columns that can be predicted, the likeliest first; none where there is no such column."""
    parents = {key.parent_table for key in schema.foreign_keys}
    found = []
    for name, table in schema.tables.items():
        for column in table.columns:
            if column.kind not in (Kind.CATEGORICAL, Kind.NUMERIC):
                continue
            distinct = int(tables[name].column(column.name).nunique())
            named = bool(NAMES & set(words_of(column.name)))
            facts = {
                "its name": 3.0 * named,
                "it has two values": 1.0 * (distinct == 2),
                "other tables refer to its table": 1.0 * (name in parents),
            }
            # A category is a likelier question than a number, which has many values.
            usual = 0.3 * (column.kind is Kind.CATEGORICAL)
            if distinct > 1:
                reasons = tuple(reason for reason, score in facts.items() if score)
                score = sum(facts.values()) + usual
                found.append(Guess(table=name, column=column.name, score=score, reasons=reasons))
    ranked = sorted(found, key=lambda one: -one.score)
    return tuple(one for one in ranked if _can_be_asked(tables, schema, one))


def _can_be_asked(tables: TableSet, schema: Schema, guess: Guess) -> bool:
    try:
        resolve_task(tables, schema, guess.table, guess.column)
    except NexusFlowError:
        return False
    return True


def named_target(tables: TableSet, text: str) -> tuple[str, str]:
    """Table and column of `table.column`; the table's name may have dots. ConfigError with the nearest names."""
    for name in sorted(tables, key=len, reverse=True):
        for start in (f"{name}.", *(f"{name}{ending}." for ending in (".csv", ".parquet", ".tsv"))):
            column = text.removeprefix(start)
            if column != text and column in tables[name].columns:
                return name, column
    name, dot, column = text.partition(".")
    if not dot or not column:
        raise _refused(f"it takes TABLE.COLUMN, such as customers.churned; it was given {text!r}.", "")
    if name not in tables:
        raise _refused(f"there is no table {name!r}.", nearest(name, tables, "The tables are"))
    columns = tables[name].columns
    raise _refused(f"table {name!r} has no column {column!r}.", nearest(column, columns, "Its columns are"))


def task_of(tables: TableSet, schema: Schema, table: str, column: str) -> Task:
    """The task of predicting this column, as of a date column of its table whose name says that it is one."""
    times = [c.name for c in schema[table].columns if c.kind is Kind.TIMESTAMP]
    cutoff = next((name for name in times if CUTOFF_NAMES & set(words_of(name))), None)
    return resolve_task(tables, schema, table, column, cutoff_column=cutoff)


def _refused(message: str, fix: str) -> ConfigError:
    return ConfigError(Problem(severity=Severity.ERROR, message=f"--target: {message}", fix=fix))
