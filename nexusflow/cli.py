"""The command line, gathered: each command lives in a module of its own."""

from typing import Annotated

import typer

import nexusflow
from nexusflow.cli_explain import explain
from nexusflow.cli_inspect import inspect
from nexusflow.cli_models import baseline, models
from nexusflow.cli_optimize import optimize
from nexusflow.cli_predict import evaluate, predict
from nexusflow.cli_project import init, start_app
from nexusflow.cli_promote import promote
from nexusflow.cli_serve import serve
from nexusflow.cli_shared import out
from nexusflow.cli_train import search, train

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 refused or unreadable, 2 wrong options, 130 stopped by Ctrl-C.",
)
PROJECT, MODEL = "Projects", "Models"
app.command(rich_help_panel=PROJECT)(init)
app.command(rich_help_panel=PROJECT)(inspect)
app.command(rich_help_panel=PROJECT)(train)
app.command(rich_help_panel=PROJECT)(search)
app.command(rich_help_panel=PROJECT)(baseline)
app.command(rich_help_panel=PROJECT)(models)
app.command(name="app", rich_help_panel=PROJECT)(start_app)
app.command(rich_help_panel=MODEL)(evaluate)
app.command(rich_help_panel=MODEL)(predict)
app.command(rich_help_panel=MODEL)(explain)
app.command(rich_help_panel=MODEL)(optimize)
app.command(rich_help_panel=MODEL)(promote)
app.command(rich_help_panel=MODEL)(serve)


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
