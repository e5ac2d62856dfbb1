"""What lies in a new project for its reader: a notebook that trains briefly and explains, and a README."""

from nexusflow.data.task import Task
from nexusflow.services.notebook import as_notebook, md

SHORT = (
    "training.epochs=2",
    "training.rows_per_epoch=512",
    "training.distillation=0",
    "training.refit=false",
)


def first_notebook(name: str, task: Task) -> bytes:
    """A notebook that reads the project's configuration, trains it for a moment and shows what came of it."""
    short = "".join(f"    {setting!r},\n" for setting in SHORT)
    return as_notebook(
        [
            (
                "markdown",
                f"# {md(name)}: first steps\n\nPredicts {md(task.title)}. The configuration is "
                "`configs/config.yaml`; run the cells in order.",
            ),
            (
                "code",
                "from pathlib import Path\n\nimport pandas as pd\n\nfrom nexusflow.api import explain, read, train\n\n"
                "here = Path.cwd()\n"
                "PROJECT = next(p for p in (here, *here.parents) if (p / 'configs' / 'config.yaml').is_file())",
            ),
            ("markdown", "## The tables\n\nRead as the configuration says."),
            (
                "code",
                "project = read(PROJECT)\npd.Series(project.rows, name='rows').to_frame()",
            ),
            (
                "code",
                "for table in project.tables.values():\n    print(table.name)\n    print(table.head(3).to_string())",
            ),
            (
                "markdown",
                "## A short training\n\nTwo short epochs, to see that everything fits. For a real model leave "
                "`settings` out, or run `nexusflow train` in the project's folder.",
            ),
            ("code", f"trained = train(PROJECT, settings=[\n{short}])\ntrained.folder.name"),
            (
                "code",
                "part = 'test' if trained.run.metrics.get('test') else 'validation'\n"
                "scores = {'NexusFormer': trained.run.metrics[part]}\n"
                "scores |= {name: parts[part] for name, parts in trained.run.baselines.items()}\n"
                "pd.DataFrame(scores).T",
            ),
            (
                "markdown",
                "## Why\n\nWhich tables and columns the answers come from, and whether that can be trusted.",
            ),
            ("code", "explanation = explain(trained.folder)\nexplanation"),
            ("code", "explanation.faithfulness"),
            ("code", "explanation.columns.head(10)"),
            ("markdown", "## One row\n\nThe largest error."),
            (
                "code",
                "worst = explanation.rows.dropna(subset='error').sort_values('error').iloc[-1]\n"
                "row = explanation.row(worst['key'])\nrow.contributions",
            ),
            ("code", "row.figure('contributions')"),
            ("markdown", "## To take away\n\nOne HTML file that needs no network."),
            ("code", "explanation.to_html(PROJECT / 'results' / 'report.html', worst=1, at_random=1).name"),
        ]
    )


def readme(name: str, task: Task) -> str:
    """What is where, and what to do first."""
    return f"""\
# {md(name)}

A NexusFlow project that predicts {md(task.title)}.

| Folder | What is in it |
|---|---|
| `configs/` | `config.yaml`: what to predict, from which tables, and how. The whole truth of a run. |
| `datasets/` | The tables. |
| `models/` | A folder for each run: its record, its model, its predictions. |
| `results/` | Predictions and reports. |
| `notebooks/` | `first_steps.ipynb`: trains briefly and explains. |

In this folder:

```
nexusflow train --dry-run          # check everything; size, memory and time
nexusflow baseline                 # what a model has to beat
nexusflow train                    # train, with the baselines beside
nexusflow models                   # the runs, best first
nexusflow evaluate models/RUN      # its metrics again, or on new tables with --table
nexusflow explain models/RUN       # where its answers come from
nexusflow app --project .          # the same in a browser
```

Change a setting for one run with `--set`, as in `nexusflow train --set training.epochs=3`.
"""
