"""The tables and their relations as a drawing: the table that is asked about first, the others by their distance."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nexusflow.data.schema import Schema
from nexusflow.services.figures import CARD, FOR_IT, INK, LINE, QUIET, WIDTH, text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_TABLES = 24
WIDE, HIGH, GAP = 1.62, 0.56, 0.34


def layers(schema: Schema, entity_table: str) -> list[list[str]]:
    """Tables by their distance from the entity table over keys either way; those without a path come last."""
    near: dict[str, set[str]] = {name: set() for name in schema.tables}
    for key in schema.foreign_keys:
        near[key.child_table].add(key.parent_table)
        near[key.parent_table].add(key.child_table)
    found, left = [[entity_table]], [name for name in schema.tables if name != entity_table]
    while left:
        here = [name for name in left if near[name] & set(found[-1])]
        if not here:
            break
        found.append(here)
        left = [name for name in left if name not in here]
    return [*found, left] if left else found


def schema_figure(schema: Schema, entity_table: str, rows: Mapping[str, int]) -> "Figure | None":
    """Boxes for tables and an arrow from every foreign key to the table that it refers to; None where they are many."""
    if len(schema.tables) > MOST_TABLES:
        return None
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

    columns = layers(schema, entity_table)
    most = max(map(len, columns))
    step = max(WIDE + 0.5, (WIDTH - WIDE) / max(1, len(columns) - 1)) if len(columns) > 1 else WIDE
    width, height = step * (len(columns) - 1) + WIDE, most * (HIGH + GAP) - GAP
    figure = Figure(figsize=(max(WIDTH, width + 0.3), height + 0.3), facecolor=CARD)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(-0.15, max(WIDTH, width + 0.3) - 0.15), ylim=(height + 0.15, -0.15))
    axes.set_axis_off()
    place = {}
    for at, names in enumerate(columns):
        top = (height - (len(names) * (HIGH + GAP) - GAP)) / 2
        for n, name in enumerate(names):
            place[name] = (at * step, top + n * (HIGH + GAP))
    for key in schema.foreign_keys:
        if key.child_table != key.parent_table:
            start, end, bend = _ends(place[key.child_table], place[key.parent_table])
            arrow = FancyArrowPatch(
                start,
                end,
                connectionstyle=f"arc3,rad={bend}",
                arrowstyle="-|>",
                mutation_scale=9,
                color=QUIET,
                linewidth=1.1,
                shrinkA=0,
                shrinkB=0,
            )
            axes.add_patch(arrow)
    own = {key.child_table for key in schema.foreign_keys if key.child_table == key.parent_table}
    for name, (left, top) in place.items():
        asked = name == entity_table
        axes.add_patch(
            FancyBboxPatch(
                (left, top),
                WIDE,
                HIGH,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=CARD,
                edgecolor=FOR_IT if asked else LINE,
                linewidth=1.8 if asked else 1.1,
            )
        )
        axes.text(left + 0.1, top + 0.21, text(name, 19), color=INK, fontsize=9.5, weight="bold", va="center")
        said = f"{rows.get(name, 0):,} rows" + (" · refers to itself" if name in own else "")
        axes.text(left + 0.1, top + 0.41, said, color=QUIET, fontsize=7.5, va="center")
    return figure


def _ends(
    child: tuple[float, float], parent: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Where an arrow leaves and arrives, and how it bends: sideways between columns, in a bow within one."""
    (x, y), (to_x, to_y) = child, parent
    middle, to_middle = y + HIGH / 2, to_y + HIGH / 2
    if x == to_x:
        return (x + WIDE, middle), (to_x + WIDE, to_middle), -0.5 if to_y > y else 0.5
    if x < to_x:
        return (x + WIDE, middle), (to_x, to_middle), 0.0
    return (x, middle), (to_x + WIDE, to_middle), 0.0
