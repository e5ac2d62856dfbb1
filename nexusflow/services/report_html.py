"""A report as one HTML file that needs no other: its charts are SVG, its figures CSV within, and it loads nothing.

Every name and value passes the template's escaping; the page's own policy forbids it the network, and any script but
the one that saves charts.
"""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nexusflow.data.task import Task
from nexusflow.explain.explanation import ROWS
from nexusflow.services import figures
from nexusflow.services.experts import ExpertsView
from nexusflow.services.explained import ExplainedRow
from nexusflow.services.passes import PassesView
from nexusflow.services.prediction import safe_csv
from nexusflow.services.report import Report, unit
from nexusflow.services.schema_figure import schema_figure
from nexusflow.services.shapley import ALL_HIDDEN, agreement, method_words
from nexusflow.services.starts import from_words
from nexusflow.services.words import cell_words, direction, moved_in, number_words, plain, stops_in

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.figure import Figure

TEMPLATE, SCRIPT = "report.html.j2", "report.js"
COLUMNS_SHOWN, CELLS_SHOWN, MUCH = 20, 12, 0.01
HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing with what it says in words and the frame behind it as a CSV to take away."""

    name: str
    title: str
    svg: str
    csv: str


def to_html(report: Report) -> bytes:
    """The report as a page in UTF-8; the same report gives the same bytes."""
    script = (HERE / SCRIPT).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = _template().render(
        report=report,
        charts={chart.name: chart for chart in charts(report)},
        script=script,
        script_digest=digest,
        unit=unit(report.task),
        moved_in=moved_in(report.task),
        stops_in=stops_in(report.task),
        rows=[_row(number, why, one, report.task) for number, (why, one) in enumerate(report.rows)],
        starts_from=from_words(report.baseline),
        much=MUCH,
    )
    # A lone surrogate in a name has no UTF-8.
    return page.encode("utf-8", "replace")


def charts(report: Report) -> Iterator[Chart]:
    """All charts of the report, by the names under which the template puts them in place."""
    rows = dict(zip(report.tables["table"], report.tables["rows"].fillna(0).astype(int), strict=True))
    drawn = schema_figure(report.schema, report.task.entity_table, rows)
    if drawn is not None:
        yield chart("schema", "Tables and relations", drawn, report.relations)
    if len(report.history) > 1:
        shown = figures.curves(report.history, x="epoch", title="Loss by epoch", unit="loss")
        yield chart("history", "Loss by epoch", shown, report.history)
    if report.reliability is not None:
        title = f"Do the chances of {report.task.target_column} = {report.reliability.positive} come true?"
        yield chart(
            "reliability",
            title,
            figures.reliability(report.reliability.frame, title=title),
            report.reliability.frame,
        )
    if report.intervals is not None:
        title = "Predicted and actual values"
        shown = figures.intervals(report.intervals.frame, title=title)
        yield chart("intervals", title, shown, report.intervals.frame)
    yield attention_chart(report.attention.matrix)
    yield rollout_chart(report.rollout)
    yield columns_chart(report.columns.frame, unit(report.task))
    for number, (table, mask) in enumerate(report.masks.items()):
        frame = figures.mask_frame(mask.columns, mask.step_GC, mask.aggregate_C)
        yield masks_chart(f"masks-{number}", table, frame)
    if report.experts is not None:
        yield from experts_charts(report.experts)
    if report.passes is not None:
        yield from passes_charts(report.passes)
    for number, (_, one) in enumerate(report.rows):
        yield contributions_chart(f"contributions-{number}", one, unit(report.task))
        yield shapley_chart(f"shapley-{number}", one, unit(report.task))
        yield cells_chart(f"cells-{number}", one, unit(report.task))


def chart(name: str, title: str, figure: "Figure", frame: pd.DataFrame) -> Chart:
    """A figure ready to be put into a page."""
    csv = base64.b64encode(safe_csv(frame)).decode()
    return Chart(name=name, title=title, svg=figures.svg(figure, name=name, alt=title), csv=csv)


def attention_chart(matrix: pd.DataFrame) -> Chart:
    """Cross-table attention."""
    title = "How much each table (line) looks at each other (column)"
    shown = figures.heatmap(matrix, title=title)
    return chart("attention", title, shown, matrix.rename_axis("looks from").reset_index())


def rollout_chart(rollout: pd.DataFrame) -> Chart:
    """What the predictions draw on, largest first."""
    title = "How much the predictions draw on each table"
    frame = rollout.sort_values("share", ascending=False, kind="stable", ignore_index=True)
    return chart("rollout", title, figures.bars(frame, label="role", value="share", title=title), frame)


def columns_chart(columns: pd.DataFrame, measured_in: str) -> Chart:
    """The strongest columns; the CSV has all."""
    top = columns.head(COLUMNS_SHOWN)
    names = top["column"].replace({ROWS: "(how many, how recent)"})
    top = top.assign(name=top["role"] + ": " + names)
    title = f"The {len(top)} columns that move the answers most"
    shown = figures.bars(top, label="name", value="strength", title=title, unit=measured_in)
    return chart("columns", title, shown, columns)


def masks_chart(name: str, table: str, frame: pd.DataFrame) -> Chart:
    """TabNet's masks of one table, as `figures.mask_frame` gives them."""
    title = f"What each step picks in {plain(table)}"
    shown = figures.heatmap(frame, title=title)
    return chart(name, title, shown, frame.rename_axis("column").reset_index())


