"""What the commands share: where they print, how errors are told, and how tables are named."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape

from nexusflow.errors import ConfigError, NexusFlowError, Problem, Severity

if TYPE_CHECKING:
    from nexusflow.data.tables import TableSet

BAD_INPUT, CANCELLED = 2, 130

out, err = Console(), Console(stderr=True)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Errors that the user can mend are told on stderr, each with its place and the way out."""
    try:
        yield
    except NexusFlowError as error:
        tell(error.problems)
        raise typer.Exit(BAD_INPUT) from None
    except OSError as error:
        if error.filename is None:
            raise
        message = f"{error.filename}: {error.strerror or type(error).__name__}."
        tell([Problem(severity=Severity.ERROR, message=message)])
        raise typer.Exit(BAD_INPUT) from None
    except KeyboardInterrupt:
        err.print("Stopped.")
        raise typer.Exit(CANCELLED) from None


def table_files(given: Sequence[str]) -> dict[str, Path]:
    """The files that `--table NAME=FILE` names, by table; ConfigError where one is not there."""
    files: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise ConfigError(
                f"--table takes NAME=FILE, as in customers=customers.csv; it was given {text!r}."
            )
        if not Path(path).is_file():
            raise ConfigError(f"There is no file {path} for the table {name!r}. Paths start at {Path.cwd()}.")
        files[name] = Path(path)
    return files


def read_tables(given: Sequence[str]) -> "TableSet":
    """The tables that `--table NAME=FILE` names; every file that cannot be read is told at once."""
    from nexusflow.services.opening import as_tables

    return as_tables(table_files(given), ())


def tell(problems: Sequence[Problem]) -> None:
    """Problems on stderr, a line each."""
    colours = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
    for problem in problems:
        label = f"[{colours[problem.severity]}]{problem.severity}[/]"
        err.print(f"{label} {escape(str(problem))}", soft_wrap=True, highlight=False)
