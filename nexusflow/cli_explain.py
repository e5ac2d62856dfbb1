"""`nexusflow explain`: what a model's answers come from, printed, and written as a report or as frames."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table as Grid

from nexusflow.cli_shared import AsJson, UsageError, err, give, out, read_tables, say, tell, told_plainly
from nexusflow.explain.baseline import Baseline

if TYPE_CHECKING:
    from nexusflow.api import Explanation, RowExplanation

COLUMNS_SHOWN, CELLS_SHOWN = 10, 5


def explain(
    model: Annotated[
        Path, typer.Argument(help="A model file (.nxf), or the folder of its run.", metavar="MODEL")
    ],
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            metavar="NAME=FILE",
            help="A table and its file, as in customers=data/customers.csv; once for each table. Default: the tables "
            "of the project folder that the model lies in.",
        ),
    ] = None,
    row: Annotated[
        list[str] | None, typer.Option("--row", help="The key of a row to be explained; may be given again.")
    ] = None,
    rows: Annotated[
        int,
        typer.Option(
            "--rows",
            min=0,
            help="How many of the worst errors, and as many rows at random, are explained; a report has 3 of each by "
            "default.",
        ),
    ] = 0,
    file: Annotated[
        Path | None,
        typer.Option("--out", help="Write a report (.html), everything (.json), or a folder of CSV files."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            help="The date to ask a question over time on, as 2024-01-31; default: where the data end; "
            "with the tables of its training, the dates of that.",
        ),
    ] = None,
    baseline: Annotated[
        Baseline,
        typer.Option(
            "--baseline",
            help="What the scores of columns and cells start from: every cell missing, the mean of training rows, or "
            "some training rows in turn.",
        ),
    ] = Baseline.MISSING,
    attributed: Annotated[
        int, typer.Option("--attributed", min=1, help="How many rows the scores of columns are a mean over.")
    ] = 64,
    as_json: AsJson = False,
) -> None:
    """Tell which tables, columns and cells a model's answers come from, and how far that can be trusted.

    With the tables that it was trained on, the test rows are looked at, and the figures are those of the Interpret
    page; with new ones, all their rows. Integrated gradients take most of the time, up to minutes for large models.

    Example: nexusflow explain models/RUN --rows 3 --out report.html
    """
    with told_plainly():
        if file is not None and file.suffix not in (".html", ".json", ""):
            raise UsageError(f"--out must end in .html or .json, or name a folder; it is {file.name!r}.")
        from nexusflow.api import explain as explain_model
        from nexusflow.services.explained import find_row

        tables = read_tables(table) if table else None
        with err.status("Scoring every row"):
            explanation = explain_model(model, tables, as_of=as_of, baseline=baseline, attributed=attributed)
        tell(explanation.problems)
        for key in row or ():
            # A key that is not there is told before minutes are spent on the rest.
            find_row(explanation.insight, key)
        keys = [*(row or ()), *_some(explanation, rows)]
        if as_json:
            with err.status("Explaining"):
                give(explanation.to_dict(keys))
        else:
            _print(explanation)
            for key in keys:
                _print_row(explanation.row(key))
        if file is not None:
            _write(explanation, file, keys, list(row or ()), rows)
            if not as_json:
                say(f"Written: {file}")


def _some(explanation: "Explanation", count: int) -> list[str]:
    """Keys of the worst errors and of rows at random, of the part that is looked at."""
    insight = explanation.insight
    part = str(insight.sampled_part)
    worst = insight.rows(part=part, order="error").dropna(subset="error")["key"].head(count)
    drawn = insight.rows(part=part, order="random")["key"].head(count)
    return list(dict.fromkeys([*worst, *drawn]))


def _print(explanation: "Explanation") -> None:
    from nexusflow.explain.explanation import ROWS
    from nexusflow.services.starts import from_words
    from nexusflow.services.words import plain

    part = explanation.insight.sampled_part if explanation.own else "given"
    check = explanation.faithfulness
    said = dict(zip(check["name"], check["change"], strict=True))
    tables = Grid(title=f"Tables, on the {part} rows")
    for name in ("table", "share of the predictions", "change when hidden"):
        tables.add_column(name, justify="left" if name == "table" else "right", overflow="fold")
    for line in explanation.rollout.sort_values("share", ascending=False).itertuples():
        role = str(line.role)
        tables.add_row(escape(role), f"{line.share:.1%}", f"{said[role]:.4g}" if role in said else "")
    out.print(tables)
    mark = "[green]trusted[/]" if explanation.faithful else "[yellow]with care[/]"
    out.print(f"{mark} {escape(explanation.sentence)}", soft_wrap=True, highlight=False)
    if explanation.noise:
        out.print(escape(plain(explanation.noise)), style="dim", soft_wrap=True, highlight=False)
    columns = Grid(title=f"Columns, by integrated gradients {from_words(explanation.baseline)}")
    for name in ("table", "column", "strength"):
        columns.add_column(name, justify="right" if name == "strength" else "left", overflow="fold")
    for line in explanation.columns.head(COLUMNS_SHOWN).itertuples():
        column = "(how many, how recent)" if line.column == ROWS else str(line.column)
        columns.add_row(escape(plain(line.role)), escape(plain(column)), f"{line.strength:.4f}")
    out.print(columns)
    gap = f"The scores leave {explanation.gap:.2%} of the output unexplained (median)."
    out.print(gap, style="dim" if explanation.gap <= 0.01 else "red", soft_wrap=True, highlight=False)


def _print_row(row: "RowExplanation") -> None:
    from nexusflow.services.report import unit
    from nexusflow.services.words import cell_words, direction, number_words, plain

    said = f"predicted {number_words(row.prediction)}, was {number_words(row.outcome['target'])}"
    grid = Grid(title=escape(plain(f"{row.key}: {said}")))
    grid.add_column("what", overflow="fold")
    for name in ("adds", "is worth"):
        grid.add_column(name, justify="right")
    worth = dict(zip(row.shapley["role"], row.shapley["value"], strict=True))
    for line in row.contributions.sort_values("contribution", key=abs, ascending=False).itertuples():
        grid.add_row(escape(plain(line.role)), f"{line.contribution:+.4f}", f"{worth[line.role]:+.4f}")
    grid.add_row("(the same for every row)", f"{row.bias:+.4f}", "")
    grid.add_row("(all tables hidden)", "", f"{row.hidden_output:+.4f}")
    grid.add_row("output", f"{row.output:+.4f}", f"{row.output:+.4f}", end_section=True)
    for _, cell in row.cells.head(CELLS_SHOWN).iterrows():
        grid.add_row(escape(plain(cell_words(cell))), f"{cell['score']:+.4f}", "", style="dim")
    out.print(grid)
    out.print(escape(f"Shapley values: {row.agreement}"), soft_wrap=True, highlight=False)
    task = row.task
    said = f"In {unit(task)}. {direction(task, row.prediction)}"
    out.print(escape(said), style="dim", soft_wrap=True, highlight=False)


def _write(explanation: "Explanation", file: Path, keys: list[str], asked: list[str], rows: int) -> None:
    """`keys` are all rows that are explained, `asked` those that were named and `rows` how many more of each kind."""
    from nexusflow.services.prediction import safe_csv
    from nexusflow.services.report import AT_RANDOM, WORST
    from nexusflow.services.storage import write_bytes

    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".html":
        with err.status("Writing the report") as status:
            explanation.to_html(
                file,
                rows=asked,
                worst=rows or WORST,
                at_random=rows or AT_RANDOM,
                on_step=lambda share, what: status.update(f"{what} ({share:.0%})"),
            )
    elif file.suffix == ".json":
        write_bytes(file, json.dumps(explanation.to_dict(keys), indent=1, allow_nan=False).encode())
    else:
        file.mkdir(exist_ok=True)
        frames = dict(explanation.frames())
        for number, key in enumerate(keys, start=1):
            one = explanation.row(key)
            frames[f"row-{number}-contributions"] = one.contributions.assign(key=one.key)
            frames[f"row-{number}-shapley"] = one.shapley.assign(key=one.key)
            frames[f"row-{number}-cells"] = one.cells.assign(key=one.key)
        for name, frame in frames.items():
            write_bytes(file / f"{name}.csv", safe_csv(frame))
