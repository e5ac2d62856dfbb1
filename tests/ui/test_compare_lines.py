"""Where two runs cannot be compared, the reason stands where leads are said, and not where they are read."""

import pandas as pd
import pytest

from nexusflow.services.compare import Lead
from nexusflow.services.experts import SegmentExperts
from nexusflow.services.storage import RunStore
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import Run, RunStatus
from ui import see_compare
from ui.see_experts import _difference


def run(run_id: str) -> Run:
    return Run(
        id=run_id,
        name=run_id,
        status=RunStatus.FINISHED,
        created="2026-11-23T20:18:02",
        config={},
        task={"kind": "binary"},
        schema_fingerprint="",
        data_sha256={},
        seed=0,
    )


def test_a_reason_not_to_compare_is_said_as_the_lead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    runs = [run("a"), run("b"), run("c")]
    found = [
        Lead(run_id="b", reason="They answer different questions."),
        Lead(run_id="c", rows=30, lead=0.1, low=0.05, high=0.2),
    ]
    monkeypatch.setattr(see_compare, "leads", lambda store, given: found)
    monkeypatch.setattr(see_compare, "spread", lambda store, given: None)
    workspace = Workspace.open("compare-0001", tmp_path)  # type: ignore[arg-type]
    assert isinstance(workspace.runs, RunStore)
    frame = see_compare.sure_frame(workspace, runs, see_compare.labels(runs))
    assert frame["Reads"].tolist() == ["the first", "not compared", "better"]
    assert frame["Lead"].tolist() == ["–", "They answer different questions.", "+0.1000"]


def test_a_difference_of_shares_is_told_in_percentage_points() -> None:
    shares = pd.DataFrame({"Expert 1": [0.52, 0.50], "Expert 2": [0.48, 0.50]}, index=["north", "south"])
    found = SegmentExperts(shares=shares, rows=(9, 9), sizes=(9, 9), few=(False, False), without=())
    assert _difference(found).endswith("no expert's share differs by more than 2.0 percentage points.")
