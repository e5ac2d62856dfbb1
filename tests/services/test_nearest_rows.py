"""The nearest training rows: a twin is at no distance, the row itself is not among them, what is drawn lasts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_shop import SCHEMA, SHORT, SMALL, as_files, shop_frames, shop_task

from nexusflow.errors import DataError
from nexusflow.explain.attention import attention_maps
from nexusflow.services import nearest as nearest_service
from nexusflow.services.insight import Insight
from nexusflow.services.jobs import JobManager
from nexusflow.services.nearest import drawn_rows, is_compared, nearest_rows
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace

TWINS = 20


def with_twins() -> dict[str, pd.DataFrame]:
    """The shop, some of whose customers are there twice, each with orders of their own."""
    frames = shop_frames()
    customers, orders = frames["customers"], frames["orders"]
    twins = customers.head(TWINS).assign(id=lambda f: "twin-" + f["id"])
    copies = orders[orders["customer"].isin(customers["id"].head(TWINS))]
    copies = copies.assign(customer="twin-" + copies["customer"], order=copies["order"] + 10_000)
    return {
        **frames,
        "customers": pd.concat([customers, twins], ignore_index=True),
        "orders": pd.concat([orders, copies], ignore_index=True),
    }


def opened(folder: Path, target: str) -> Insight:
    """A run over the shop with twins."""
    workspace = Workspace.open("twins-0001", folder)
    workspace.add_files(as_files(with_twins()))
    workspace.save_schema(SCHEMA)
    workspace.save_task(shop_task(target))
    workspace.save_model_settings(encoders={}, architecture=SMALL, training=SHORT)
    manager = JobManager()
    try:
        run_id = start_training(workspace, manager)
        assert manager.wait(run_id, workspace.id, 120).error is None
    finally:
        manager.shutdown()
    return Insight.open(workspace, run_id)


@pytest.fixture(scope="module", params=["left", "size"])
def insight(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Insight:
    return opened(tmp_path_factory.mktemp(request.param), request.param)


def pairs(insight: Insight) -> list[tuple[int, int]]:
    """Rows and their twins, both of them trained on."""
    rows = insight.rows(part="train").set_index("key")["row"]
    return [(rows[k], rows[f"twin-{k}"]) for k in rows.index if f"twin-{k}" in rows.index]


def test_the_nearest_row_of_one_that_has_a_twin_is_the_twin(insight: Insight) -> None:
    assert pairs(insight)
    for row, twin in pairs(insight):
        found = nearest_rows(insight, row).frame
        assert row not in set(found["row"])
        assert found["row"].iat[0] == twin
        assert found["distance"].iat[0] == pytest.approx(0, abs=1e-5)
        assert found["agree"].iat[0] == insight.roles
        assert found["distance"].is_monotonic_increasing


def test_neighbours_are_training_rows_with_what_was_said_of_them(insight: Insight) -> None:
    test = int(insight.rows(part="test")["row"].iat[0])
    found = nearest_rows(insight, test, count=5)
    known = insight.rows().set_index("row")
    assert len(found.frame) == 5
    assert found.compared == found.of == len(insight.rows(part="train"))
    for line in found.frame.itertuples():
        real = known.loc[line.row]
        assert (line.key, line.target, line.prediction) == (real["key"], real["target"], real["prediction"])
        assert real["part"] == "train"


def test_distances_are_those_of_the_contributions(insight: Insight) -> None:
    row = int(insight.rows(part="test")["row"].iat[1])
    found = nearest_rows(insight, row).frame
    maps = attention_maps(insight.trained, insight.reader, np.array([row, *found["row"]]))
    apart = maps.contribution_BTO[1:] - maps.contribution_BTO[0]
    np.testing.assert_allclose(found["distance"], np.sqrt((apart**2).sum(axis=(1, 2))), atol=1e-4)
    said = apart[:, :, int(maps.logit_BO[0].argmax())]
    for n, line in enumerate(found.itertuples()):
        assert line.by == pytest.approx(said[n, insight.roles.index(line.differs)], abs=1e-4)
        assert abs(line.by) == pytest.approx(np.abs(said[n]).max(), abs=1e-4)


def test_rows_are_compared_once_and_kept_with_the_run(
    insight: Insight, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = int(insight.rows(part="test")["row"].iat[0])
    first = nearest_rows(insight, row)
    assert is_compared(insight)
    seen: list[float] = []
    again = nearest_rows(insight, row, on_progress=seen.append)
    assert not seen
    pd.testing.assert_frame_equal(again.frame, first.frame)
    monkeypatch.setattr(nearest_service, "MOST_COMPARED", 50)
    few = nearest_rows(insight, row)
    assert (few.compared, few.of) == (50, first.of)
    assert set(few.frame["row"]) <= set(drawn_rows(insight.rows(part="train"), 50))


def test_looking_moves_no_prediction(insight: Insight) -> None:
    def asked() -> np.ndarray:
        with torch.inference_mode():
            return insight.trained.model(insight.reader.batch(np.arange(40))).logit_BO.numpy()

    before = asked()
    nearest_rows(insight, 0)
    np.testing.assert_array_equal(asked(), before)


def test_what_is_drawn_does_not_depend_on_the_order_of_the_rows() -> None:
    frame = pd.DataFrame(
        {"row": range(500), "key": [f"k{n}" for n in range(500)], "cutoff": pd.Timestamp("2024-01-01")}
    )
    shuffled = frame.sample(frac=1, random_state=0).reset_index(drop=True)
    renumbered = shuffled.assign(row=range(500))
    keys = set(frame.loc[drawn_rows(frame, 100), "key"])
    assert len(keys) == 100
    assert set(renumbered.loc[drawn_rows(renumbered, 100), "key"]) == keys
    assert np.array_equal(drawn_rows(shuffled, 100), drawn_rows(frame, 100))
    assert np.array_equal(drawn_rows(shuffled, 500), np.arange(500))


def test_a_row_without_others_says_so(insight: Insight, monkeypatch: pytest.MonkeyPatch) -> None:
    row = int(insight.rows(part="train")["row"].iat[0])
    only = insight.rows()
    monkeypatch.setattr(insight, "rows", lambda **options: only[only["row"] == row])
    with pytest.raises(DataError, match="no other training row"):
        nearest_rows(insight, row)
