"""Keys that a database declares, in the place of those that would be guessed."""

from collections.abc import Sequence

from nexusflow.data.foreign import Evidence
from nexusflow.data.tables import TableSet

DECLARED = "declared in the database"


def declared_primary_keys(tables: TableSet, guessed: Sequence[Evidence]) -> list[Evidence]:
    """One key per table at most: the declared one, else the guessed one."""
    keys = {evidence.table: evidence for evidence in guessed}
    for table, columns in tables.declared.primary_keys.items():
        keys[table] = Evidence(
            subject="primary key", table=table, columns=columns, score=1.0, facts=(DECLARED,)
        )
    return [keys[name] for name in tables if name in keys]


def declared_foreign_keys(tables: TableSet, guessed: Sequence[Evidence]) -> list[Evidence]:
    """The declared keys, then those guessed for columns of which nothing is declared."""
    declared = [
        Evidence(
            subject="foreign key",
            table=key.child_table,
            columns=key.child_columns,
            score=1.0,
            facts=(DECLARED,),
            foreign_key=key,
        )
        for key in tables.declared.foreign_keys
    ]
    spoken = {
        (key.child_table, column) for key in tables.declared.foreign_keys for column in key.child_columns
    }
    return declared + [e for e in guessed if not any((e.table, column) in spoken for column in e.columns)]
