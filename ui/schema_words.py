"""How keys are named on the Schema page, as Markdown that is safe to print."""

from collections.abc import Sequence

from nexusflow.data.infer import Evidence
from nexusflow.data.schema import ForeignKey
from ui.escape import code


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
