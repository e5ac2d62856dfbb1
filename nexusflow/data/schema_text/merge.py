"""A file's tables and keys taken over into a schema; what does not fit is told, and never dropped in silence."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from nexusflow.data.fixes import with_key
from nexusflow.data.schema import ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.schema_text.draft import Draft, DraftTable, note
from nexusflow.errors import Problem, SchemaError, Severity


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The schema that would come about, what would change, and what in the file does not fit the tables."""

    schema: Schema
    changes: tuple[str, ...]
    problems: tuple[Problem, ...]


def merge_draft(present: Schema, draft: Draft, *, replacing: bool = False) -> Merged:
    """The present schema with what the draft says of its tables.

    Names that differ only in upper and lower case are taken as the same. `replacing` also takes away what the draft
    leaves out of the tables that it describes: their other relations, and keys and times that it says are not there.
    """
    return _Merge(present, draft, replacing).merged()


def describe_changes(before: Schema, after: Schema) -> tuple[str, ...]:
    """What differs, a sentence each."""
    told = []
    for name, table in after.tables.items():
        old = before.tables.get(name)
        if old is None:
            told.append(f"Table {name} is added.")
            continue
        if table.primary_key != old.primary_key:
            told.append(
                f"The primary key of {name} becomes {_listed(table.primary_key)}; it was {_listed(old.primary_key)}."
            )
        if table.time_column != old.time_column:
            now, then = (t.time_column if t.time_column is not None else "none" for t in (table, old))
            told.append(f"The time column of {name} becomes {now}; it was {then}.")
        kinds = {c.name: c.kind for c in old.columns}
        told += [
            f"{name}.{c.name} becomes {c.kind}; it was {kinds[c.name]}."
            for c in table.columns
            if c.name in kinds and kinds[c.name] is not c.kind
        ]
    told += [f"Relation {key} is added." for key in after.foreign_keys if key not in before.foreign_keys]
    told += [f"Relation {key} is removed." for key in before.foreign_keys if key not in after.foreign_keys]
    return tuple(told)


