"""How keys and their figures are told on the Schema page, as Markdown that is safe to print."""

from collections.abc import Sequence

from nexusflow.data.infer import Evidence
from nexusflow.data.relations import RelationStats
from nexusflow.data.schema import ForeignKey
from ui.escape import code, counted


def subject_text(evidence: Evidence) -> str:
    """What a suggestion is about."""
    key = evidence.foreign_key
    return key_text(key) if key else end_text(evidence.table, evidence.columns)


def key_text(key: ForeignKey) -> str:
    """A relation."""
    return (
        f"{end_text(key.child_table, key.child_columns)} → {end_text(key.parent_table, key.parent_columns)}"
    )


def end_text(table: str, columns: Sequence[str]) -> str:
    """Columns of a table."""
    return code(f"{table}.{columns[0]}") if len(columns) == 1 else code(f"{table}({', '.join(columns)})")


def stats_text(stats: RelationStats) -> str:
    """A relation in figures: cardinality, matches, rows without a parent, and children per parent."""
    told: list[str] = [stats.cardinality]
    filled = stats.child_rows - stats.missing_rows
    if stats.match_rate is None:
        told.append("no row is filled in")
    else:
        told.append(f"{share(stats.match_rate)} of {counted(filled, 'filled-in row')} match")
    if stats.orphan_rows:
        told.append(f"{counted(stats.orphan_rows, 'row')} without a parent")
    if stats.missing_rows and filled:
        told.append(f"{stats.missing_rows:,} empty")
    if stats.repeated_parents:
        told.append(f"{counted(stats.repeated_parents, 'repeated parent')}")
    if stats.fanout_max:
        told.append(
            f"children per parent: median {_number(stats.fanout_median)}, "
            f"99 % at most {stats.fanout_p99:,.0f}, most {stats.fanout_max:,}"
        )
    if stats.childless_parents:
        told.append(f"{share(stats.childless_share)} of parents have none")
    return " · ".join(told)


def share(part: float) -> str:
    """A share in whole percent that is 0 or 100 only where it is none or all."""
    shown = round(100 * part)
    bounded = min(max(shown, 1), 99) if 0 < part < 1 else shown
    return f"{bounded} %"


def _number(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")
