"""Interpret, by tables: which table role looks at which, and how much the predictions draw on each."""

import math

import streamlit as st

from nexusflow.explain.explanation import DeletionCheck
from nexusflow.services.columns import picture_values, pictures
from nexusflow.services.insight import Insight
from nexusflow.services.map_trust import ENOUGH
from nexusflow.services.noise import noise_sentence
from nexusflow.services.passes import rows_used
from ui.charts import bars, heatmap, heatmap_cell, height_for
from ui.escape import md_escape, plain
from ui.figure import clickable_chart, csv_button, show_chart
from ui.page import two_cards
from ui.palette import current_palette
from ui.see_check import show_check
from ui.see_drill import drill
from ui.see_map_trust import show_map_trust
from ui.see_moved import moved_map
from ui.see_pairs import pair_map
from ui.see_relations import relation_card
from ui.see_segments import Chosen, choose_rows

AVERAGE = 0
# Two tables have an order, but no rank correlation worth the name.
FEWEST_RANKED = 3


def show_tables(insight: Insight) -> None:
    """How much answers draw on each table, and whether that can be trusted; below it, what the network looked at."""
    chosen = choose_rows(insight)
    if chosen is None:
        return
    left, right = two_cards()
    with left:
        draws_on(insight, chosen)
    with right:
        check = trust(insight)
    noise = noise_sentence(check)
    if noise:
        left.caption(f":material/waves: {md_escape(noise)}")
    # Where nothing hangs under a related table, a relation is its table.
    if any(role.hops > 1 for role in insight.reader.layout.roles):
        with st.container(border=True):
            relation_card(insight)
    if len(insight.roles) >= FEWEST_RANKED:
        agreement(insight)
    st.subheader("Between tables", anchor=False)
    st.caption("What one table took from another, where it looked for it, and what it kept.")
    moved_map(insight, chosen)
    attention_map(insight, chosen)
    pair_map(insight, chosen)


def attention_map(insight: Insight, chosen: Chosen) -> None:
    """Roles by roles as a map to click; the clicked cell leads to those of the chosen rows that are behind it."""
    place = None
    with st.container(border=True):
        first = insight.attention(chosen.rows)
        left, right, _ = st.columns([1, 1, 2])
        iteration = chooser(left, "Pass", first.iterations, "attention_pass")
        head = chooser(right, "Head", first.heads, "attention_head")
        used = rows_used(insight, chosen.rows, iteration=iteration or None)
        if not used:
            st.info(f"None of these rows used pass {iteration}.", icon=":material/search_off:")
            return
        view = insight.attention(chosen.rows, iteration=iteration or None, head=head or None)
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
        show_map_trust(insight, view.matrix)
        st.caption(
            f"{chosen.told(used)}; each line sums to one. "
            "Click a cell to see the rows behind it. "
            "Attention says where the network looked, not what moved the answer."
        )
    if place is not None and place < len(view.roles) ** 2:
        row, column = heatmap_cell(place, len(view.roles))
        drill(insight, chosen, view.roles[row], view.roles[column], iteration=iteration, head=head)


def chooser(
    column: st.delta_generator.DeltaGenerator, label: str, count: int, key: str, whole: str = "Average"
) -> int:
    """A choice of one of `count`, or of all of them together (0)."""
    options = [AVERAGE, *range(1, count + 1)]
    return column.selectbox(
        label, options, format_func=lambda n: whole if n == AVERAGE else f"{label} {n}", key=key
    )


def draws_on(insight: Insight, chosen: Chosen) -> None:
    """The rollout as bars."""
    share = insight.rollout(chosen.rows).sort_values("share", ascending=False, ignore_index=True)
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
    if chosen.rows is not None:
        st.caption(
            f"{chosen.told(len(chosen.rows))}. Whether it can be trusted is checked over all sampled rows."
        )


def trust(insight: Insight) -> DeletionCheck:
    """Whether the picture beside it agrees with what hiding tables does."""
    st.markdown("**Can this be trusted?**")
    bar = st.progress(0.0, text="Hiding one table after the other…")
    check = insight.faithfulness(on_progress=lambda share: bar.progress(share, text="Hiding tables…"))
    bar.empty()
    show_check(check, key="faithfulness", what="table")
    return check


def agreement(insight: Insight) -> None:
    """Whether the pictures rank the tables alike."""
    with st.container(border=True), st.spinner("Comparing the pictures…"):
        found = pictures(insight)
        show_chart(
            heatmap(
                found.to_numpy(dtype=float),
                rows=list(found.index),
                columns=list(found.columns),
                title="Do the pictures rank the tables alike?",
                palette=current_palette(),
                most=1.0,
                signed=True,
            ),
            key="pictures",
            alt="Rank correlation of every two pictures of how much tables matter",
            frame=found.rename_axis("picture").reset_index(),
            height=height_for(len(found), row=46, least=280),
        )
        with st.expander("Each table in each picture"):
            said = picture_values(insight)
            shown = said.reset_index(names="table").assign(table=[plain(role) for role in said.index])
            numbers = dict.fromkeys(said.columns, st.column_config.NumberColumn(format="%.3g"))
            st.dataframe(shown, hide_index=True, column_config=numbers, key="picture_values")
            csv_button(said.reset_index(names="table"), key="picture_values")
        compute = (
            ""
            if insight.has_attributions
            else " Gradients join them once they are computed on the tab Columns."
        )
        count = len(insight.roles)
        by_chance = (
            f" {count} tables stand in the same order by chance once in {math.factorial(count)} times."
            if count < ENOUGH
            else ""
        )
        st.caption(
            "Spearman's rank correlation, each picture over a sample of its own: 1 is the same order, 0 none, below 0 "
            "the opposite. "
            "Hiding is the measure: a picture that ranks tables otherwise does not show what answers depend on. "
            f"Shapley values show tables one by one in random orders.{by_chance}{compute}"
        )
