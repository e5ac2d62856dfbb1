"""Primary keys that the values allow and the names, or other tables, suggest."""

import math
from itertools import combinations

from nexusflow.data.facts import ColumnFacts, Facts
from nexusflow.data.foreign import Evidence, refers_unnamed
from nexusflow.data.names import is_general, is_key_word_name, key_likeness, refers_within, words_of
from nexusflow.data.tables import Table, TableSet

MOST_PARTS, MOST_CANDIDATES = 3, 10
QUICK_LOOK = 20_000
# What the key of another table counts at most where it is unique here too: less than a number named for this one.
BORROWED = 0.75


def find_primary_keys(tables: TableSet, facts: Facts) -> list[Evidence]:
    """At most one per table: a single column, or else the shortest composite of key-looking columns."""
    found = []
    for name, table in tables.items():
        best = _single(name, facts)
        columns = (best[0],) if best else _composite(table, facts)
        if columns:
            told = [f"every one of {len(table):,} rows has a value of its own", "no value is missing"]
            told += [best[1]] if best else ["no single column is unique and looks like a key"]
            score = best[2] if best else 0.8
            evidence = Evidence(
                subject="primary key", table=name, columns=columns, score=score, facts=tuple(told)
            )
            found.append(evidence)
    return found


def _single(table: str, facts: Facts) -> tuple[str, str, float] | None:
    """The column, the fact that speaks for it, and how much."""
    candidates = []
    for column in facts[table].values():
        if not column.keyable or column.times or not column.unique:
            continue
        likeness, (referred, fact) = key_likeness(table, column.name), _referred(column, facts)
        score = max(likeness, referred)
        if score > 0:
            told = "its name is that of a key" if likeness >= referred else fact
            weight = min(score, BORROWED) if _is_key_elsewhere(column, likeness, facts) else score
            candidates.append(((-weight, -referred, column.length, column.name), told, score))
    if not candidates:
        return None
    (*_, name), told, score = min(candidates)
    return name, told, round(score, 4)


def _is_key_elsewhere(column: ColumnFacts, likeness: float, facts: Facts) -> bool:
    """Whether another table has a unique column of this name, whose name is more that of its key than of this one's."""
    words = words_of(column.name)
    return not is_general(column.name) and any(
        words_of(other.name) == words and key_likeness(table, other.name) > likeness and other.unique
        for table, columns in facts.items()
        if table != column.table
        for other in columns.values()
    )


def _referred(key: ColumnFacts, facts: Facts) -> tuple[float, str]:
    """Whether another column refers to this one, by its name or by its values."""
    best = (0.0, "")
    for column in facts[key.table].values():
        within = column.keyable and refers_within(key.table, key.name, column.name) and not column.unique
        if within and column.share_in(key, 0.5) >= 0.5:
            best = (0.6, f"the values of {column.name} are found in it")
    words = [] if is_general(key.name) else words_of(key.name)
    for table, columns in facts.items():
        for column in columns.values():
            if table == key.table or not column.keyable or column.times or column.numeric != key.numeric:
                continue
            same = bool(words) and words_of(column.name) == words
            # What the values say is asked last: it is dear.
            if same and not column.unique and column.share_in(key, 0.5) >= 0.5:
                best = max(best, (0.9, f"{table} has a column of the same name and values"))
            elif best[0] < 0.7 and not column.numeric and not column.unique and refers_unnamed(column, key):
                best = (0.7, f"the values of {table}.{column.name} are found in it")
    return best


def _composite(table: Table, facts: Facts) -> tuple[str, ...]:
    mine = facts[table.name]
    shared = {c for other, columns in facts.items() if other != table.name for c in columns}
    weight = {
        c.name: 3 if is_key_word_name(c.name) else 1 if c.times or is_general(c.name) else 2
        for c in mine.values()
        if c.keyable and not c.missing and c.rows and (c.name in shared or is_key_word_name(c.name))
    }
    ranked = sorted(weight, key=lambda c: (-weight[c], c))[:MOST_CANDIDATES]
    groups = [g for n in range(2, MOST_PARTS + 1) for g in combinations(sorted(ranked), n)]
    for group in sorted(groups, key=lambda g: (len(g), -sum(weight[c] for c in g), g)):
        if not any(c in shared and not is_general(c) for c in group):
            continue
        # Times have many values, so that nearly any column beside one is unique.
        referable = any(set(group) <= set(facts[other]) for other in facts if other != table.name)
        if not referable and any(mine[c].times for c in group):
            continue
        if math.prod(len(mine[c].distinct) for c in group) >= len(table) and _unique_together(table, group):
            return tuple(c for c in table.columns if c in group)
    return ()


def _unique_together(table: Table, group: tuple[str, ...]) -> bool:
    frame = table.select(group)
    step = max(1, len(frame) // QUICK_LOOK)
    return not frame.iloc[::step].duplicated().any() and not frame.duplicated().any()
