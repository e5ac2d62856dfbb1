"""A run as a Jupyter notebook that opens the same model and tables and makes the same explanations."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from nexusflow.explain.baseline import Baseline
from nexusflow.services.insight import Insight
from nexusflow.services.starts import from_words
from nexusflow.services.storage import RunStore
from nexusflow.services.words import plain
from nexusflow.train.run import Run

# Cell ids came with 4.5.
MAJOR, MINOR = 4, 5


def to_notebook(insight: Insight, baseline: Baseline = Baseline.MISSING) -> bytes:
    """The notebook of a run, as JSON of nbformat 4; no path of this machine stands in it.

    Its scores of columns and cells start from `baseline`.
    """
    run = insight.store.load(insight.run_id)
    found = insight.rows(part=str(insight.sampled_part), order="error").dropna(subset="error")
    key = str((found if len(found) else insight.rows())["key"].iloc[0])
    return as_notebook(_sources(insight, run, key, baseline))


def as_notebook(sources: Sequence[tuple[str, str]]) -> bytes:
    """Cells of kind and source as a notebook that has not been run."""
    cells = [_cell(kind, source, number) for number, (kind, source) in enumerate(sources)]
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": MAJOR,
        "nbformat_minor": MINOR,
    }
    return (json.dumps(notebook, indent=1, ensure_ascii=True) + "\n").encode("ascii")


def _sources(insight: Insight, run: Run, key: str, baseline: Baseline) -> list[tuple[str, str]]:
    files = {name: insight.reader.tables[name].source or "FILE" for name in run.data_sha256}
    from_there = _from_there(baseline)
    said = "\n".join(f"#     {name!a}: {source!a}," for name, source in files.items())
    cells = [
        (
            "markdown",
            f"# {md(run.name)}\n\nThe explanations of run `{run.id}`, made again from its model and its tables. "
            "Run the cells in order; every frame is an ordinary pandas frame.",
        ),
        (
            "code",
            "from nexusflow.api import explain, run_folder\n\n"
            "# Where the workbench keeps its files elsewhere than by default, set the environment's NEXUSFLOW_HOME.\n"
            + _opening(insight.store, run, baseline)
            + "\n# Anywhere else, give the model's folder and the tables, as frames or files:\n"
            f"# explanation = explain('MODEL_FOLDER', {{\n{said}\n# }}{from_there})\n"
            "explanation",
        ),
        (
            "markdown",
            "## Tables\n\nWhat the predictions draw on, and whether that agrees with hiding one table.",
        ),
        ("code", "print(explanation.sentence)\nexplanation.faithfulness"),
        ("code", "explanation.figure('rollout')"),
        ("code", "explanation.figure('attention')"),
        (
            "markdown",
            f"## Columns\n\nBy integrated gradients, {from_words(baseline)}; computed on first use, and kept with the "
            "run.",
        ),
        ("code", "explanation.figure('columns')"),
        ("code", "explanation.columns.head(20)"),
    ]
    if insight.tabnet_tables:
        cells += [
            ("markdown", "## TabNet masks"),
            ("code", "explanation.masks.pivot(index=['table', 'column'], columns='step', values='share')"),
        ]
    return [
        *cells,
        ("markdown", "## One row\n\nThe largest error to begin with. `explanation.rows` lists all."),
        (
            "code",
            "explanation.rows.sort_values('error', ascending=False).head(10)",
        ),
        ("code", f"row = explanation.row({key!a})\nrow.outcome"),
        ("code", "row.figure('contributions')"),
        ("code", "print(row.agreement)\nrow.figure('shapley')"),
        ("code", "row.figure('cells')"),
        ("code", "for role, frame in row.related.items():\n    print(role)\n    print(frame.head())"),
        ("markdown", "## The whole report\n\nOne HTML file that needs no network."),
        ("code", "# explanation.to_html('report.html')"),
    ]


def _from_there(baseline: Baseline) -> str:
    """The argument that says what scores start from, where it is not what they start from anyway."""
    return f", baseline={str(baseline)!r}" if baseline is not Baseline.MISSING else ""


def _opening(store: RunStore, run: Run, baseline: Baseline) -> str:
    around = store.root.parent
    if around.parent.name == "workspaces":
        told = "# The first name is the workspace's, which opens it in the workbench: share it as you would that.\n"
        return (
            f"{told}explanation = explain(run_folder({around.name!a}, {run.id!a}){_from_there(baseline)})\n"
        )
    return f"explanation = explain('MODEL_FOLDER', {{'TABLE': 'FILE'}}{_from_there(baseline)})\n"


def md(text: object) -> str:
    """A name as Markdown that shows just this text."""
    line = plain(text)
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>()#+-.!|$&~" else c for c in line)


def _cell(kind: str, source: str, number: int) -> dict[str, Any]:
    """A cell; its id depends on what it holds and where, so that the same run gives the same notebook."""
    name = hashlib.sha256(f"{number} {kind} {source}".encode("utf-8", "replace")).hexdigest()[:8]
    cell: dict[str, Any] = {"cell_type": kind, "id": name, "metadata": {}, "source": source.splitlines(True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
