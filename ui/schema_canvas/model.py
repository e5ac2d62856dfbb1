"""What the canvas is told: tables, keys with what the values say of them, suggestions, places."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from nexusflow.data.infer import Evidence
from nexusflow.data.relations import RelationStats
from nexusflow.data.schema import ForeignKey, Schema, TableSchema
from nexusflow.services.drawing import Drawing
from nexusflow.services.workspace import Workspace
from ui.schema_canvas.ops import Held

Links = Mapping[ForeignKey, RelationStats | None]


def drawn(workspace: Workspace, schema: Schema) -> Schema:
    """The schema with the suggestions that are drawn beside its keys; without any until the values were compared."""
    if not workspace.is_proposed():
        return schema
    waiting = open_suggestions(schema, workspace.proposal().evidence, workspace.drawing())
    suggested = tuple(e.foreign_key for e in waiting if e.foreign_key is not None)
    return replace(schema, foreign_keys=(*schema.foreign_keys, *suggested))


def canvas_data(workspace: Workspace, schema: Schema) -> dict[str, Any]:
    """Everything that the canvas draws, as plain lists and dicts; figures as far as they are at hand."""
    drawing, task = workspace.drawing(), workspace.task()
    evidence = workspace.proposal().evidence if workspace.is_proposed() else ()
    return describe(
        schema,
        drawing,
        rows={name: len(table) for name, table in workspace.tables().items()},
        held=workspace.held(),
        links=workspace.counted_stats(drawn(workspace, schema)),
        suggestions=open_suggestions(schema, evidence, drawing),
        target=task.entity_table if task else None,
    ) | {"workspace": workspace.id}


def describe(
    schema: Schema,
    drawing: Drawing,
    *,
    rows: Mapping[str, int],
    held: Held,
    links: Links,
    suggestions: tuple[Evidence, ...] = (),
    target: str | None = None,
) -> dict[str, Any]:
    """The same of parts that are at hand."""
    hops = hop_distances(schema, target) if target else {}
    return {
        "tables": [
            _table(table, rows.get(table.name, 0), held.get(table.name, {}), hops.get(table.name))
            for table in schema.tables.values()
        ],
        "keys": [_key(key, links.get(key)) for key in schema.foreign_keys],
        "suggestions": [
            {**_key(e.foreign_key, links.get(e.foreign_key)), "score": e.score, "facts": list(e.facts)}
            for e in suggestions
            if e.foreign_key is not None
        ],
        "target": target,
        "places": {name: list(place) for name, place in drawing.places.items() if name in schema.tables},
        "view": list(drawing.view) if drawing.view else None,
        "folded": {name: fold for name, fold in drawing.folded.items() if name in schema.tables},
        "undo": len(drawing.history.done),
        "redo": len(drawing.history.undone),
        "acked": dict(drawing.acked),
        "refused": [vars(refusal) for refusal in drawing.refused],
    }


def open_suggestions(
    schema: Schema, evidence: tuple[Evidence, ...], drawing: Drawing
) -> tuple[Evidence, ...]:
    """The proposed foreign keys that are neither in use nor turned down."""
    settled = {*schema.foreign_keys, *drawing.declined}
    return tuple(e for e in evidence if e.foreign_key is not None and e.foreign_key not in settled)


def hop_distances(schema: Schema, start: str) -> dict[str, int]:
    """The fewest relations between each table that can be reached and the table it starts from."""
    if start not in schema.tables:
        return {}
    found, frontier = {start: 0}, [start]
    while frontier:
        reached = []
        for key in schema.foreign_keys:
            for here, there in ((key.child_table, key.parent_table), (key.parent_table, key.child_table)):
                if here in frontier and there not in found:
                    found[there] = found[here] + 1
                    reached.append(there)
        frontier = reached
    return found


def _table(table: TableSchema, rows: int, held: Mapping[str, str | None], hop: int | None) -> dict[str, Any]:
    return {
        "name": table.name,
        "rows": rows,
        "columns": [[c.name, str(c.kind), held.get(c.name)] for c in table.columns],
        "key": list(table.primary_key),
        "time": table.time_column,
        "hop": hop,
    }


def _key(key: ForeignKey, stats: RelationStats | None) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if stats:
        filled = stats.child_rows - stats.missing_rows
        told = {"cardinality": stats.cardinality, "filled": filled, "match": stats.match_rate}
    return {
        "child": key.child_table,
        "child_columns": list(key.child_columns),
        "parent": key.parent_table,
        "parent_columns": list(key.parent_columns),
        **told,
    }
