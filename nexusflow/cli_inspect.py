"""`nexusflow inspect`: what a folder of tables suggests."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table as Grid

from nexusflow.cli_shared import AsJson, err, give, out, tell, told_plainly

if TYPE_CHECKING:
    from nexusflow.services.inspection import Inspection


def inspect(
    folder: Annotated[Path, typer.Argument(help="A folder of CSV, TSV or Parquet files.", metavar="FOLDER")],
    as_json: AsJson = False,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the schema: .yaml, .dbml or .sql.")
    ] = None,
) -> None:
    """Show what a folder of tables suggests: keys, relations with their figures, and what does not fit.

    Example: nexusflow inspect datasets --export schema.dbml
    """
    with told_plainly():
        from nexusflow.data.schema_text.formats import format_of
        from nexusflow.services.inspection import inspect_folder

        if export is not None:
            format_of(export.name)
        with err.status("Reading the tables"):
            found = inspect_folder(folder)
        tell(found.tables.problems)
        if as_json:
            give(found.to_dict())
        else:
            _print(found)
        if export is not None:
            export.parent.mkdir(parents=True, exist_ok=True)
            export.write_text(found.text(export.name), encoding="utf-8", newline="")
            err.print(f"Schema: {escape(str(export))}", soft_wrap=True, highlight=False)


def _print(found: "Inspection") -> None:
    tables = Grid(title="Tables")
    for name in ("table", "rows", "columns", "primary key", "known from"):
        tables.add_column(name, justify="right" if name in ("rows", "columns") else "left", overflow="fold")
    for table in found.schema.tables.values():
        counts = f"{len(found.tables[table.name]):,}", str(len(table.columns))
        known = table.time_column if table.time_column is not None else "always"
        tables.add_row(escape(table.name), *counts, escape(", ".join(table.primary_key)), escape(known))
    out.print(tables)
    for key, stats in found.stats.items():
        matched = "no keys" if stats.match_rate is None else f"{stats.match_rate:.1%} matched"
        children = (
            f"{stats.fanout_median:,.0f} median, {stats.fanout_p99:,.0f} at 99 %, {stats.fanout_max:,} most"
        )
        figures = f"{stats.cardinality}, {matched}, {stats.orphan_rows:,} orphans; children: {children}"
        out.print(f"{escape(str(key))}  [dim]{figures}[/]", soft_wrap=True, highlight=False)
    tell([finding.problem for finding in found.findings])
