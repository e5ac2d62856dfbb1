"""The schema as a drawing: a card per table, an arrow per foreign key from column to column. Read-only."""

from collections.abc import Mapping
from html import escape

from nexusflow.data.schema import ForeignKey, Kind, Schema, TableSchema
from ui.escape import shorten
from ui.palette import Palette

FEW_TABLES = 4
COLUMNS_SHOWN, COLUMNS_SHOWN_OF_MANY = 8, 5
HUB_NEIGHBOURS = 3
NAME_LENGTH = 26
_KIND_WORDS = {
    Kind.KEY: "key",
    Kind.NUMERIC: "number",
    Kind.CATEGORICAL: "category",
    Kind.TIMESTAMP: "time",
    Kind.TEXT: "text",
    Kind.IGNORED: "ignored",
}


def schema_diagram(schema: Schema, rows: Mapping[str, int], palette: Palette) -> str:
    """The schema in the DOT language, for `st.graphviz_chart`; names reach it only as escaped text.

    `rows` gives the number of rows per table. Keys are always drawn; of the other columns the first few.
    """
    ids = {name: f"t{number}" for number, name in enumerate(schema.tables)}
    nodes = [
        _card(schema, table, ids[name], rows.get(name, 0), palette) for name, table in schema.tables.items()
    ]
    turned = _turned(schema)
    edges = [_arrow(key, schema, ids, turned=key in turned) for key in schema.foreign_keys]
    return "\n".join(
        [
            "digraph schema {",
            'rankdir=LR; bgcolor="transparent"; nodesep=0.35; ranksep=0.9; pad=0.15;',
            'node [shape=plain fontname="Helvetica" fontsize=12];',
            f'edge [color="{palette.accent}" penwidth=1.4 arrowsize=0.7 arrowhead=normal arrowtail=none];',
            *nodes,
            *[edge for edge in edges if edge],
            "}",
        ]
    )


def drawing_height(schema: Schema) -> int:
    """Pixels that let the drawing be read without scrolling: more where more tables stand on each other."""
    lines = sum(len(_shown_columns(schema, table)) + 3 for table in schema.tables.values())
    ranks = 1 if not schema.foreign_keys else 3 if _turned(schema) else 2
    return min(max(300, 60 + 24 * lines // ranks), 680)


def _turned(schema: Schema) -> set[ForeignKey]:
    """Keys to be drawn from parent to child, so that a table with many neighbours has them on both sides."""
    turned: set[ForeignKey] = set()
    for table in schema.tables:
        here = [k for k in schema.foreign_keys if table in (k.child_table, k.parent_table)]
        leaves = [k for k in here if _relations(schema, _other_end(k, table)) == 1]
        if len(leaves) >= HUB_NEIGHBOURS:
            turned |= set(leaves[1::2])
    return turned


def _other_end(key: ForeignKey, table: str) -> str:
    return key.parent_table if key.child_table == table else key.child_table


def _relations(schema: Schema, table: str) -> int:
    return sum(table in (key.child_table, key.parent_table) for key in schema.foreign_keys)


def _shown_columns(schema: Schema, table: TableSchema) -> tuple[str, ...]:
    keys = set(table.primary_key)
    for key in schema.foreign_keys:
        keys |= set(key.child_columns) if key.child_table == table.name else set()
        keys |= set(key.parent_columns) if key.parent_table == table.name else set()
    if table.time_column:
        keys.add(table.time_column)
    shown = COLUMNS_SHOWN if len(schema.tables) <= FEW_TABLES else COLUMNS_SHOWN_OF_MANY
    room = max(shown - len(keys), 0)
    others = [name for name in table.names() if name not in keys][:room]
    return tuple(name for name in table.names() if name in keys or name in others)


def _card(schema: Schema, table: TableSchema, node: str, rows: int, palette: Palette) -> str:
    shown = _shown_columns(schema, table)
    left = len(table.columns) - len(shown)
    head = (
        f'<TR><TD ALIGN="LEFT" COLSPAN="2" BGCOLOR="{palette.accent}"><FONT COLOR="{palette.on_accent}">'
        f'<B>{_text(table.name)}</B>  <FONT POINT-SIZE="10">{rows:,} rows</FONT></FONT></TD></TR>'
    )
    lines = [_line(schema, table, name, palette) for name in shown]
    if left:
        lines.append(
            f'<TR><TD ALIGN="LEFT" COLSPAN="2"><FONT COLOR="{palette.quiet}" POINT-SIZE="10">'
            f"and {left} more</FONT></TD></TR>"
        )
    return (
        f'{node} [label=<<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="5" '
        f'COLOR="{palette.line}" BGCOLOR="{palette.card}">{head}{"".join(lines)}</TABLE>>];'
    )


def _line(schema: Schema, table: TableSchema, name: str, palette: Palette) -> str:
    place = table.names().index(name)
    badge, colour = _badge(schema, table, name, palette)
    weight = ("<B>", "</B>") if name in table.primary_key else ("", "")
    return (
        f'<TR><TD ALIGN="LEFT" PORT="l{place}"><FONT COLOR="{palette.text}">'
        f"{weight[0]}{_text(name)}{weight[1]}"
        f'</FONT></TD><TD ALIGN="LEFT" PORT="r{place}"><FONT COLOR="{colour}" POINT-SIZE="10">{badge}'
        "</FONT></TD></TR>"
    )


def _badge(schema: Schema, table: TableSchema, name: str, palette: Palette) -> tuple[str, str]:
    foreign = any(k.child_table == table.name and name in k.child_columns for k in schema.foreign_keys)
    if name in table.primary_key:
        return ("PK, FK" if foreign else "PK"), palette.for_it
    if foreign:
        return "FK", palette.for_it
    if name == table.time_column:
        return "known from", palette.against_it
    return _KIND_WORDS[table[name].kind], palette.quiet


def _arrow(key: ForeignKey, schema: Schema, ids: Mapping[str, str], *, turned: bool) -> str:
    """The arrow from the key's first column to the column it names; none where the schema lacks an end.

    `turned` puts the parent's card on the left; the arrow's head stays at the parent.
    """
    if key.child_table not in ids or key.parent_table not in ids:
        return ""
    child, parent = schema[key.child_table].names(), schema[key.parent_table].names()
    start, end = key.child_columns[0], key.parent_columns[0]
    if start not in child or end not in parent:
        return ""
    ends = (ids[key.child_table], child.index(start)), (ids[key.parent_table], parent.index(end))
    (left, left_line), (right, right_line) = reversed(ends) if turned else ends
    settings = ["dir=back", "arrowtail=normal"] if turned else []
    if len(key.child_columns) > 1:
        settings.append(f'label="{len(key.child_columns)} columns" fontsize=10')
    return f"{left}:r{left_line}:e -> {right}:l{right_line}:w [{' '.join(settings)}];"


def _text(name: str) -> str:
    return escape(shorten(name, NAME_LENGTH)) or "(no name)"
