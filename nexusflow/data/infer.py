"""A proposed schema for uploaded tables, each guess with the evidence for it. It only proposes: the user decides."""

from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from nexusflow.data.keys import match_keys
from nexusflow.data.kinds import guess_kind, looks_like_times
from nexusflow.data.names import key_likeness, name_likeness, refers_within
from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import TableSet

SAMPLE = 20_000
MOST_PARTS = 3
NAMED, UNNAMED = 0.5, 0.95
TIME_NAMES = ("timestamp", "datetime", "time", "date", "created", "at", "when", "opened", "day")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Why something is proposed: the subject (`primary key`, `foreign key`, `time column` or `kind`), where, how sure
    (0 to 1), and the facts as short sentences."""

    subject: str
    table: str
    columns: tuple[str, ...]
    score: float
    facts: tuple[str, ...]
    foreign_key: ForeignKey | None = None


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A whole schema, and the evidence for each of its parts."""

    schema: Schema
    evidence: tuple[Evidence, ...]


def propose(tables: TableSet) -> Proposal:
    """Primary keys, foreign keys, time columns and kinds that the names and values of the tables suggest."""
    primary, key_evidence = _primary_keys(tables)
    foreign = _foreign_keys(tables, primary)
    keys = tuple(e.foreign_key for e in foreign if e.foreign_key is not None)
    schemas, rest = {}, []
    for name in tables:
        schemas[name], evidence = _table_schema(tables, name, primary.get(name, ()), keys)
        rest += evidence
    schema = Schema(tables=schemas, foreign_keys=keys)
    return Proposal(schema=schema, evidence=(*key_evidence, *foreign, *rest))


def _usable(values: pd.Series) -> bool:
    """Whether a column could be part of a key: text, whole numbers or times."""
    if pd.api.types.is_bool_dtype(values):
        return False
    if pd.api.types.is_float_dtype(values):
        seen = values.dropna()
        return bool(len(seen)) and bool((seen % 1 == 0).all())
    return True


def _primary_keys(tables: TableSet) -> tuple[dict[str, tuple[str, ...]], list[Evidence]]:
    found: dict[str, tuple[str, ...]] = {}
    evidence = []
    for name, table in tables.items():
        frame = table.frame
        if not len(frame):
            continue
        complete = [c for c in frame.columns if _usable(frame[c]) and frame[c].notna().all()]
        single = [c for c in complete if not looks_like_times(frame[c]) and frame[c].is_unique]
        ranked = sorted(single, key=lambda c: (-key_likeness(name, c), list(frame.columns).index(c)))
        best = next((c for c in ranked if key_likeness(name, c) > 0 or c == frame.columns[0]), None)
        if best is not None:
            columns: tuple[str, ...] = (best,)
        else:
            shared = [c for c in complete if any(c in t.frame.columns for n, t in tables.items() if n != name)]
            columns = _unique_together(frame, shared)
        if columns:
            found[name] = columns
            facts = (f"every one of {len(frame):,} rows has a value of its own", "no value is missing")
            evidence.append(Evidence(subject="primary key", table=name, columns=columns, score=1.0, facts=facts))
    return found, evidence


def _unique_together(frame: pd.DataFrame, columns: list[str]) -> tuple[str, ...]:
    for parts in range(2, MOST_PARTS + 1):
        for group in combinations(columns, parts):
            if not frame.duplicated(list(group)).any():
                return group
    return ()


def _foreign_keys(tables: TableSet, primary: dict[str, tuple[str, ...]]) -> list[Evidence]:
    """One guess per child column and composite, the likeliest parent each; composites come last."""
    single: dict[tuple[str, str], Evidence] = {}
    composite: list[Evidence] = []
    for parent, key in primary.items():
        for child in tables:
            if len(key) > 1:
                composite += _composite(tables, child, parent, key)
                continue
            for column in tables[child].frame.columns:
                guess = _single(tables, primary, child, column, parent, key[0])
                best = single.get((child, column))
                if guess and (best is None or guess.score > best.score):
                    single[child, column] = guess
    return [*single.values(), *composite]