class _Merge:
    def __init__(self, present: Schema, draft: Draft, replacing: bool) -> None:
        self.present, self.draft, self.replacing = present, draft, replacing
        self.problems = list(draft.problems)
        self.names = _matched(present.tables, _named(draft))

    def merged(self) -> Merged:
        schema = self.present
        for name, table in self.draft.tables.items():
            place = self._table(name)
            if place is not None:
                schema = schema.with_table(self._update(schema[place], table))
        keys = [key for written in self.draft.foreign_keys if (key := self._key(schema, written)) is not None]
        if self.replacing:
            described = {self.names[n] for n in self.draft.tables}
            kept = tuple(k for k in schema.foreign_keys if k.child_table not in described or k in keys)
            schema = replace(schema, foreign_keys=kept)
        explicit = {
            (self.names[n], c): kind
            for n, table in self.draft.tables.items()
            for c, kind in self._kinds(table).items()
        }
        for key in keys:
            if key not in schema.foreign_keys:
                schema = with_key(schema, key)
        for place, column in explicit:
            if place is not None and schema[place][column].kind is not explicit[place, column]:
                schema = schema.with_table(schema[place].with_kinds({column: explicit[place, column]}))
        self._tell_rest()
        return Merged(
            schema=schema,
            changes=describe_changes(self.present, schema),
            problems=tuple(self.problems),
        )

    def _table(self, name: str) -> str | None:
        """The present table that is meant; where there is none, that is told."""
        place = self.names[name]
        if place is None:
            fix = _nearest(name, self.present.tables, "Upload it first; the tables are")
            self._warn("is in the file, but was not uploaded; it was left out.", fix, table=name)
        return place

    def _update(self, table: TableSchema, draft: DraftTable) -> TableSchema:
        columns = self._columns(table, draft)
        kinds = {c: kind for c, kind in self._kinds(draft).items()}
        time, primary = table.time_column, table.primary_key
        if draft.time_column is not None and columns.get(draft.time_column) is not None:
            time = columns[draft.time_column]
        elif draft.static and self.replacing:
            time = None
        if draft.primary_key:
            parts = [columns.get(c) for c in draft.primary_key]
            if None in parts:
                named = ", ".join(draft.primary_key)
                self._warn(
                    f"has the primary key ({named}) in the file, of which a column is missing; it was left out.",
                    table=table.name,
                )
            else:
                primary = tuple(p for p in parts if p is not None)
        elif draft.primary_key is not None and self.replacing:
            primary = ()
        default = {c: Kind.KEY for c in primary if table[c].kind not in (Kind.TIMESTAMP,)}
        return replace(table.with_kinds({**default, **kinds}), primary_key=primary, time_column=time)

    def _columns(self, table: TableSchema, draft: DraftTable) -> dict[str, str | None]:
        """The present columns by their names in the file; those that are not there are told."""
        used = [
            *draft.columns,
            *(draft.primary_key or ()),
            *([draft.time_column] if draft.time_column else []),
        ]
        columns = _matched({c: c for c in table.names()}, used)
        for name in dict.fromkeys(used):
            if columns[name] is None:
                fix = _nearest(name, table.names(), "Its columns are")
                message = "is in the file, but the uploaded table has no such column; it was left out."
                self._warn(message, fix, table=table.name, column=name)
        return columns

    def _kinds(self, draft: DraftTable) -> dict[str, Kind]:
        """The kinds that the file names, by present column."""
        place = self.names[draft.name]
        if place is None:
            return {}
        columns = _matched({c: c for c in self.present[place].names()}, draft.columns)
        found = {columns[name]: kind for name, kind in draft.columns.items() if kind is not None}
        return {name: kind for name, kind in found.items() if name is not None}

    def _key(self, schema: Schema, key: ForeignKey) -> ForeignKey | None:
        """The key by present names; where it cannot stand, that is told."""
        child, parent = self.names.get(key.child_table), self.names.get(key.parent_table)
        for written, place in ((key.child_table, child), (key.parent_table, parent)):
            if place is None:
                self._refuse(key, f"there is no table {written!r}")
                return None
        assert child is not None and parent is not None
        ends = []
        for place, columns in ((child, key.child_columns), (parent, key.parent_columns)):
            matched = _matched({c: c for c in schema[place].names()}, columns)
            missing = next((c for c in columns if matched[c] is None), None)
            if missing is not None:
                self._refuse(key, f"{place} has no column {missing!r}")
                return None
            ends.append(tuple(str(matched[c]) for c in columns))
        parent_columns = ends[1] or schema[parent].primary_key
        found = ForeignKey(
            child_table=child, child_columns=ends[0], parent_table=parent, parent_columns=parent_columns
        )
        try:
            with_key(replace(schema, foreign_keys=()), found)
        except SchemaError as error:
            self._refuse(key, error.problems[0].message.rstrip("."))
            return None
        return found

    def _refuse(self, key: ForeignKey, why: str) -> None:
        columns = ", ".join(key.child_columns) or None
        self._warn(f"The relation {key} was left out: {why}.", table=key.child_table, column=columns)

    def _tell_rest(self) -> None:
        described = {self.names[n] for n in self.draft.tables}
        rest = [name for name in self.present.tables if name not in described]
        if rest:
            self.problems.append(
                note(f"The file does not describe {', '.join(rest)}; what is known of them stays as it is.")
            )

    def _warn(self, message: str, fix: str = "", **place: str | None) -> None:
        self.problems.append(note(message, fix, Severity.WARNING, **place))


def _named(draft: Draft) -> list[str]:
    ends = [name for key in draft.foreign_keys for name in (key.child_table, key.parent_table)]
    return [*draft.tables, *ends]


def _matched(known: Mapping[str, object], names: Iterable[str]) -> dict[str, str | None]:
    """Each name's known namesake: the same, or the only one that differs in case alone; else None."""
    folded: dict[str, list[str]] = {}
    for name in known:
        folded.setdefault(name.casefold(), []).append(name)
    found: dict[str, str | None] = {}
    for name in names:
        alike = folded.get(name.casefold(), [])
        found[name] = name if name in known else alike[0] if len(alike) == 1 else None
    return found


def _nearest(name: str, known: Iterable[str], lead: str) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"{lead}: {', '.join(known[:20])}."


def _listed(columns: tuple[str, ...]) -> str:
    return f"({', '.join(columns)})" if columns else "none"
