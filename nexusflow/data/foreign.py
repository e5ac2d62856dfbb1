"""Foreign keys that names and values suggest: most values are found in a unique key of the parent."""

from collections.abc import Mapping
from dataclasses import dataclass

from nexusflow.data.facts import ColumnFacts, Facts
from nexusflow.data.keys import match_keys
from nexusflow.data.names import key_likeness, name_likeness, refers_within
from nexusflow.data.schema import ForeignKey
from nexusflow.data.tables import TableSet

# How much must be contained where names agree, where they hint, and where only the values speak.
NAMED, HINTED, UNNAMED = 0.5, 0.9, 0.95
CLEAR_NAME = 0.6
# Few or very short values are found in many keys by chance.
FEWEST_VALUES, SHORTEST_TEXT = 3, 2.0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Why something is proposed: where, how sure (0 to 1), and the facts as short sentences.

    `subject` is `primary key`, `foreign key`, `time column` or `kind`.
    """

    subject: str
    table: str
    columns: tuple[str, ...]
    score: float
    facts: tuple[str, ...]
    foreign_key: ForeignKey | None = None


def find_foreign_keys(
    tables: TableSet, facts: Facts, primary: Mapping[str, tuple[str, ...]]
) -> list[Evidence]:
    """The likeliest parent of each column, then the composite keys, in the order of tables and columns."""
    found = []
    for child, table in tables.items():
        for column in table.columns:
            guesses = [
                guess
                for parent, key in primary.items()
                if len(key) == 1 and (guess := _single(facts, primary, child, column, parent, key[0]))
            ]
            if guesses:
                found.append(max(guesses, key=lambda e: (e.score, _parent_likeness(e), str(e.foreign_key))))
    for child in tables:
        for parent, key in primary.items():
            if len(key) > 1:
                found += _composite(tables, child, parent, key)
    return found


def refers_unnamed(column: ColumnFacts, key: ColumnFacts) -> bool:
    """Whether the values alone speak for referring to a key: several texts, nearly all found in it."""
    if (
        column.numeric
        or key.numeric
        or not FEWEST_VALUES <= len(column.distinct) <= len(key.distinct) / UNNAMED
    ):
        return False
    return column.length >= SHORTEST_TEXT and column.share_in(key, UNNAMED) >= UNNAMED


def _parent_likeness(evidence: Evidence) -> float:
    key = evidence.foreign_key
    return key_likeness(key.parent_table, key.parent_columns[0]) if key else 0.0


def _single(
    facts: Facts, primary: Mapping[str, tuple[str, ...]], child: str, column: str, parent: str, key: str
) -> Evidence | None:
    values, targets = facts[child][column], facts[parent][key]
    if (
        not values.keyable
        or values.times
        or values.numeric != targets.numeric
        or values.missing == values.rows
    ):
        return None
    if child == parent and (column == key or not refers_within(parent, key, column)):
        return None
    likeness = 1.0 if child == parent else name_likeness(column, parent, key)
    if primary.get(child) == (column,) and not _extends(values, targets, likeness):
        return None
    if likeness < CLEAR_NAME and values.numeric:
        return None
    if likeness == 0:
        if not refers_unnamed(values, targets):
            return None
        share = values.share_in(targets)
    else:
        least = NAMED if likeness >= CLEAR_NAME else HINTED
        share = values.share_in(targets, least)
        if share < least:
            return None
    told = [f"{share:.1%} of {len(values.distinct):,} different values are found in {parent}.{key}"]
    if child == parent:
        told.append("its name speaks of another row of the same table")
    elif likeness > 0:
        told.append("the names agree" if likeness == 1 else "the names are alike")
    told.append(f"{parent}.{key} is unique")
    foreign = ForeignKey(
        child_table=child, child_columns=(column,), parent_table=parent, parent_columns=(key,)
    )
    score = round(share * (0.7 + 0.3 * likeness), 4)
    return Evidence(
        subject="foreign key",
        table=child,
        columns=(column,),
        score=score,
        facts=tuple(told),
        foreign_key=foreign,
    )


def _extends(child: ColumnFacts, parent: ColumnFacts, likeness: float) -> bool:
    """Whether a table's own key may also refer to a parent (one row each), and not the other way round."""
    if likeness < 1.0:
        return False
    mine, theirs = key_likeness(child.table, child.name), key_likeness(parent.table, parent.name)
    if mine != theirs:
        return mine < theirs
    here, there = (len(child.distinct), child.table), (len(parent.distinct), parent.table)
    return here < there


def _composite(tables: TableSet, child: str, parent: str, key: tuple[str, ...]) -> list[Evidence]:
    if child == parent or any(part not in tables[child].columns for part in key):
        return []
    rows = tables[child].select(key).dropna().drop_duplicates()
    share = float((match_keys(tables[parent].select(key), key, rows, key) >= 0).mean()) if len(rows) else 0.0
    if share < NAMED:
        return []
    foreign = ForeignKey(child_table=child, child_columns=key, parent_table=parent, parent_columns=key)
    told = (
        f"{share:.1%} of {len(rows):,} different combinations are found in {parent}",
        "the columns have the same names",
        f"together they are unique in {parent}",
    )
    return [
        Evidence(
            subject="foreign key",
            table=child,
            columns=key,
            score=round(share, 4),
            facts=told,
            foreign_key=foreign,
        )
    ]
