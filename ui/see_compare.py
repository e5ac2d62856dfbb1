"""Runs side by side: figures with how sure they are, curves, settings that differ, and what each looks at."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from nexusflow.data.task import Part, TaskKind
from nexusflow.errors import NexusFlowError
from nexusflow.services.compare import (
    comparable,
    config_diff,
    curve,
    curve_names,
    leads,
    metrics_frame,
    spread,
)
from nexusflow.services.insight import Insight
from nexusflow.services.training import has_model
from nexusflow.services.workspace import Workspace
from nexusflow.train.metrics import primary_metric
from nexusflow.train.run import Run
from ui import state
from ui.charts import Curve, curves, heatmap, height_for
from ui.escape import md_escape, plain, shorten
from ui.figure import csv_button, show_chart
from ui.palette import current_palette
from ui.problems import show_problems
from ui.versions import metric_of

MOST = 6
LETTERS = "ABCDEF"
MAPS = ("Table by table", "What predictions draw on")
WANTED = "compare_attention"
DASH = "–"


def labels(runs: Sequence[Run]) -> dict[str, str]:
    """A letter and a name for each run, by its id; no two are alike."""
    return {run.id: f"{letter} · {shorten(run.name, 26)}" for run, letter in zip(runs, LETTERS, strict=False)}


def unlike(runs: Sequence[Run]) -> list[str]:
    """A sentence for each reason why runs, by their letters, cannot be held against the first."""
    found: dict[str, list[str]] = {}
    for run, letter in zip(runs[1:], LETTERS[1:], strict=False):
        if reason := comparable([runs[0], run]):
            found.setdefault(reason[0].lower() + reason[1:], []).append(letter)
    return [
        f"{', '.join(letters)} against {LETTERS[0]}: {reason} Their figures are shown, and say nothing about which is "
        "better."
        for reason, letters in found.items()
    ]


def show_comparison(workspace: Workspace, runs: Sequence[Run]) -> None:
    """Everything about these runs that differs; the first is what the others are held against."""
    names = labels(runs)
    for told in unlike(runs):
        st.warning(told, icon=":material/balance:")
    figures(workspace, runs, names)
    learning(runs, names)
    settings(runs, names)
    attention(workspace, runs, names)


def figures(workspace: Workspace, runs: Sequence[Run], names: dict[str, str]) -> None:
    """How each did on the test rows, how sure that is, and whether it is ahead of the first."""
    with st.container(border=True, key="compare_figures"):
        st.markdown("**On the test rows**")
        with st.spinner("Drawing the rows anew…"):
            frame = sure_frame(workspace, runs, names)
        number = st.column_config.NumberColumn(format="%.4f")
        st.dataframe(
            frame,
            hide_index=True,
            key="compare_sure",
            placeholder=DASH,
            column_config={"Figure": number, "Run": st.column_config.TextColumn(pinned=True)},
        )
        st.caption(
            "95 % of it: the figure when the test rows are drawn anew with replacement. Lead: how much better a run is "
            f"than {names[runs[0].id][0]} on the rows that both were tested on, and where the lead of 95 % of such "
            "draws lies (paired bootstrap). If that span holds zero, the two cannot be told apart on so few rows."
        )
        part = st.segmented_control(
            "All metrics on", ["Test", "Validation"], default="Test", required=True, key="compare_part"
        )
        every = metrics_frame(runs, Part(part.lower())).rename(columns={"metric": "Metric", **names})
        st.dataframe(
            every,
            hide_index=True,
            key="compare_metrics",
            placeholder=DASH,
            column_config={name: st.column_config.NumberColumn(format="%.4f") for name in names.values()},
        )
        csv_button(every, key="compare_metrics")


def sure_frame(workspace: Workspace, runs: Sequence[Run], names: dict[str, str]) -> pd.DataFrame:
    """A line per run: its figure with its spread, and its lead over the first with its span."""
    found = {lead.run_id: lead for lead in leads(workspace.runs, runs)}
    lines = []
    for run in runs:
        bounds, lead = spread(workspace.runs, run), found.get(run.id)
        line: dict[str, object] = {
            "Run": names[run.id],
            # Early in the line, so that a narrow window shows it.
            "Reads": "the first",
            "Metric": metric_of(run),
            "Figure": run.metrics.get(Part.TEST, {}).get(_primary(run)),
            "95 % of it": f"{bounds[0]:.3f} to {bounds[1]:.3f}" if bounds else DASH,
            "Lead": DASH,
            "95 % of the lead": DASH,
            "Rows": "",
        }
        if lead is not None and lead.lead is not None and lead.low is not None and lead.high is not None:
            line |= {
                "Lead": f"{lead.lead:+.4f}",
                "95 % of the lead": f"{lead.low:+.4f} to {lead.high:+.4f}",
                "Rows": f"{lead.rows:,}",
                "Reads": "better" if lead.low > 0 else "worse" if lead.high < 0 else "cannot be told apart",
            }
        elif lead is not None:
            line |= {"Lead": lead.reason, "Reads": "not compared"}
        lines.append(line)
    return pd.DataFrame(lines).astype({"Figure": "float64"})


def learning(runs: Sequence[Run], names: dict[str, str]) -> None:
    """One recorded figure of every epoch, a line per run."""
    learnt = [run for run in runs if run.history]
    if not learnt:
        return
    known = curve_names(learnt)
    with st.container(border=True, key="compare_curves"):
        name = st.selectbox("By epoch", list(known), format_func=known.__getitem__, key="curve", width=340)
        lines = [Curve(name=names[run.id], values=curve(run, name)) for run in learnt]
        longest = max(len(line["values"]) for line in lines)
        padded = {
            line["name"]: [*line["values"], *[None] * (longest - len(line["values"]))] for line in lines
        }
        show_chart(
            curves(lines, title=known[name], palette=current_palette()),
            key="compare_curve",
            alt=f"{known[name]} by epoch, a line per run",
            frame=pd.DataFrame({"epoch": range(1, longest + 1), **padded}),
        )


def settings(runs: Sequence[Run], names: dict[str, str]) -> None:
    """The settings that are not the same, and no others."""
    with st.container(border=True, key="compare_settings"):
        st.markdown("**What differs in their settings and data**")
        differing = config_diff(runs).map(plain).rename(columns={"setting": "Setting", **names})
        if differing.empty:
            st.caption("Nothing: question, settings, seed and data are the same.")
            return
        st.dataframe(differing, hide_index=True, key="compare_config")
        csv_button(differing, key="compare_config")


def attention(workspace: Workspace, runs: Sequence[Run], names: dict[str, str]) -> None:
    """What each looks at, all on one colour scale; computed on request."""
    able = [run for run in runs if has_model(workspace.runs, run.id)]
    if not able:
        return
    with st.container(border=True, key="compare_attention_card"):
        st.markdown("**What they look at**")
        if not state.is_wanted(WANTED):
            st.caption(
                "Opens each model and lets it look at a sample of its test rows; takes some seconds per run."
            )
            if st.button("Show it", key="show_attention", icon=":material/grid_on:"):
                state.want(WANTED)
                st.rerun()
            return
        kind = st.segmented_control("Picture", MAPS, default=MAPS[0], required=True, key="compare_map")
        opened: dict[str, Insight] = {}
        with st.spinner("Opening the models…"):
            for run in able:
                try:
                    opened[run.id] = Insight.open(workspace, run.id)
                except NexusFlowError as error:
                    st.markdown(md_escape(names[run.id]))
                    show_problems(error.problems)
        if opened and kind == MAPS[0]:
            maps(opened, names)
        elif opened:
            drawn(opened, names)


def maps(opened: dict[str, Insight], names: dict[str, str]) -> None:
    """The attention maps in a grid."""
    views = {run_id: insight.attention() for run_id, insight in opened.items()}
    most = max(float(np.nanmax(view.matrix.to_numpy(dtype=float))) for view in views.values())
    grid = st.grid(2, min_column_width=380)
    for run_id, view in views.items():
        with grid.cell():
            show_chart(
                heatmap(
                    view.matrix.to_numpy(dtype=float),
                    rows=view.roles,
                    columns=view.roles,
                    title=names[run_id],
                    palette=current_palette(),
                    most=most,
                ),
                key=f"compare_map_{run_id}",
                alt=f"Attention between tables of run {plain(names[run_id])}",
                frame=view.matrix.rename_axis("looks from").reset_index(),
                height=height_for(len(view.roles), row=46, least=280),
            )
    st.caption(
        f"How much each table (line) looks at each other (column); each line sums to one. One colour scale, from 0 to "
        f"{most:.2f}. Attention says where a network looked, not what moved its answers."
    )


def drawn(opened: dict[str, Insight], names: dict[str, str]) -> None:
    """The rollouts as one map, a line per run."""
    shares = {
        names[run_id]: insight.rollout().set_index("role")["share"] for run_id, insight in opened.items()
    }
    frame = pd.DataFrame(shares).T
    show_chart(
        heatmap(
            frame.to_numpy(dtype=float),
            rows=list(frame.index),
            columns=[str(role) for role in frame.columns],
            title="How much the predictions draw on each table",
            palette=current_palette(),
        ),
        key="compare_rollout",
        alt="Share of the predictions drawn from each table, a line per run",
        frame=frame.rename_axis("run").reset_index(),
        height=height_for(len(frame), row=46, least=280),
    )
    st.caption("Each line sums to one; an empty cell is a table that the run does not read.")


def not_enough() -> None:
    """What to do where fewer than two runs are chosen."""
    st.caption(
        f"Choose two to {MOST} runs, here or in the table above. The others are held against the first."
    )


def _primary(run: Run) -> str:
    return primary_metric(TaskKind(run.task["kind"]))[0]
