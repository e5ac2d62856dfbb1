"""Steps of a schema that can be taken back: what changed, before and after, and nothing else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from nexusflow.data.schema import ForeignKey, Kind, Schema

MOST_STEPS = 100
OF_TABLES = ("kind", "primary_key", "time_column")

Place = tuple[float, float]
Facts = Mapping[tuple[str, ...], Any]


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What undo and redo speak of: the schema, where its cards stand, and the suggestions turned down."""

    schema: Schema
    places: Mapping[str, Place] = field(default_factory=dict)
    declined: tuple[ForeignKey, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Step:
    """One change: (path, value before, value after) for all that differs; None stands for absent."""

    changes: tuple[tuple[tuple[str, ...], Any, Any], ...]

    def to_list(self) -> list[list[Any]]:
        """Plain lists, as `from_list` reads them."""
        return [[list(path), before, after] for path, before, after in self.changes]

    @classmethod
    def from_list(cls, data: list[list[Any]]) -> "Step":
        """The step that `to_list` wrote."""
        return cls(changes=tuple((tuple(path), before, after) for path, before, after in data))


@dataclass(frozen=True, kw_only=True)
class History:
    """Steps that can be taken back, and steps taken back that can be done again; the last are at the end."""

    done: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()

    def record(self, before: Sheet, after: Sheet) -> "History":
        """The history with the step from one sheet to the other; unchanged where they say the same."""
        step = difference(before, after)
        return History(done=(*self.done, step)[-MOST_STEPS:]) if step.changes else self

    def undo(self, sheet: Sheet) -> tuple["History", Sheet]:
        """The last step taken back; nothing changes where there is none."""
        if not self.done:
            return self, sheet
        step = self.done[-1]
        back = Step(changes=tuple((path, after, before) for path, before, after in step.changes))
        return History(done=self.done[:-1], undone=(*self.undone, step)), applied(sheet, back)

    def redo(self, sheet: Sheet) -> tuple["History", Sheet]:
        """The last step that was taken back done again; nothing changes where there is none."""
        if not self.undone:
            return self, sheet
        step = self.undone[-1]
        return History(done=(*self.done, step), undone=self.undone[:-1]), applied(sheet, step)


def difference(before: Sheet, after: Sheet) -> Step:
    """What leads from one sheet to the other, of tables that both have.

    A key that has only moved in the order has not changed.
    """
    shared = before.schema.tables.keys() & after.schema.tables.keys()
    old, new = _facts(before), _facts(after)
    changes = []
    for path in dict.fromkeys((*old, *new)):
        if path[0] in OF_TABLES and path[1] not in shared:
            continue
        was, now = old.get(path), new.get(path)
        same = (was is None) == (now is None) if path[0] in ("key", "declined") else was == now
        if not same:
            changes.append((path, was, now))
    return Step(changes=tuple(changes))


def applied(sheet: Sheet, step: Step) -> Sheet:
    """The sheet after the step. What speaks of tables or columns that are gone is left out; twice is as once."""
    schema, places = sheet.schema, dict(sheet.places)
    keys, declined = list(schema.foreign_keys), list(sheet.declined)
    for path, _, value in sorted(step.changes, key=_in_order):
        what, name = path[0], path[1]
        if what in ("key", "declined"):
            _put(keys if what == "key" else declined, _key_from(name), value)
        elif what == "place":
            places.pop(name, None) if value is None else places.update({name: (value[0], value[1])})
        elif name in schema.tables:
            schema = _with_fact(schema, path, value)
    standing = tuple(key for key in keys if _stands(schema, key))
    return Sheet(schema=replace(schema, foreign_keys=standing), places=places, declined=tuple(declined))


def _facts(sheet: Sheet) -> Facts:
    facts: dict[tuple[str, ...], Any] = {}
    for table in sheet.schema.tables.values():
        facts["primary_key", table.name] = list(table.primary_key)
        facts["time_column", table.name] = table.time_column
        facts.update({("kind", table.name, c.name): str(c.kind) for c in table.columns})
    facts.update({("place", name): [x, y] for name, (x, y) in sheet.places.items()})
    for what, keys in (("key", sheet.schema.foreign_keys), ("declined", sheet.declined)):
        facts.update({(what, _key_text(key)): at for at, key in enumerate(keys)})
    return facts


def _in_order(change: tuple[tuple[str, ...], Any, Any]) -> tuple[bool, int]:
    """Keys go before they come, and come in their order, so that each finds its old place."""
    path, _, value = change
    ordered = path[0] in ("key", "declined") and value is not None
    return ordered, value if ordered else 0


def _put(keys: list[ForeignKey], key: ForeignKey, at: int | None) -> None:
    if at is None:
        keys[:] = [other for other in keys if other != key]
    elif key not in keys:
        keys.insert(at, key)


def _with_fact(schema: Schema, path: tuple[str, ...], value: Any) -> Schema:
    table = schema[path[1]]
    if path[0] == "kind":
        return schema.with_table(table.with_kinds({path[2]: Kind(value)})) if value else schema
    if path[0] == "primary_key":
        columns = tuple(value or ())
        fits = all(column in table for column in columns)
        return schema.with_table(replace(table, primary_key=columns)) if fits else schema
    fits = value is None or value in table
    return schema.with_table(replace(table, time_column=value)) if fits else schema


def _stands(schema: Schema, key: ForeignKey) -> bool:
    ends = ((key.child_table, key.child_columns), (key.parent_table, key.parent_columns))
    return all(name in schema.tables and all(c in schema[name] for c in columns) for name, columns in ends)


def _key_text(key: ForeignKey) -> str:
    return json.dumps([key.child_table, key.child_columns, key.parent_table, key.parent_columns])


def _key_from(text: str) -> ForeignKey:
    child, child_columns, parent, parent_columns = json.loads(text)
    return ForeignKey(
        child_table=child,
        child_columns=tuple(child_columns),
        parent_table=parent,
        parent_columns=tuple(parent_columns),
    )
