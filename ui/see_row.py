"""Interpret, one row: its prediction, what made it, which rows it read, and how it settled."""

import pandas as pd
import streamlit as st

from nexusflow.data.task import PARTS, Part, Task, TaskKind
from nexusflow.explain.baseline import Baseline
from nexusflow.services.insight import Insight
from nexusflow.services.shapley import row_shapley
from nexusflow.services.starts import from_words
from nexusflow.services.views import Contributions, RowShapley
from nexusflow.services.words import cell_words, direction
from ui import state
from ui.chart_scale import one_scale
from ui.charts import bars, columns, height_for
from ui.escape import code, counted, md_escape, plain, shorten
from ui.figure import csv_button, show_chart
from ui.gap import gap_words
from ui.page import two_cards
from ui.palette import current_palette
from ui.results import unit
from ui.see_baseline import choose_baseline
from ui.see_flip import show_flip
from ui.see_nearest import show_nearest
from ui.see_neighbourhood import show_neighbourhood
from ui.see_related import related_rows
from ui.see_shapley import show_agreement, worth, worth_frame
from ui.see_what_if import what_if

ORDERS = {"error": "Worst errors first", "random": "At random", "row": "In the table's order"}
LISTED = 200
CELLS_SHOWN = 12
# A figure of more characters may be cut where the page is narrow.
WHOLE = 12


def show_row(insight: Insight, task: Task) -> None:
    """Pick an example and explain it."""
    example = pick(insight)
    if example is None:
        st.info("No row's key holds this text.", icon=":material/search_off:")
        return
    row = int(example["row"])
    interval = insight.trained.interval
    heading(task, example, interval.level if interval is not None else None)
    with st.spinner("Explaining…"):
        added, values = insight.contributions(row), row_shapley(insight, row)
        frame = contributions_frame(added)
        left, right = two_cards()
        with left:
            contributions(added, frame, values, task, str(example["prediction"]))
        with right:
            worth(values, frame["contribution"])
        left, right = two_cards()
        with left:
            show_agreement(added, values)
        with right:
            trace(insight, task, row)
        with st.container(border=True):
            baseline = choose_baseline(st.columns([2, 1])[0], "row")
            cells(insight, row, baseline, direction(task, example["prediction"], code))
        show_neighbourhood(insight, task, row, str(example["prediction"]), baseline)
        with st.container(border=True):
            related(insight, row, baseline)
        with st.container(border=True, key="nearest_card"):
            show_nearest(insight, task, row)
        with st.container(border=True):
            show_flip(insight, task, row, example["prediction"])
        with st.container(border=True):
            what_if(insight, task, row, answer_name(task, str(example["prediction"])))


def pick(insight: Insight) -> pd.Series | None:
    """The example to explain; one chosen elsewhere stays until another is picked."""
    first, second, third = st.columns([1, 1, 1])
    parts = [str(part) for part in reversed(PARTS)]
    part = first.selectbox("Part", parts, format_func=str.capitalize, key="row_part")
    order = second.selectbox("Order", list(ORDERS), format_func=ORDERS.__getitem__, key="row_order")
    search = third.text_input("Search the key", key="row_search")
    found = insight.rows(part=str(Part(part)), search=search, order=order).head(LISTED)
    given = state.chosen_row()
    if given is not None and given not in set(found["row"]):
        everything = insight.rows()
        found = pd.concat([everything[everything["row"] == given], found], ignore_index=True)
    if found.empty:
        return None
    by_row = {int(line["row"]): line for _, line in found.iterrows()}
    options = list(by_row)
    chosen = st.selectbox(
        "Row",
        options,
        index=options.index(given) if given in by_row else 0,
        format_func=lambda row: row_label(by_row[row]),
        key=f"row_{part}_{order}_{search}_{given}",
    )
    return by_row[chosen]


def row_label(example: pd.Series) -> str:
    """An example in one line."""
    sure = f" ({example['probability']:.0%})" if "probability" in example else ""
    said = f"predicted {short(example['prediction'])}{sure}, was {short(example['target'])}"
    return f"{plain(example['key'])} · {said}"


def short(value: object) -> str:
    """A prediction or target as short text."""
    if isinstance(value, float):
        return "unknown" if pd.isna(value) else f"{value:,.4g}"
    return shorten(value, 24)


