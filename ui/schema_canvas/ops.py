"""What the canvas asks for, applied to the schema and its drawing: each operation once, however often it arrives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nexusflow.data.schema import ForeignKey, Kind, Schema
from nexusflow.errors import NexusFlowError, SchemaError
from nexusflow.services.drawing import Drawing, Refusal
from ui.schema_edit import add_foreign_key, edit_table, remove_foreign_key

Held = Mapping[str, Mapping[str, str | None]]
Op = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """The schema, and how it is drawn."""

    schema: Schema
    drawing: Drawing


def apply_ops(canvas: Canvas, ops: Sequence[Op], held: Held) -> Canvas:
    """The canvas after the operations that it has not yet received, in the order of their numbers per tab.

    An operation that cannot be done changes nothing but is received all the same; its reason is kept with the
    drawing. `held` is what each column holds, see `Workspace.held`.
    """
    for op in ops:
        client, seq = op.get("client"), op.get("seq")
        if not isinstance(client, str) or not isinstance(seq, int):
            continue
        if seq <= canvas.drawing.acked.get(client, 0):
            continue
        try:
            canvas = _apply(canvas, op, held)
        except NexusFlowError as error:
            refusal = Refusal(client=client, seq=seq, reason=str(error))
            canvas = replace(canvas, drawing=canvas.drawing.with_refusal(refusal))
        except (KeyError, TypeError, ValueError):
            refusal = Refusal(client=client, seq=seq, reason="This page is out of date. Reload it.")
            canvas = replace(canvas, drawing=canvas.drawing.with_refusal(refusal))
        canvas = replace(canvas, drawing=canvas.drawing.received(client, seq))
    return canvas


def _apply(canvas: Canvas, op: Op, held: Held) -> Canvas:
    name = op["op"]
    if name in _OF_SCHEMA:
        return _of_schema(canvas, op, held)
    drawing = canvas.drawing
    if name == "view":
        x, y, width = (float(value) for value in op["view"])
        return replace(canvas, drawing=replace(drawing, view=(x, y, width)))
    if name == "fold":
        folded = {table: bool(fold) for table, fold in op["tables"].items() if table in canvas.schema.tables}
        return replace(canvas, drawing=replace(drawing, folded={**drawing.folded, **folded}))
    if name == "move":
        return _move(canvas, op)
    if name in ("undo", "redo"):
        step = drawing.history.undo if name == "undo" else drawing.history.redo
        history, sheet = step(drawing.sheet(canvas.schema))
        return Canvas(schema=sheet.schema, drawing=replace(drawing.with_sheet(sheet), history=history))
    raise KeyError(name)


def _move(canvas: Canvas, op: Op) -> Canvas:
    """Cards put elsewhere; `quiet` is for first places, which nobody wants to take back."""
    drawing = canvas.drawing
    given = {t: (float(x), float(y)) for t, (x, y) in op["places"].items() if t in canvas.schema.tables}
    moved = replace(drawing, places={**drawing.places, **given})
    if not op.get("quiet"):
        moved = drawing.recorded(drawing.sheet(canvas.schema), moved.sheet(canvas.schema))
    return replace(canvas, drawing=moved)


def _of_schema(canvas: Canvas, op: Op, held: Held) -> Canvas:
    drawing = canvas.drawing
    before = drawing.sheet(canvas.schema)
    schema = _OF_SCHEMA[op["op"]](canvas.schema, op, held)
    kept = [key for key in drawing.declined if key not in schema.foreign_keys]
    if op["op"] in ("decline", "remove_key", "replace_key"):
        gone = _key(op["key"])
        kept += [gone] if gone not in kept and gone not in schema.foreign_keys else []
    after = replace(before, schema=schema, declined=tuple(kept))
    return Canvas(schema=schema, drawing=drawing.recorded(before, after))


def _add_key(schema: Schema, op: Op, held: Held) -> Schema:
    key = _key(op["key"])
    check_key(schema, key, held)
    return add_foreign_key(schema, key)


def _remove_key(schema: Schema, op: Op, held: Held) -> Schema:
    return remove_foreign_key(schema, _key(op["key"]))


def _replace_key(schema: Schema, op: Op, held: Held) -> Schema:
    old, new = _key(op["key"]), _key(op["by"])
    if old not in schema.foreign_keys:
        raise SchemaError(f"{old} is not there any more.")
    check_key(schema, new, held)
    return add_foreign_key(remove_foreign_key(schema, old), new)


def _set_primary_key(schema: Schema, op: Op, held: Held) -> Schema:
    table = schema[op["table"]]
    columns = tuple(table[column].name for column in op["columns"])
    if len(set(columns)) < len(columns):
        raise SchemaError("A key names every column once.")
    return edit_table(schema, table.name, primary_key=columns, time_column=table.time_column, kinds={})


def _set_time(schema: Schema, op: Op, held: Held) -> Schema:
    table, column = schema[op["table"]], op["column"]
    if column is not None and table[column].kind is not Kind.TIMESTAMP:
        raise SchemaError(
            f"{table.name}.{column} is not taken as a time. Give it the kind Time under Tables first."
        )
    return schema.with_table(replace(table, time_column=column))


def _nothing(schema: Schema, op: Op, held: Held) -> Schema:
    return schema


_OF_SCHEMA: Mapping[str, Callable[[Schema, Op, Held], Schema]] = {
    "add_key": _add_key,
    "remove_key": _remove_key,
    "replace_key": _replace_key,
    "decline": _nothing,
    "set_primary_key": _set_primary_key,
    "set_time": _set_time,
}


def check_key(schema: Schema, key: ForeignKey, held: Held) -> None:
    """SchemaError where the columns of a key are not there, named twice, or can never match by their types."""
    child, parent = schema[key.child_table], schema[key.parent_table]
    for table, columns in ((child, key.child_columns), (parent, key.parent_columns)):
        if len(set(columns)) < len(columns):
            raise SchemaError("A key names every column once.")
        for column in columns:
            _ = table[column]
    for mine, theirs in zip(key.child_columns, key.parent_columns, strict=False):
        if (child.name, mine) == (parent.name, theirs):
            raise SchemaError(f"{child.name}.{mine} cannot refer to itself.")
        a, b = held.get(child.name, {}).get(mine), held.get(parent.name, {}).get(theirs)
        if a and b and a != b and "numbers" in (a, b):
            raise SchemaError(
                f"{child.name}.{mine} holds {a} and {parent.name}.{theirs} holds {b}: nothing can match."
            )


def _key(data: Mapping[str, Any]) -> ForeignKey:
    """A key as the canvas writes it."""
    child_columns, parent_columns = tuple(data["child_columns"]), tuple(data["parent_columns"])
    if not all(isinstance(name, str) for name in (*child_columns, *parent_columns)):
        raise TypeError("names of columns are text")
    return ForeignKey(
        child_table=data["child"],
        child_columns=child_columns,
        parent_table=data["parent"],
        parent_columns=parent_columns,
    )
