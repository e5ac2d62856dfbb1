"""`nexusflow inspect`: what tables suggest, or what a configuration says of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table as Grid

from nexusflow.cli_shared import (
    AsJson,
    Config,
    UsageError,
    config_file,
    err,
    give,
    out,
    tell,
    told_plainly,
)
from nexusflow.services.project_place import CONFIG_FILE

if TYPE_CHECKING:
    from nexusflow.services.inspection import Inspection


def inspect(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Table files, or folders of them; without one, the tables of a configuration.",
            metavar="PATH",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the schema: .yaml, .dbml or .sql.")
    ] = None,
) -> None:
    """Show what tables suggest: keys, relations with their figures, and what does not fit.

    Of a configuration it shows the keys and relations that it names, and what of these does not fit the tables.

    Example: nexusflow inspect datasets --export schema.dbml
    """
    with told_plainly():
        from nexusflow.data.schema_text.formats import format_of
        from nexusflow.services.inspection import inspect_files, inspect_project

        if export is not None:
            format_of(export.name)
        if paths and config is not None:
            raise UsageError("inspect takes files and folders, or --config: leave one of them out.")
        for path in paths or ():
            if path.suffix in (".yaml", ".yml") or (path / CONFIG_FILE).is_file():
                raise UsageError(f"{path} is no table. Of a configuration, or a project: --config {path}.")
        source = None if paths else config_file(config)
        with err.status("Reading the tables"):
            found = inspect_files(paths or ()) if source is None else inspect_project(source)
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
