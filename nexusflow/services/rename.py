"""A table by another name, wherever a workspace speaks of it."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nexusflow.data.asking import label_table_name
from nexusflow.data.question_words import sentence
from nexusflow.data.schema import Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Task
from nexusflow.errors import DataError
from nexusflow.services.drawing import Drawing, read_drawing, write_drawing
from nexusflow.services.history import History
from nexusflow.services.storage import read_json, write_json
from nexusflow.services.tablefiles import TableFiles

if TYPE_CHECKING:
    from nexusflow.services.workspace import Workspace

_TABLE_KEYS = ("entity_table", "event_table", "child_table", "parent_table", "table")


def rename_table(workspace: "Workspace", files: TableFiles, name: str, new: str) -> None:
    """Rename a table in the workspace's tables, schema, drawing, question and settings; DataError where it cannot."""
    new = _checked(workspace.tables(), name, new)
    folder = workspace.folder
    saved, task, settings = (read_json(folder / f) for f in ("schema.json", "task.json", "settings.json"))
    stands, schema = workspace.task(), rename_in_schema(workspace.schema(), name, new)
    drawing = rename_in_drawing(read_drawing(folder), name, new)
    files.rename(name, new)
    if saved is not None:
        renamed = rename_in_schema(Schema.from_dict(saved), name, new).to_dict()
        write_json(folder / "schema.json", {**saved, **renamed})
    write_drawing(folder, drawing)
    if task is not None and stands is not None:
        write_json(folder / "task.json", rename_in_task(stands, schema, name, new).to_dict())
    if settings is not None and name in settings.get("encoders", {}):
        settings["encoders"][new] = settings["encoders"].pop(name)
        write_json(folder / "settings.json", settings)


def _checked(tables: TableSet, name: str, new: str) -> str:
    """The new name of a table, without space around it; DataError where the table cannot have it."""
    new = new.strip()
    if name not in tables:
        raise DataError(f"There is no table {name!r} to rename.")
    if not new or new == name:
        raise DataError("Type the table's new name.")
    if new in tables:
        raise DataError(f"There already is a table {new!r}. Choose another name.")
    return new


def rename_in_drawing(drawing: Drawing, old: str, new: str) -> Drawing:
    """The drawing with the table's card renamed; steps that spoke of the old name can no longer be taken back."""
    declined = Schema(tables={}, foreign_keys=drawing.declined)
    return replace(
        drawing,
        places={new if name == old else name: place for name, place in drawing.places.items()},
        folded={new if name == old else name: folded for name, folded in drawing.folded.items()},
        declined=rename_in_schema(declined, old, new).foreign_keys,
        history=History(),
    )


def rename_in_schema(schema: Schema, old: str, new: str) -> Schema:
    """The schema with the table renamed, in foreign keys too."""

    def named(name: str) -> str:
        return new if name == old else name

    tables = {named(name): replace(table, name=named(name)) for name, table in schema.tables.items()}
    keys = tuple(
        replace(key, child_table=named(key.child_table), parent_table=named(key.parent_table))
        for key in schema.foreign_keys
    )
    return Schema(tables=tables, foreign_keys=keys)


def rename_in_task(task: Task, schema: Schema, old: str, new: str) -> Task:
    """The task with the table renamed, in its question over time too; `schema` has the new name already."""
    renamed = Task.from_dict(_renamed(task.to_dict(), old, new))
    hidden = tuple((new if table == old else table, column) for table, column in renamed.hidden)
    renamed = replace(renamed, hidden=hidden)
    if renamed.over_time is None:
        return renamed
    label = label_table_name(schema, renamed.over_time.entity_table)
    before = task.entity_table
    hidden = tuple((label if table == before else table, column) for table, column in hidden)
    return replace(renamed, entity_table=label, hidden=hidden, question=sentence(renamed.over_time))


def _renamed(data: Any, old: str, new: str) -> Any:
    if isinstance(data, dict):
        return {
            key: new if key in _TABLE_KEYS and value == old else _renamed(value, old, new)
            for key, value in data.items()
        }
    return [_renamed(value, old, new) for value in data] if isinstance(data, list) else data
