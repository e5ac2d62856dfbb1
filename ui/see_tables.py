"""Interpret, by tables: which table role looks at which, and how much the predictions draw on each."""

import streamlit as st

from nexusflow.services.insight import Insight
from ui import state
from ui.charts import bars, heatmap, heatmap_cell, height_for
from ui.escape import code
from ui.figure import clickable_chart, csv_button, show_chart
from ui.grid import printable
from ui.page import two_cards
from ui.palette import current_palette
from ui.see_check import show_check

AVERAGE = 0


def show_tables(insight: Insight) -> None:
    """The attention map with its drill-down, and the rollout with its check."""
    attention_map(insight)
    left, right = two_cards()
    with left:
        draws_on(insight)
    with right:
        trust(insight)


def attention_map(insight: Insight) -> None:
    """Roles by roles as a map to click; the clicked cell leads to the rows behind it."""
    with st.container(border=True):
        first = insight.attention()
        left, right, _ = st.columns([1, 1, 2])
        iteration = chooser(left, "Pass", first.iterations, "pass")
        head = chooser(right, "Head", first.heads, "head")
        view = insight.attention(iteration=iteration or None, head=head or None)
        place = clickable_chart(
            heatmap(
                view.matrix.to_numpy(dtype=float),
                rows=view.roles,
                columns=view.roles,
                title="How much each table (line) looks at each other (column)",
                palette=current_palette(),
                selectable=True,
            ),
            key="attention",
            alt="Cross-table attention: a line and a column per table role",
            frame=view.matrix.rename_axis("looks from").reset_index(),
            height=height_for(len(view.roles), row=46, least=280),
        )
        st.caption(
            f"A mean over {view.rows:,} {insight.sampled_part} rows; each line sums to one. "
            "Click a cell to see the rows behind it. "
            "Attention says where the network looked, not what moved the answer."
        )
    if place is not None and place < len(view.roles) ** 2:
        row, column = heatmap_cell(place, len(view.roles))
        drill(insight, view.roles[row], view.roles[column], iteration=iteration, head=head)


def chooser(column: st.delta_generator.DeltaGenerator, label: str, count: int, key: str) -> int:
    """A choice of one of `count`, or of their average (0)."""
    options = [AVERAGE, *range(1, count + 1)]
    return column.selectbox(
        label,
        options,
        format_func=lambda n: "Average" if n == AVERAGE else f"{label} {n}",
        key=f"attention_{key}",
    )


def drill(insight: Insight, role: str, context: str, *, iteration: int, head: int) -> None:
    """The examples in which one role looks most at another in this pass and head, each to be explained by itself."""
    with st.container(border=True, key="drill"):
        st.markdown(f"**Rows in which {code(role)} looks most at {code(context)}**")
        found = insight.drill(role, context, iteration=iteration or None, head=head or None)
        if found.empty:
            st.caption("In no sampled row are both of them present.")
            return
        names = {"prediction": "predicted", "target": "was"}
        shown = found[["key", "attention", "prediction", "target"]].rename(columns=names)
        event = st.dataframe(
            printable(shown),
            hide_index=True,
            on_select="rerun",
            selection_mode="single-row",
            column_config={"attention": st.column_config.NumberColumn(format="%.3f")},
            key=f"drill_{insight.roles.index(role)}_{insight.roles.index(context)}_{iteration}_{head}",
        )
        csv_button(shown, key="drill")
        chosen = event["selection"]["rows"]
        if chosen:
            row = int(found["row"].iloc[chosen[0]])
            st.button(
                f"Explain {code(found['key'].iloc[chosen[0]])}",
                key="explain_drilled",
                type="primary",
                icon=":material/person_search:",
                on_click=state.explain_row,
                args=(row,),
            )
        else:
            st.caption("Tick a row to explain its prediction.")


def draws_on(insight: Insight) -> None:
    """The rollout as bars."""
    share = insight.rollout().sort_values("share", ascending=False, ignore_index=True)
    share = share.rename(columns={"role": "table"})
    show_chart(
        bars(
            share,
            label="table",
            value="share",
            title="How much the predictions draw on each table",
            palette=current_palette(),
        ),
        key="rollout",
        alt="Share of the predictions drawn from each table role",
        frame=share,
        height=height_for(len(share), row=40, least=280),
    )


def trust(insight: Insight) -> None:
    """Whether the picture beside it agrees with what hiding tables does."""
    st.markdown("**Can this be trusted?**")
    bar = st.progress(0.0, text="Hiding one table after the other…")
    check = insight.faithfulness(on_progress=lambda share: bar.progress(share, text="Hiding tables…"))
    bar.empty()
    show_check(check, key="faithfulness", what="table")