def _single(
    tables: TableSet, primary: dict[str, tuple[str, ...]], child: str, column: str, parent: str, key: str
) -> Evidence | None:
    if child == parent and (column == key or not refers_within(parent, key, column)):
        return None
    values, targets = tables[child].frame[column], tables[parent].frame[key]
    if not _usable(values) or looks_like_times(values) or looks_like_times(targets):
        return None
    numeric = pd.api.types.is_numeric_dtype(values)
    if numeric != pd.api.types.is_numeric_dtype(targets):
        return None
    likeness = 1.0 if child == parent else name_likeness(column, parent, key)
    if primary.get(child) == (column,) and (likeness < 1.0 or key_likeness(child, column) > likeness):
        return None
    share, distinct = _contained(values, targets)
    needed = NAMED if likeness > 0 else UNNAMED
    if share < needed or (likeness == 0 and (numeric or distinct < 2)):
        return None
    foreign = ForeignKey(child_table=child, child_columns=(column,), parent_table=parent, parent_columns=(key,))
    facts = [f"{share:.1%} of {distinct:,} different values are found in {parent}.{key}"]
    if likeness > 0:
        facts.append("the names agree" if likeness == 1 else "the names are alike")
    facts.append(f"{parent}.{key} is unique")
    score = round(share * (0.7 + 0.3 * likeness), 4)
    return Evidence(
        subject="foreign key", table=child, columns=(column,), score=score, facts=tuple(facts), foreign_key=foreign
    )


def _contained(values: pd.Series, targets: pd.Series) -> tuple[float, int]:
    """The share of a sample's distinct values that are among the targets, and how many those are."""
    distinct = pd.Series(values.dropna().unique())
    if not len(distinct):
        return 0.0, 0
    sample = distinct.sample(min(len(distinct), SAMPLE), random_state=0)
    if pd.api.types.is_numeric_dtype(values):
        return float(sample.astype("float64").isin(targets.astype("float64")).mean()), len(distinct)
    return float(sample.astype("str").isin(targets.astype("str")).mean()), len(distinct)


def _composite(tables: TableSet, child: str, parent: str, key: tuple[str, ...]) -> list[Evidence]:
    frame = tables[child].frame
    if child == parent or any(part not in frame.columns for part in key):
        return []
    sample = frame[list(key)].dropna().drop_duplicates()
    sample = sample.sample(min(len(sample), SAMPLE), random_state=0)
    share = float((match_keys(tables[parent].frame, key, sample, key) >= 0).mean()) if len(sample) else 0.0
    if share < NAMED:
        return []
    foreign = ForeignKey(child_table=child, child_columns=key, parent_table=parent, parent_columns=key)
    facts = (
        f"{share:.1%} of the combinations are found in {parent}",
        "the columns have the same names",
        f"together they are unique in {parent}",
    )
    return [
        Evidence(
            subject="foreign key", table=child, columns=key, score=share, facts=facts, foreign_key=foreign
        )
    ]


def _table_schema(
    tables: TableSet, name: str, primary: tuple[str, ...], foreign: tuple[ForeignKey, ...]
) -> tuple[TableSchema, list[Evidence]]:
    frame = tables[name].frame
    keys = set(primary) | {c for f in foreign if f.child_table == name for c in f.child_columns}
    columns, evidence, times = [], [], []
    for column in frame.columns:
        kind, fact = guess_kind(frame[column])
        if kind is Kind.TIMESTAMP:
            times.append(column)
        elif column in keys:
            kind, fact = Kind.KEY, "part of a key"
        columns.append(Column(name=column, kind=kind))
        evidence.append(Evidence(subject="kind", table=name, columns=(column,), score=1.0, facts=(fact,)))
    refers = any(f.child_table == name and f.parent_table != name for f in foreign)
    time = min(times, key=lambda c: (_time_rank(c), times.index(c))) if times and refers else None
    if time:
        facts = ("rows refer to another table, so they look like events", "its values are dates or times")
        evidence.append(Evidence(subject="time column", table=name, columns=(time,), score=0.8, facts=facts))
    schema = TableSchema(name=name, columns=tuple(columns), primary_key=primary, time_column=time)
    return schema, evidence


def _time_rank(column: str) -> int:
    words = column.lower().replace("-", "_").split("_")
    return next((i for i, name in enumerate(TIME_NAMES) if name in words or column.lower() == name), len(TIME_NAMES))
