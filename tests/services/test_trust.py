"""What a page shows of how far figures can be trusted is what the run's predictions say."""

import numpy as np
import pytest
from small_shop import SCHEMA, SHORT, as_tables, shop_config, shop_frames, shop_task

from nexusflow.services.runner import new_run, predictions, run_training
from nexusflow.services.storage import RunStore
from nexusflow.services.trust import intervals_of, reliability_of
from nexusflow.train.calibrate import Calibration


def trained(folder, column, **settings):
    task, store = shop_task(column), RunStore(folder)
    config = shop_config(task, SHORT.model_copy(update=settings))
    store.create(new_run("r-01", name="tiny", config=config, schema=SCHEMA, task=task))
    run = run_training(
        config=config,
        tables=as_tables(shop_frames()),
        schema=SCHEMA,
        task=task,
        store=store,
        run_id="r-01",
        on_event=lambda event: None,
        should_stop=lambda: False,
    )
    return store, run


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs"), "left")


def test_reliability_is_that_of_the_test_rows(binary):
    store, run = binary
    found = reliability_of(store, run)
    test = predictions(store, "r-01").query("part == 'test'")
    assert (found.positive, found.part, found.rows) == ("yes", "test", len(test))
    assert found.frame["rows"].sum() == len(test)
    assert np.average(found.frame["observed"], weights=found.frame["rows"]) == pytest.approx(
        (test["target"] == "yes").mean()
    )
    assert found.error == pytest.approx(run.metrics["test"]["ece"])
    assert found.moved or found.before == pytest.approx(found.error)
    assert intervals_of(store, run) is None


@pytest.mark.parametrize(
    ("error", "fair", "said"),
    [(0.04, True, "as they stand"), (0.08, True, "bad luck"), (0.2, False, "with care")],
)
def test_an_error_is_put_beside_what_luck_makes_of_right_chances(binary, error, fair, said):
    from dataclasses import replace

    found = replace(reliability_of(*binary), error=error, luck=0.06, most_luck=0.09)
    assert found.fair is fair and said in found.words and "0.060" in found.words


def test_what_calibration_did_is_told_by_undoing_it(binary):
    from dataclasses import replace

    store, run = binary
    told = replace(run, calibration=Calibration(scale=0.2, shift=-1.0, rows=50).to_dict())
    found, plain = reliability_of(store, told), reliability_of(store, replace(run, calibration={}))
    assert found.moved and found.before != found.error == plain.error == plain.before


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_are_those_of_the_test_rows_at_the_level_asked_for(tmp_path, level):
    store, run = trained(tmp_path, "spend", interval=level)
    found = intervals_of(store, run)
    test = predictions(store, "r-01").query("part == 'test'")
    assert found.level == level and found.frame["actual"].tolist() == test["target"].tolist()
    assert found.coverage == run.metrics["test"]["coverage"]
    assert found.width == pytest.approx((test["high"] - test["low"]).mean())
    assert reliability_of(store, run) is None


def test_a_run_that_was_not_evaluated_has_neither(tmp_path, binary):
    _, run = binary
    empty = RunStore(tmp_path)
    assert reliability_of(empty, run) is None and intervals_of(empty, run) is None
