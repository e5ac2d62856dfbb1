"""`nexusflow optimize`: a smaller model file, with what it costs before and after."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as Grid

from nexusflow.cli_shared import (
    AsJson,
    UsageError,
    err,
    give,
    out,
    read_tables,
    say,
    tell,
    told,
    told_plainly,
)

if TYPE_CHECKING:
    import pandas as pd


def optimize(
    model: Annotated[
        Path,
        typer.Argument(help="The .nxf file of a trained model, or the folder of its run.", metavar="MODEL"),
    ],
    file: Annotated[Path, typer.Option("--out", help="Where the smaller model goes, a .nxf file.")],
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            help="A table and its file, as in customers=data/customers.csv; once for each table. Without tables only "
            "sizes are compared.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            help="quantization (int8 weights, the default) or pruning; given twice, both. With --target-mb: what may "
            "be done.",
        ),
    ] = None,
    amount: Annotated[
        float | None, typer.Option("--amount", help="The share of weights that pruning removes; default 0.3.")
    ] = None,
    target_mb: Annotated[
        float | None,
        typer.Option("--target-mb", help="The size to reach, in millions of bytes, at the smallest loss."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a model file smaller, and tell its size, scores, latency and memory before and after.

    Scores are of the test rows where the tables are those of the training, else of all rows whose target is known. A
    size that cannot be reached without losing more than 0.01 of the score is refused with the closest that can.
    """
    with told_plainly():
        if file.suffix != ".nxf":
            raise UsageError(f"--out must end in .nxf; it is {file.name!r}.")
        from nexusflow.services.optimising import comparison, optimise, steps_words

        tables = read_tables(table) if table else None
        with err.status("Reading the model") as status:
            found, problems = optimise(
                model,
                tables,
                method=method or None,
                amount=amount,
                target_size_mb=target_mb,
                on_step=lambda share, what: status.update(f"{what} ({share:.0%})"),
            )
        tell(problems)
        record = found.optimization_metadata
        found.save(file)
        if as_json:
            give({**record, "file": str(file), "problems": told(problems)})
            return
        rows = f", on {record['rows']:,} {record['part']} rows" if record["rows"] else ""
        _print(comparison(record), f"{steps_words(record)}{rows}")
        say(f"Model: {file}")


def _print(frame: "pd.DataFrame", title: str) -> None:
    grid = Grid(title=title)
    for name in ("", "before", "after", "change"):
        grid.add_column(name, justify="right" if name else "left", no_wrap=True)
    for line in frame.itertuples():
        grid.add_row(str(line.measure), f"{line.before:.4g}", f"{line.after:.4g}", str(line.change))
    out.print(grid)