def experts_charts(view: ExpertsView) -> Iterator[Chart]:
    """Which expert serves which table, and how the work is shared."""
    title = "Which expert serves which table"
    shown = figures.heatmap(view.shares, title=title)
    yield chart("experts", title, shown, view.shares.rename_axis("table").reset_index())
    title = f"How the work is shared (an even share is {view.even:.2f})"
    shown = figures.bars(view.load, label="expert", value="share", title=title)
    yield chart("expert-load", title, shown, view.load)


def passes_charts(view: PassesView) -> Iterator[Chart]:
    """How many rows used how many passes, and how far each pass still moved the answers."""
    title = "How many rows used how many passes"
    named = view.histogram.assign(
        name=[f"{n} {'pass' if n == 1 else 'passes'}" for n in view.histogram["passes"]]
    )
    shown = figures.bars(named, label="name", value="rows", title=title, unit="rows")
    yield chart("passes", title, shown, view.histogram)
    if len(view.curve):
        title = "How far each pass still moved the predictions"
        yield chart("movement", title, figures.movement(view.curve, title=title), view.curve)


def contributions_chart(name: str, one: ExplainedRow, measured_in: str) -> Chart:
    """What each table adds to one row's output."""
    frame = contributions_frame(one)
    title = "What each table adds to the answer"
    shown = figures.bars(frame, label="table", value="contribution", title=title, unit=measured_in)
    return chart(name, title, shown, frame)


def contributions_frame(one: ExplainedRow) -> pd.DataFrame:
    """Contributions with what is the same for every row, so that they sum to the output."""
    everyone = pd.DataFrame({"role": ["(the same for every row)"], "contribution": [one.contributions.bias]})
    frame = pd.concat([one.contributions.frame, everyone], ignore_index=True)
    return frame.rename(columns={"role": "table"})


def shapley_chart(name: str, one: ExplainedRow, measured_in: str) -> Chart:
    """What each table is worth to one row's output."""
    frame = shapley_frame(one)
    title = "What each table is worth to the answer"
    return chart(
        name, title, figures.bars(frame, label="table", value="value", title=title, unit=measured_in), frame
    )


def shapley_frame(one: ExplainedRow) -> pd.DataFrame:
    """Shapley values with the output that is left where all tables are hidden, so that they sum to the output."""
    hidden = pd.DataFrame({"role": [ALL_HIDDEN], "value": [one.shapley.hidden], "error": [0.0]})
    return pd.concat([one.shapley.frame, hidden], ignore_index=True).rename(columns={"role": "table"})


def cells_chart(name: str, one: ExplainedRow, measured_in: str) -> Chart:
    """The strongest cells of one row; the CSV has all."""
    top = one.attribution.frame.head(CELLS_SHOWN)
    frame = pd.DataFrame({"cell": [cell_words(line) for _, line in top.iterrows()], "score": top["score"]})
    title = "The cells that move this answer most"
    shown = figures.bars(frame, label="cell", value="score", title=title, unit=measured_in)
    return chart(name, title, shown, one.attribution.frame)


def _row(number: int, why: str, one: ExplainedRow, task: Task) -> dict[str, object]:
    """A row's section in words."""
    outcome = one.outcome
    facts = [("Predicted", number_words(outcome["prediction"])), ("Was", number_words(outcome["target"]))]
    if "probability" in outcome:
        facts.append((f"Chance of {plain(outcome['prediction'])}", f"{outcome['probability']:.1%}"))
    if "low" in outcome:
        facts.append(("Interval", f"{number_words(outcome['low'])} to {number_words(outcome['high'])}"))
    if "probability" not in outcome:
        facts.append(("Off by", number_words(outcome["error"])))
    if pd.notna(outcome["cutoff"]):
        facts.append(("As of", f"{outcome['cutoff']:%Y-%m-%d}"))
    says = direction(task, outcome["prediction"])
    return {
        "number": number,
        "why": why,
        "row": one,
        "facts": facts,
        "says": says,
        "agreement": agreement(one.contributions, one.shapley),
        "method": method_words(one.shapley),
    }


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["words"] = number_words
    environment.filters["plain"] = plain
    return environment.get_template(TEMPLATE)
