"""A row's neighbourhood is made of uploaded rows, of nothing later than its cutoff, and loses no score."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_database import SCHEMA, TASK, random_frames, table_set
from small_shop import SHORT, SMALL, as_files

from nexusflow.data.reader import Reader
from nexusflow.data.tables import TableSet
from nexusflow.services.insight import Insight
from nexusflow.services.jobs import JobManager
from nexusflow.services.neighbourhood import (
    Neighbourhood,
    NodeKind,
    folded,
    neighbourhood,
    node_values,
    rows_of,
)
from nexusflow.services.prediction import scoreable
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace

EXAMPLES = (0, 1, 5, 11)


@pytest.fixture(scope="module")
def insight(tmp_path_factory: pytest.TempPathFactory) -> Insight:
    """A run over customers, their orders with items and shops, and notes."""
    workspace = Workspace.open("neighbours-0001", tmp_path_factory.mktemp("home"))
    frames = random_frames(3, customers=60, orders=400)
    frames["orders"]["amount"] = frames["orders"]["amount"].replace(np.inf, 7.0)
    workspace.add_files(as_files(frames))
    workspace.save_schema(SCHEMA)
    workspace.save_task(TASK)
    workspace.save_model_settings(encoders={}, architecture=SMALL, training=SHORT)
    manager = JobManager()
    try:
        run_id = start_training(workspace, manager)
        assert manager.wait(run_id, workspace.id, 120).error is None
    finally:
        manager.shutdown()
    return Insight.open(workspace, run_id)


def over(insight: Insight, frames: dict[str, pd.DataFrame], folder: Path) -> Insight:
    """The same run looking at other tables, keeping nothing of what was found for the first ones."""
    tables: TableSet = table_set(frames)
    preprocessing = insight.trained.preprocessing
    examples, _ = scoreable(preprocessing, tables)
    other = Insight(insight.store, insight.run_id, insight.trained, Reader(preprocessing, tables, examples))
    other.folder = folder
    return other


def uploaded(insight: Insight) -> dict[str, pd.DataFrame]:
    return {name: table.frame.copy() for name, table in insight.reader.tables.items()}


def told(found: Neighbourhood) -> list[tuple[object, ...]]:
    """What a neighbourhood says but for the numbers of rows, in an order of its own."""
    keyed = found.nodes["key"].where(~found.nodes["key"].str.startswith("row "), "")
    lines = zip(
        found.nodes["kind"],
        found.nodes["role"],
        keyed,
        found.nodes["time"].astype("str"),
        [sorted((c, str(s), v) for c, s, v, _ in cells) for cells in found.nodes["cells"]],
        strict=True,
    )
    return sorted((str(kind), *line) for kind, *line in lines)


@pytest.mark.parametrize("row", EXAMPLES)
def test_the_nodes_sum_to_what_the_answer_is_away_from_nothing(insight: Insight, row: int) -> None:
    found, scores = neighbourhood(insight, row), insight.attribution(row)
    assert found.total == pytest.approx(scores.frame["score"].sum(), abs=1e-9)
    assert abs(found.total - (scores.output - scores.baseline_output)) <= scores.gap + 1e-5
    assert found.nodes["score"].iat[0] + found.edges["score"].sum() == pytest.approx(found.total, abs=1e-9)
    for role, group in found.nodes.groupby("role"):
        of_role = scores.frame.loc[scores.frame["role"] == role, "score"].sum()
        assert group["score"].sum() == pytest.approx(of_role, abs=1e-9)


@pytest.mark.parametrize("row", EXAMPLES)
def test_every_node_is_an_uploaded_row_and_every_edge_a_foreign_key(insight: Insight, row: int) -> None:
    found, tables = neighbourhood(insight, row), uploaded(insight)
    nodes = found.nodes
    assert set(nodes["kind"]) == {NodeKind.SEED, NodeKind.ROW, NodeKind.SUMMARY}
    for _, node in nodes[nodes["row"] >= 0].iterrows():
        real = tables[node["table"]].iloc[node["row"]]
        keys = SCHEMA[node["table"]].primary_key
        assert node["key"] == (", ".join(str(real[k]) for k in keys) or f"row {node['row'] + 1}")
        values = node_values(insight, row, node)
        assert list(values["column"]) == list(tables[node["table"]].columns)
        for column, value in zip(values["column"], values["value"], strict=True):
            assert value == ("" if pd.isna(real[column]) else str(real[column]))
        assert values["score"].sum() == pytest.approx(node["score"], abs=1e-9)
    texts = {
        f"{k.child_table}.{k.child_columns[0]} → {k.parent_table}.{k.parent_columns[0]}": k
        for k in SCHEMA.foreign_keys
    }
    links = found.edges[found.edges["key"] != ""]
    assert len(links)
    for edge in links.itertuples():
        key = texts[edge.key]
        ends = {}
        for end in (edge.source, edge.target):
            ends[nodes["table"].iat[end]] = tables[nodes["table"].iat[end]].iloc[nodes["row"].iat[end]]
        assert ends[key.child_table][key.child_columns[0]] == ends[key.parent_table][key.parent_columns[0]]
    assert set(found.edges["target"]) == set(nodes.index) - {0}


def test_all_rows_that_the_model_reads_are_there(insight: Insight) -> None:
    for row in EXAMPLES:
        slots = insight.reader.context(np.array([row])).row_BTS[0]
        nodes = neighbourhood(insight, row).nodes
        for t, role in enumerate(insight.roles):
            read = set(slots[t][slots[t] >= 0])
            assert read == set(nodes.loc[(nodes["role"] == role) & (nodes["row"] >= 0), "row"])


def test_a_row_after_the_cutoff_never_appears_and_changes_nothing(insight: Insight, tmp_path: Path) -> None:
    frames = uploaded(insight)
    row = EXAMPLES[1]
    customer, cutoff = frames["customers"].loc[row, ["customer", "as_of"]]
    late = (
        frames["orders"]
        .head(5)
        .assign(order=np.arange(5) + 10**6, customer=customer, when=cutoff + pd.Timedelta(1, "s"), amount=1e6)
    )
    frames["orders"] = pd.concat([late, frames["orders"]], ignore_index=True)
    before = neighbourhood(insight, row)
    after = neighbourhood(over(insight, frames, tmp_path), row)
    assert after.cutoff == before.cutoff == cutoff
    assert (after.events["time"] <= cutoff).all()
    assert told(after) == told(before)
    np.testing.assert_allclose(after.nodes["score"], before.nodes["score"], atol=1e-6)


def test_the_order_of_the_rows_does_not_matter(insight: Insight, tmp_path: Path) -> None:
    frames = uploaded(insight)
    shuffled = {n: f.sample(frac=1, random_state=1).reset_index(drop=True) for n, f in frames.items()}
    other = over(insight, shuffled, tmp_path)
    for row in EXAMPLES[:2]:
        key = frames["customers"]["customer"].iat[row]
        there = int(np.flatnonzero(shuffled["customers"]["customer"] == key)[0])
        before, after = neighbourhood(insight, row), neighbourhood(other, there)
        assert told(after) == told(before)
        assert after.total == pytest.approx(before.total, abs=1e-4)


def test_events_are_the_related_rows_with_a_time_in_its_order(insight: Insight) -> None:
    seen = 0
    for row in EXAMPLES:
        found = neighbourhood(insight, row)
        events, frames = found.events, uploaded(insight)
        assert set(events["table"]) <= {"orders"}
        assert events["time"].is_monotonic_increasing
        whens = frames["orders"]["when"].iloc[events["row"]]
        assert list(events["time"]) == list(whens)
        days = (found.cutoff - events["time"]).dt.total_seconds() / 86_400
        np.testing.assert_allclose(events["age"], days)
        seen += len(events)
    assert seen


@given(row=st.sampled_from(EXAMPLES), lines=st.integers(1, 60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_folding_loses_neither_a_score_nor_a_row(insight: Insight, row: int, lines: int) -> None:
    found = neighbourhood(insight, row)
    shown = folded(found, lines)
    assert shown.total == pytest.approx(found.total, abs=1e-9)
    assert shown.edges["score"].sum() == pytest.approx(found.edges["score"].sum(), abs=1e-9)
    assert shown.edges[["source", "target"]].isin(shown.nodes.index).all(axis=None)
    related = found.nodes[found.nodes["kind"] == NodeKind.ROW]
    drawn = shown.nodes[shown.nodes["kind"] == NodeKind.ROW]
    headings = shown.nodes[shown.nodes["kind"] == NodeKind.ROLE]
    assert sorted(headings["role"]) == sorted(set(related["role"]))
    assert len(drawn) + headings["rows"].sum() == len(related)
    for number, heading in headings.iterrows():
        left = rows_of(found, number, shown)
        assert len(left) == heading["rows"]
        assert left["score"].sum() == pytest.approx(heading["score"], abs=1e-9)
        assert left["score"].abs().is_monotonic_decreasing


def test_the_strongest_rows_are_drawn(insight: Insight) -> None:
    found = neighbourhood(insight, EXAMPLES[0])
    nodes = pd.concat([found.nodes[:1], *[found.nodes[found.nodes["kind"] == NodeKind.ROW]] * 20])
    nodes = nodes.reset_index(drop=True).assign(score=np.random.default_rng(0).normal(size=len(nodes)))
    edges = pd.DataFrame(
        {"source": 0, "target": range(1, len(nodes)), "key": "", "score": nodes["score"][1:]}
    )
    shown = folded(replace(found, nodes=nodes, edges=edges), lines=20)
    drawn = shown.nodes[shown.nodes["kind"] == NodeKind.ROW]
    for hops, level in nodes[1:].groupby("hops"):
        kept = drawn[drawn["hops"] == hops]
        assert len(kept) == 20 - level["role"].nunique()
        assert kept["score"].abs().min() >= level["score"].abs().nlargest(len(kept)).min()


def test_looking_moves_no_prediction(insight: Insight) -> None:
    def asked() -> np.ndarray:
        with torch.inference_mode():
            return insight.trained.model(insight.reader.batch(np.arange(20))).logit_BO.numpy()

    before = asked()
    found = neighbourhood(insight, EXAMPLES[2])
    folded(found)
    assert found.events is not None
    np.testing.assert_array_equal(asked(), before)


def test_without_a_cutoff_rows_have_times_and_no_age(insight: Insight, tmp_path: Path) -> None:
    from nexusflow.data.index import FOREVER

    other = over(insight, uploaded(insight), tmp_path)
    examples = other.reader.examples
    other.reader.examples = replace(examples, cutoff_N=np.full_like(examples.cutoff_N, FOREVER))
    found = neighbourhood(other, EXAMPLES[0])
    assert found.cutoff is None
    assert found.nodes["age"].isna().all()
    assert found.events["time"].notna().all()
