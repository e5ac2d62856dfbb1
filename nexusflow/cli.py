"""The command line: inspect, train, predict, explain, and the app."""

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table as Grid

import nexusflow
from nexusflow.cli_explain import explain
from nexusflow.cli_progress import Bar
from nexusflow.cli_promote import promote
from nexusflow.cli_shared import CANCELLED, err, out, read_tables, tell, told_plainly
from nexusflow.errors import ConfigError

if TYPE_CHECKING:
    from nexusflow.services.inspection import Inspection
    from nexusflow.train.run import Run

log = logging.getLogger(__name__)
app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(explain)
app.command()(promote)


def main() -> None:
    """Run the command line."""
    app()


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Predictions over related tables, with the reasons for them."""
    if version:
        out.print(f"nexusflow {nexusflow.__version__}", highlight=False)
        raise typer.Exit()


@app.command()
def train(
    config: Annotated[Path, typer.Option("--config", help="The configuration of the run, a YAML file.")],
    folder: Annotated[Path, typer.Option("--out", help="Where the run's folder is made.")] = Path("models"),
    name: Annotated[str, typer.Option("--name", help="A name for the run.")] = "",
) -> None:
    """Train the model that a configuration describes, with baselines beside it.

    Ctrl-C stops within a batch and keeps the best weights so far. The tables are read from where the
    configuration says, seen from its own folder.
    """
    with told_plainly():
        _train(config, folder, name)


@app.command()
def search(
    config: Annotated[Path, typer.Option("--config", help="The configuration to begin with, a YAML file.")],
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.01, help="How long it may take in all.")
    ] = 10.0,
    folder: Annotated[Path, typer.Option("--out", help="Where the run's folder is made.")] = Path("models"),
    name: Annotated[str, typer.Option("--name", help="A name for the run.")] = "",
    save: Annotated[
        str,
        typer.Option(
            "--save", help="A name for the YAML file of the chosen settings; by default NAME.best.yaml."
        ),
    ] = "",
) -> None:
    """Look for better settings within some minutes, and train the model that they give.

    The settings as they stand are tried first and the lowest validation loss decides, so what is chosen does no worse
    on the validation rows. It is written beside the configuration, as a file that `nexusflow train` takes.
    """
    with told_plainly():
        from nexusflow.services.search import chosen_yaml

        chosen = config.parent / (save or f"{config.stem}.best.yaml")
        if chosen == config or chosen.parent != config.parent:
            raise ConfigError(f"--save takes the name of another file in {config.parent}; it is {save!r}.")

        def keep(run: "Run") -> None:
            if run.best_trial:
                chosen.write_text(chosen_yaml(config.read_text(encoding="utf-8"), run), encoding="utf-8")
                out.print(f"Settings: {escape(str(chosen))}", soft_wrap=True, highlight=False)

        _train(config, folder, name, minutes, keep)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="The folder of a trained model.", metavar="MODEL_DIR")],
    table: Annotated[
        list[str],
        typer.Option(
            "--table", help="A table and its file, as in customers=data/customers.csv; once for each table."
        ),
    ],
    file: Annotated[Path, typer.Option("--out", help="Where predictions go: .csv or .parquet.")],
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            help="The date to ask a question over time on, as 2024-01-31; default: where the data end.",
        ),
    ] = None,
) -> None:
    """Score every row of the entity table with a trained model.

    A model of a question over time scores its entities as of one date, and needs no labels.

    In a CSV, text that a spreadsheet would run as a formula gets a leading apostrophe; Parquet keeps it as it is.
    """
    with told_plainly():
        if file.suffix not in (".csv", ".parquet"):
            raise ConfigError(f"--out must end in .csv or .parquet; it is {file.name!r}.")
        from nexusflow.services.prediction import predict as predict_tables
        from nexusflow.services.prediction import safe_csv

        tables = read_tables(table)
        tell(tables.problems)
        prediction = predict_tables(model, tables, as_of=as_of)
        tell(prediction.problems)
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".csv":
            file.write_bytes(safe_csv(prediction.frame))
        else:
            prediction.frame.to_parquet(file, index=False)
        out.print(f"{len(prediction.frame):,} rows: {escape(str(file))}", soft_wrap=True, highlight=False)


@app.command()
def inspect(
    folder: Annotated[Path, typer.Argument(help="A folder of CSV, TSV or Parquet files.", metavar="FOLDER")],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the schema: .yaml, .dbml or .sql.")
    ] = None,
) -> None:
    """Show what a folder of tables suggests: keys, relations with their figures, and what does not fit."""
    with told_plainly():
        from nexusflow.data.schema_text.formats import format_of
        from nexusflow.services.inspection import inspect_folder

        if export is not None:
            format_of(export.name)
        found = inspect_folder(folder)
        tell(found.tables.problems)
        if as_json:
            print(json.dumps(found.to_dict(), indent=1))
        else:
            _print_inspection(found)
        if export is not None:
            export.parent.mkdir(parents=True, exist_ok=True)
            export.write_text(found.text(export.name), encoding="utf-8", newline="")
            err.print(f"Schema: {escape(str(export))}", soft_wrap=True, highlight=False)


@app.command(name="app")
def start_app(port: Annotated[int, typer.Option("--port", help="The port to listen on.")] = 8501) -> None:
    """Start the workbench in a browser."""
    with told_plainly():
        script = Path(nexusflow.__file__).parent.parent / "app.py"
        if not script.is_file() or find_spec("streamlit") is None:
            raise ConfigError("The workbench is not installed here. Start it from a copy of the repository.")
        command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
        # Streamlit reads .streamlit/config.toml from the folder it is started in.
        code = subprocess.run(command, cwd=script.parent, check=False).returncode
        raise typer.Exit(code)


def _train(
    config: Path,
    folder: Path,
    name: str,
    minutes: float | None = None,
    keep: "Callable[[Run], None]" = lambda run: None,
) -> None:
    from nexusflow.services.projects import load_project
    from nexusflow.services.search import search_within
    from nexusflow.services.storage import RunStore, new_run_id
    from nexusflow.services.training import has_model, model_folder, new_run, run_training, unread_tables

    learn = search_within(minutes) if minutes else None
    settings, tables, schema, task = load_project(config)
    tell((*tables.problems, *unread_tables(tables, schema, task, hops=settings.architecture.hops)))
    store, run_id = RunStore(folder), new_run_id()
    named = name or settings.project_name
    run = new_run(run_id, name=named, config=settings, schema=schema, task=task)
    store.create(replace(run, search_minutes=minutes))
    with _interruptible() as should_stop, Bar(err) as bar:
        run = run_training(
            config=settings,
            tables=tables,
            schema=schema,
            task=task,
            store=store,
            run_id=run_id,
            on_event=bar.show,
            should_stop=should_stop,
            learn=learn,
        )
    _print_metrics(run)
    if has_model(store, run_id):
        out.print(f"Model: {escape(str(model_folder(store, run_id)))}", soft_wrap=True, highlight=False)
    keep(run)
    if should_stop():
        raise typer.Exit(CANCELLED)


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C into a wish to stop; a second one stops at once."""
    asked = False

    def ask(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        err.print("Stopping; the best weights so far are kept. Press Ctrl-C again to stop at once.")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def _print_inspection(found: "Inspection") -> None:
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


def _print_metrics(run: "Run") -> None:
    """The model beside its baselines, on the test rows, or the validation rows where there are none."""
    part = "test" if run.metrics.get("test") else "validation"
    models = {"NexusFormer": run.metrics, **run.baselines}
    mine = dict(run.metrics.get(part, {}))
    coverage, width = mine.pop("coverage", None), mine.pop("interval_width", None)
    names = list(mine)
    if not names:
        return
    grid = Grid(title=f"{part.capitalize()} rows")
    grid.add_column("", no_wrap=True)
    for name in names:
        grid.add_column(name.replace("_", " "), justify="right")
    for model, parts in models.items():
        grid.add_row(escape(model), *(f"{parts[part][name]:.4f}" for name in names))
    out.print(grid)
    if coverage is not None:
        level = run.calibration["interval"]["level"]
        out.print(f"The {level:.0%} intervals hold {coverage:.1%} of the {part} rows; mean width {width:.4g}")
