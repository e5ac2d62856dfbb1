"""`nexusflow promote`: give a trained run a stage, such as champion."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from nexusflow.cli_shared import out, tell, told_plainly
from nexusflow.errors import ConfigError

if TYPE_CHECKING:
    from nexusflow.services.storage import RunStore


def promote(
    run: Annotated[
        str,
        typer.Argument(help="A run: its id, a part of it that fits no other, or its folder.", metavar="RUN"),
    ],
    stage: Annotated[str, typer.Option("--stage", help="candidate, champion or archived.")] = "champion",
    note: Annotated[str, typer.Option("--note", help="Why; kept with the time of the change.")] = "",
    folder: Annotated[Path, typer.Option("--models", help="The folder of the runs.")] = Path("models"),
) -> None:
    """Make a run the champion of its question, a candidate again, or archive it.

    A question has one champion at most: the one before is archived. Every change is kept with its time and note in
    registry.json beside the runs, and a version registered with MLflow follows.

    Example: nexusflow promote 20261123-181502-ab12 --stage champion --note "Better on March"
    """
    with told_plainly():
        from nexusflow.services.promotion import decide
        from nexusflow.services.registry import Stage
        from nexusflow.services.storage import RunStore

        if stage not in list(Stage):
            raise ConfigError(f"--stage takes {', '.join(Stage)}; it was given {stage!r}.")
        at = Path(run)
        store = RunStore(at.resolve().parent if at.is_dir() else folder)
        version, problems = decide(store, _run_id(store, run), Stage(stage), note=note)
        tell(problems)
        name = escape(f"{version.run.id} ({version.run.name})")
        out.print(f"{name}: {version.stage}", soft_wrap=True, highlight=False)


def _run_id(store: "RunStore", run: str) -> str:
    if Path(run).is_dir():
        return Path(run).resolve().name
    known = [one.id for one in store.list()]
    fitting = [one for one in known if one == run] or [one for one in known if run in one]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ConfigError(f"{run!r} fits several runs: {', '.join(fitting)}. Name one by its whole id.")
    listed = f" The newest are: {', '.join(known[:8])}." if known else " There are none."
    raise ConfigError(f"{run!r} is no run in {store.root}.{listed}")