def heading(task: Task, example: pd.Series, level: float | None) -> None:
    """The prediction beside the truth."""
    first, second, third = st.columns(3)
    for place, what in ((first, "prediction"), (second, "target")):
        said = short(example[what])
        whole = md_escape(example[what]) if len(said) > WHOLE else None
        place.metric("Predicted" if what == "prediction" else "Was", md_escape(said), border=True, help=whole)
    if task.kind is TaskKind.REGRESSION:
        third.metric("Off by", short(float(example["error"])), border=True)
        if level is not None and "low" in example:
            ends = f"from {short(float(example['low']))} to {short(float(example['high']))}"
            st.caption(f"The {level:.0%} interval of this prediction runs {ends}.")
    else:
        named, probability = positive_probability(task, example)
        third.metric(f"Probability of {code(short(named))}", f"{probability:.1%}", border=True)


def positive_probability(task: Task, example: pd.Series) -> tuple[str, float]:
    """A class and its probability: the positive one where there are two, else the predicted one."""
    named, probability = str(example["prediction"]), float(example["probability"])
    if task.kind is TaskKind.BINARY and named != task.classes[1]:
        return task.classes[1], 1.0 - probability
    return named, probability


def contributions_frame(found: Contributions) -> pd.DataFrame:
    """The contributions by table, and what is the same for every row."""
    everyone = pd.DataFrame({"role": ["(the same for every row)"], "contribution": [found.bias]})
    return pd.concat([found.frame, everyone], ignore_index=True).rename(columns={"role": "table"})


def contributions(
    found: Contributions, frame: pd.DataFrame, values: RowShapley, task: Task, predicted: str
) -> None:
    """What each role adds to the output, on the scale of what it is worth."""
    show_chart(
        one_scale(
            bars(
                frame,
                label="table",
                value="contribution",
                title="What each table adds to the answer",
                palette=current_palette(),
                signed=True,
            ),
            frame["contribution"],
            worth_frame(values)["value"],
        ),
        key="contributions",
        alt="Additive contribution of each table role to the output of this row",
        frame=frame,
        height=height_for(len(frame)),
    )
    st.caption(
        f"{direction(task, predicted, code)} The bars sum to the output: {found.output:+.3f}, in {unit(task)}."
    )


def cells(insight: Insight, row: int, baseline: Baseline, meaning: str) -> None:
    """The cells that speak most for the answer and against it."""
    found = insight.attribution(row, baseline=baseline)
    top = found.frame.head(CELLS_SHOWN)
    frame = pd.DataFrame(
        {"cell": [cell_words(line) for _, line in top.iterrows()], "score": top["score"].to_numpy()}
    )
    show_chart(
        bars(
            frame,
            label="cell",
            value="score",
            title="The cells that move this answer most",
            palette=current_palette(),
            signed=True,
            label_length=48,
        ),
        key="cells",
        alt="Integrated gradients of the strongest cells of this row",
        height=height_for(len(frame), row=26),
    )
    csv_button(found.frame, key="cells_all", label="CSV of all cells")
    st.caption(
        f"{meaning} Integrated gradients in {found.steps} steps, {from_words(baseline)}; "
        f"{gap_words(found.relative_gap, 'the scores explain all but {} of the difference.')}"
    )


def related(insight: Insight, row: int, baseline: Baseline) -> None:
    """The uploaded rows that were read."""
    role = st.selectbox("Rows it was read from", list(insight.roles), format_func=plain, key="related_role")
    related_rows(insight, row, role, baseline, key="related")


def answer_name(task: Task, predicted: str) -> str:
    """What the output says, as a heading."""
    if task.kind is TaskKind.REGRESSION:
        return "Predicted value"
    named = task.classes[-1] if task.kind is TaskKind.BINARY else predicted
    return f"Probability of {shorten(named)}"


def trace(insight: Insight, task: Task, row: int) -> None:
    """The prediction after each pass."""
    frame = insight.trace(row)
    what = answer_name(task, "the predicted class")
    show_chart(
        columns(
            [f"Pass {n}" for n in frame["iteration"]],
            list(frame["prediction"]),
            title=f"{what} after each pass",
            palette=current_palette(),
        ),
        key="trace",
        alt="The prediction after each refinement pass",
        frame=frame,
        height=260,
    )
    most = insight.trained.config.architecture.refinement_iterations
    st.caption(f"It used {counted(len(frame), 'pass', 'passes')} of at most {most}.")
