"""`nexusflow models` and `nexusflow baseline`: what there is to compare with."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table as Grid

from nexusflow.cli_results import duration, print_scores
from nexusflow.cli_shared import (
    CANCELLED,
    AsJson,
    Config,
    Settings,
    config_file,
    err,
    give,
    interruptible,
    out,
    say,
    tell,
    told,
    told_plainly,
)

if TYPE_CHECKING:
    from nexusflow.services.ranking import Ranked


def models(
    folder: Annotated[
        Path, typer.Argument(help="A project folder, or a folder of runs.", metavar="FOLDER")
    ] = Path(),
    as_json: AsJson = False,
) -> None:
    """List the runs of a project, best first, with their metrics and dates.

    Runs are compared only with those that asked the same question, by its first metric on the test rows.

    Example: nexusflow models --json
    """
    with told_plainly():
        from nexusflow.services.ranking import ranked_runs

        found = ranked_runs(folder)
        if as_json:
            give([_facts(one) for one in found])
            return
        for question in dict.fromkeys(one.question for one in found):
            _print(question, [one for one in found if one.question == question])
        if not found:
            say(f"There are no runs in the folder {folder.resolve()}. Make one with nexusflow train.")


def baseline(config: Config = None, settings: Settings = None, as_json: AsJson = False) -> None:
    """Train only the baselines: what any model of this configuration has to beat.

    They are fitted on the same rows as those of `nexusflow train`, with the same seed, and nothing is kept.

    Example: nexusflow baseline --config configs/config.yaml
    """
    with told_plainly():
        from nexusflow.services.project_run import measure_baselines, read_project

        path = config_file(config)
        with err.status("Reading the tables"):
            project = read_project(path, settings or ())
        tell(project.problems)
        with interruptible() as should_stop, err.status("Training the baselines"):
            found = measure_baselines(project, should_stop=should_stop)
        if as_json:
            facts = {"examples": found.examples, "scores": found.scores, "seconds": found.seconds}
            give({"question": project.task.title, **facts, "problems": told(project.problems)})
        else:
            say(f"Question: {project.task.title}")
            for part in ("validation", "test"):
                scores = {name: parts[part] for name, parts in found.scores.items() if part in parts}
                print_scores(f"{part.capitalize()} rows ({found.examples[part]:,})", scores)
            say("Took " + ", ".join(f"{name} {duration(s)}" for name, s in found.seconds.items()))
        if should_stop():
            raise typer.Exit(CANCELLED)


def _facts(one: "Ranked") -> dict[str, Any]:
    run = one.run
    return {
        "run": run.id,
        "name": run.name,
        "question": one.question,
        "status": str(run.status),
        "created": run.created,
        "folder": str(one.folder),
        "model": None if one.model is None else str(one.model),
        "metric": one.metric,
        "part": one.part,
        "value": one.value,
        "parameters": run.parameters,
        "seconds": run.seconds,
        "metrics": run.metrics,
        "baselines": run.baselines,
    }


def _print(question: str, ranked: "list[Ranked]") -> None:
    grid = Grid(title=escape(question))
    for name in ("run", "name", "made", "status"):
        grid.add_column(name, overflow="fold", no_wrap=name == "run")
    grid.add_column(escape(ranked[0].metric.replace("_", " ")), justify="right")
    grid.add_column("best baseline", justify="right")
    for one in ranked:
        mine = (
            "" if one.value is None else f"{one.value:.4f}" + ("" if one.part == "test" else f" ({one.part})")
        )
        theirs = "" if one.baseline is None else f"{one.baseline:.4f}"
        made = one.run.created[:16].replace("T", " ")
        grid.add_row(one.run.id, escape(one.run.name), made, str(one.run.status), mine, theirs)
    out.print(grid)
