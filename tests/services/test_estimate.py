"""An estimate before training: what it promises holds for the run that follows."""

import pytest
from small_shop import SHORT, ready_workspace

from nexusflow.errors import TrainingError
from nexusflow.services.estimate import Estimate, estimate_stamp, estimated, start_estimate
from nexusflow.services.jobs import JobState
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace
from nexusflow.train.loop import GOING_ON_EPOCHS

WAIT = 60.0


def estimate(shop, manager) -> Estimate:
    view = manager.wait(start_estimate(shop, manager), shop.id, WAIT)
    assert view.state is JobState.FINISHED, view.error
    found = estimated(view)
    assert found is not None
    return found


def test_an_estimate_is_of_the_network_that_is_then_trained(tmp_path, manager):
    shop = ready_workspace("shop-0001", tmp_path, SHORT)
    found = estimate(shop, manager)
    assert shop.runs.list() == ()
    run_id = start_training(shop, manager)
    manager.wait(run_id, shop.id, WAIT)
    run = shop.runs.load(run_id)
    assert (found.parameters, found.epochs) == (run.parameters, SHORT.epochs)
    real = run.history[-1].seconds
    assert real / 6 < found.seconds_per_epoch < real * 6
    epochs = 2 * (1 + GOING_ON_EPOCHS)
    rest = found.seconds_before + found.seconds_boosting
    assert found.seconds == pytest.approx(rest + epochs * found.seconds_per_epoch)


def test_what_is_switched_off_costs_nothing_and_the_rest_is_counted(tmp_path, manager):
    without = {"distillation": 0.0, "baselines": False}
    plain = estimate(ready_workspace("shop-0001", tmp_path, SHORT.model_copy(update=without)), manager)
    assert plain.seconds_boosting == 0
    with_trees = {"baselines": True}
    found = estimate(ready_workspace("shop-0002", tmp_path, SHORT.model_copy(update=with_trees)), manager)
    assert found.seconds_boosting > 0 and found.seconds > found.seconds_boosting + found.seconds_before


@pytest.mark.parametrize("batch_size", [1000, 100])
def test_few_batches_are_enough_to_estimate(tmp_path, manager, batch_size):
    shop = ready_workspace("shop-0001", tmp_path, SHORT.model_copy(update={"batch_size": batch_size}))
    assert estimate(shop, manager).seconds_per_epoch > 0


def test_epochs_left_open_are_told_and_a_time_limit_binds(tmp_path, manager):
    settings = SHORT.model_copy(update={"epochs": None, "max_minutes": 1e-6})
    found = estimate(ready_workspace("shop-0001", tmp_path, settings), manager)
    assert found.epochs == 30 and found.limited
    assert found.seconds == pytest.approx(60e-6)


def test_an_estimate_is_of_these_settings_alone(tmp_path):
    shop = ready_workspace("shop-0001", tmp_path)
    before = estimate_stamp(shop)
    assert estimate_stamp(shop) == before
    shop.save_model_settings(
        encoders=shop.encoders(),
        architecture=shop.architecture().model_copy(update={"num_blocks": 2}),
        training=shop.training(),
    )
    assert estimate_stamp(shop) != before


def test_what_cannot_be_trained_is_not_estimated(tmp_path, manager):
    with pytest.raises(TrainingError, match="no tables"):
        start_estimate(Workspace.open("shop-0001", tmp_path), manager)
