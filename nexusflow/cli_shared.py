"""What the commands share: where they print, how errors are told, how they end, and how tables are named."""

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from nexusflow.errors import ConfigError, NexusFlowError, Problem, Severity
from nexusflow.services.project_place import CONFIG_FILE

if TYPE_CHECKING:
    from nexusflow.data.tables import TableSet

# How a command ends, see docs/cli.md; 2 is also what typer gives for an option that there is not.
FINE, REFUSED, USAGE, CANCELLED = 0, 1, 2, 130

# Results go to stdout and all else to stderr, so that a program can read the one and a person the other.
out, err = Console(), Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, and nothing else.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a setting of the file, as in training.epochs=3 or datasets.customers.complexity=large; "
        "may be given again.",
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", help=f"The configuration of the run, a YAML file. Default: {CONFIG_FILE} of this folder."
    ),
]


class UsageError(ConfigError):
    """An option that is not written as the command takes it."""


@contextmanager
def told_plainly() -> Iterator[None]:
    """Errors that the user can mend are told on stderr, each with its place and the way out; the exit code follows."""
    try:
        yield
    except UsageError as error:
        tell(error.problems)
        raise typer.Exit(USAGE) from None
    except NexusFlowError as error:
        tell(error.problems)
        raise typer.Exit(REFUSED) from None
    except OSError as error:
        if error.filename is None:
            raise
        message = f"{error.filename}: {error.strerror or type(error).__name__}."
        tell([Problem(severity=Severity.ERROR, message=message)])
        raise typer.Exit(REFUSED) from None
    except KeyboardInterrupt:
        err.print("Stopped.")
        raise typer.Exit(CANCELLED) from None


@contextmanager
def interruptible(kept: str = "what is done so far is") -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C into a wish to stop; a second one stops at once."""
    asked = False

    def ask(signum: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        err.print(f"Stopping; {kept} kept. Press Ctrl-C again to stop at once.")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def config_file(given: Path | None) -> Path:
    """The configuration that is meant: a file, or that of a project's folder; UsageError where none is named."""
    if given is None:
        if not CONFIG_FILE.is_file():
            raise UsageError(
                f"There is no {CONFIG_FILE} in {Path.cwd()}. Name a configuration by --config, or make a project with "
                "nexusflow init NAME."
            )
        return CONFIG_FILE
    inside = given / CONFIG_FILE
    return inside if inside.is_file() else given


def models_folder(config: Path) -> Path:
    """Where runs of a configuration are kept if nobody says: in the project's models/, or in that of this folder."""
    place = config.resolve().parent
    beside = place.parent / "models"
    if place.name != CONFIG_FILE.parent.name or not beside.is_dir() or place.parent == Path.cwd():
        return Path("models")
    return beside


def table_files(given: Sequence[str]) -> dict[str, Path]:
    """The files that `--table NAME=FILE` names, by table; ConfigError where one is not there."""
    files: dict[str, Path] = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not (name and equals and path):
            raise UsageError(
                f"--table takes NAME=FILE, as in customers=customers.csv; it was given {text!r}."
            )
        if not Path(path).exists():
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


def say(text: str) -> None:
    """A line of the result, as it is: no markup, no wrapping."""
    out.print(escape(text), soft_wrap=True, highlight=False)


def give(data: Any) -> None:
    """The result for a program: JSON on stdout, numbers to the bit."""
    # Not through rich, which would wrap and colour it.
    print(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False), flush=True)


def told(problems: Sequence[Problem]) -> list[dict[str, Any]]:
    """Problems as plain dicts, for `give`."""
    return [
        {**{k: v for k, v in vars(p).items() if v not in (None, "")}, "severity": str(p.severity)}
        for p in problems
    ]
