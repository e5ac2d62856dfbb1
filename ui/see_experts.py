"""Interpret, experts and passes: who in a mixture of experts serves what, and how refinement settled the answers."""

import pandas as pd
import streamlit as st

from nexusflow.services.experts import ExpertsView, SegmentExperts, experts, experts_by_segment
from nexusflow.services.insight import Insight
from nexusflow.services.segments import splits
from ui.charts import bars, heatmap, height_for
from ui.escape import code, codes, plain, shorten
from ui.figure import show_chart
from ui.page import empty, two_cards
from ui.palette import current_palette
from ui.see_passes import show_passes
from ui.see_segments import Chosen, choose_rows, kept_selectbox, split_name, split_title

EVERY = 0
ALIKE = 0.05


def show_experts(insight: Insight) -> None:
    """The experts of the chosen rows and of their segments; the passes of the chosen rows."""
    chosen = choose_rows(insight)
    if chosen is None:
        return
    st.subheader("Experts", anchor=False)
    network = insight.trained.config.architecture
    if not network.use_moe:
        empty(
            "This network has no experts",
            "One layer serves all tables alike. Switch on “Mixture of experts” on the Model page and train again; "
            "who serves which table then shows here.",
            to="model",
            label="Go to Model",
        )
    else:
        left, middle, _ = st.columns([1, 1, 1])
        iteration = _numbered(left, "Pass", network.refinement_iterations)
        block = _numbered(middle, "Block", network.num_blocks)
        view = experts(insight, chosen.rows, iteration=iteration, block=block)
        if view is None:
            st.info(f"None of these rows used pass {iteration}.", icon=":material/search_off:")
        else:
            by_role(view, chosen)
        with st.container(border=True):
            by_segment(insight, iteration, block)
    st.subheader("Refinement", anchor=False)
    show_passes(insight, chosen)


def by_role(view: ExpertsView, chosen: Chosen) -> None:
    """Which expert serves which role, and how even the load is."""
    left, right = two_cards()
    with left:
        show_chart(
            heatmap(
                view.shares.to_numpy(dtype=float),
                rows=list(view.shares.index),
                columns=list(view.shares.columns),
                title="Which expert serves which table",
                palette=current_palette(),
            ),
            key="experts",
            alt="Mean share of each expert: a line per table role, a column per expert",
            frame=view.shares.rename_axis("table").reset_index(),
            height=height_for(len(view.shares), row=40, least=260),
        )
        st.caption(
            f"{chosen.told(view.rows)}; each line sums to one. A table counts in the rows in which it is present."
        )
    with right:
        show_chart(
            bars(
                view.load,
                label="expert",
                value="share",
                title=f"How the work is shared (an even share is {view.even:.2f})",
                palette=current_palette(),
            ),
            key="expert_load",
            alt="Share of all work that each expert does",
            frame=view.load.assign(even=view.even),
            height=height_for(len(view.load), row=36, least=200),
        )
        show, icon = (st.warning, "warning") if view.idle else (st.success, "balance")
        show(view.sentence, icon=f":material/{icon}:")


def by_segment(insight: Insight, iteration: int | None, block: int | None) -> None:
    """Who serves each segment of a split, over all sampled rows."""
    left, right, _ = st.columns([1, 1, 1])
    parting = {split.id: split for split in splits(insight)}
    split = parting[
        kept_selectbox(
            left, "Split", list(parting), "experts_split", lambda one: split_title(insight, parting[one])
        )
    ]
    roles = [EVERY, *range(1, len(insight.roles) + 1)]
    at = kept_selectbox(
        right, "Table", roles, "experts_role", lambda n: "All" if n == EVERY else plain(insight.roles[n - 1])
    )
    role = None if at == EVERY else insight.roles[at - 1]
    with st.spinner("Looking at each segment…"):
        found = experts_by_segment(insight, split, iteration=iteration, block=block, role=role)
    if found is None or found.shares.empty:
        st.info("In no segment is there anything to serve.", icon=":material/search_off:")
        return
    shares = found.shares
    show_chart(
        heatmap(
            shares.to_numpy(dtype=float),
            rows=list(shares.index),
            columns=list(shares.columns),
            title=f"Which expert serves which rows, by {shorten(split_name(split))}",
            palette=current_palette(),
        ),
        key="experts_by_segment",
        alt="Share of each expert: a line per segment of the rows, a column per expert",
        frame=shares.rename_axis("segment").reset_index().assign(rows=found.rows, of=found.sizes),
        height=height_for(len(shares), row=40, least=240),
    )
    st.markdown(_difference(found))
    st.caption(_notes(found, insight))


def _numbered(column: st.delta_generator.DeltaGenerator, label: str, count: int) -> int | None:
    """A choice of one of `count`, or of their average (None)."""
    options = list(range(count + 1))
    key = f"experts_{label.lower()}"
    return kept_selectbox(column, label, options, key, lambda n: f"{label} {n}" if n else "Average") or None


def _difference(found: SegmentExperts) -> str:
    """The expert whose share differs most between segments that are large enough, in a sentence."""
    sure = found.shares[[not few for few in found.few]]
    if len(sure) < 2:
        return "There are not two segments with enough rows to compare."
    spread: pd.Series = sure.max() - sure.min()
    if spread.max() < ALIKE:
        points = f"{100 * spread.max():.1f} percentage points"
        return f"The segments are served alike: no expert's share differs by more than {points}."
    name = str(spread.idxmax())
    share, named = sure[name].to_list(), sure.index.to_list()
    most, least = share.index(max(share)), share.index(min(share))
    return (
        f"{name} differs most: it does {share[most]:.0%} of the work for {code(named[most])}, "
        f"and {share[least]:.0%} for {code(named[least])}."
    )


def _notes(found: SegmentExperts, insight: Insight) -> str:
    least, most = min(found.rows), max(found.rows)
    many = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    notes = [
        f"A mean over {many} {insight.sampled_part} rows a segment, whichever are chosen above; "
        "each line sums to one."
    ]
    small = [name for name, few in zip(found.shares.index, found.few, strict=True) if few]
    if small:
        notes.append(f":material/warning: So few rows that a line may be chance: {codes(small)}.")
    if found.without:
        notes.append(f"Nothing to look at in: {codes(found.without)}.")
    return " ".join(notes)
