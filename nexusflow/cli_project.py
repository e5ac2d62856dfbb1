"""`nexusflow init` and `nexusflow app`: a project folder made, and opened in the workbench."""

import os
import subprocess
import sys
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import nexusflow
from nexusflow.cli_shared import (
    AsJson,
    UsageError,
    err,
    give,
    say,
    tell,
    told,
    told_plainly,
)
from nexusflow.errors import ConfigError
from nexusflow.services.project_place import CONFIG_FILE

if TYPE_CHECKING:
    from nexusflow.services.starting import Started

OTHERS_SHOWN = 4


class Sample(StrEnum):
    """The bundled samples, named here so that the shell can complete them."""

    CHURN = "churn"
    FLIGHTS = "flights"


def init(
    folder: Annotated[Path, typer.Argument(help="The project's folder, which is made.", metavar="NAME")],
    sample: Annotated[
        Sample | None, typer.Option("--sample", help="Start from a bundled sample. Default: churn.")
    ] = None,
    tables: Annotated[
        Path | None,
        typer.Option(
            "--tables", help="Start from the table files of this folder, or from this one; they are copied."
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="TABLE.COLUMN",
            help="The column to predict. Default: the likeliest, by names and values.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a project folder: a configuration, the tables, and a notebook that trains briefly and explains.

    Keys, relations and kinds are inferred from the files and written into configs/config.yaml, where you can change
    them. Nothing that is there already is overwritten.

    Example: nexusflow init shop --tables exports --target customers.churned
    """
    with told_plainly():
        if sample is not None and tables is not None:
            raise UsageError("Give --sample or --tables, not both.")
        from nexusflow.services.starting import start_project

        with err.status("Reading the tables"):
            made = start_project(folder, sample=sample and sample.value, source=tables, target=target)
        tell(made.problems)
        if as_json:
            give(_facts(made))
        else:
            _print(made)


def start_app(
    project: Annotated[
        Path | None,
        typer.Option("--project", help="Open this project folder; saving writes its configuration back."),
    ] = None,
    port: Annotated[int, typer.Option("--port", help="The port to listen on.")] = 8501,
) -> None:
    """Start the workbench in a browser.

    With --project it opens the folder's tables, keys, question and settings. Its runs are those of the folder's
    models/, and "Save to the project" writes configs/config.yaml.

    Example: nexusflow app --project shop
    """
    with told_plainly():
        script = Path(nexusflow.__file__).parent.parent / "app.py"
        if not script.is_file() or find_spec("streamlit") is None:
            raise ConfigError("The workbench is not installed here. Start it from a copy of the repository.")
        environment = dict(os.environ)
        if project is not None:
            environment["NEXUSFLOW_WORKSPACE"] = _open(project, port)
        command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
        # Streamlit reads .streamlit/config.toml from the folder it is started in.
        code = subprocess.run(command, cwd=script.parent, env=environment, check=False).returncode
        raise typer.Exit(code)


def _open(project: Path, port: int) -> str:
    """The id of the workspace that the project is opened in."""
    from nexusflow.services.project_folder import open_project

    with err.status("Opening the project"):
        opened = open_project(project)
    tell(opened.problems)
    say(f"Project: {opened.folder}")
    say(f"Address: http://127.0.0.1:{port}/?ws={opened.workspace.id}")
    return opened.workspace.id


def _facts(made: "Started") -> dict[str, object]:
    return {
        "folder": str(made.folder),
        "config": str(made.folder / CONFIG_FILE),
        "tables": dict(made.rows),
        "target": {"table": made.task.entity_table, "column": made.task.target_column},
        "kind": made.task.kind.value,
        "proposed": [
            {"table": g.table, "column": g.column, "score": g.score, "reasons": list(g.reasons)}
            for g in made.guesses
        ],
        "problems": told(made.problems),
    }


def _print(made: "Started") -> None:
    say(f"Made {made.folder}: " + ", ".join(f"{name} ({rows:,} rows)" for name, rows in made.rows.items()))
    if made.guesses:
        best, others = made.guesses[0], made.guesses[1 : 1 + OTHERS_SHOWN]
        why = f" ({', '.join(best.reasons)})" if best.reasons else ""
        say(f"Proposed target: {best}{why}. Change it in {made.folder / CONFIG_FILE}.")
        if others:
            say(f"It could also be: {', '.join(map(str, others))}.")
    else:
        say(f"Target: {made.task.entity_table}.{made.task.target_column}")
    say(f"Next: cd {made.folder}; nexusflow train --dry-run; nexusflow train; nexusflow app --project .")
