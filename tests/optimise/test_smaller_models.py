"""A size is met with the smallest loss or refused with the closest; what the record says is what a fresh look finds."""

import numpy as np
import pytest
import torch
from owners_and_pets import train

from nexusflow.artifact import load_model, model_bytes, parts_of, save_model, weights_of
from nexusflow.data.task import TaskKind
from nexusflow.errors import ConfigError
from nexusflow.nxf_weights import Step
from nexusflow.optimise import optimizer
from nexusflow.optimise.footprint import peak_memory_mb
from nexusflow.optimise.measure import Evaluation, loss
from nexusflow.optimise.optimizer import LARGEST_AMOUNT, MOST_LOSS, TargetOutOfReach, optimize_model
from nexusflow.optimise.pruning import pruned_share
from nexusflow.train.metrics import score
from nexusflow.train.predictor import Stopped, predict_logits


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    reader, given = train(TaskKind.BINARY)
    path = tmp_path_factory.mktemp("models") / "model.nxf"
    save_model(path, **given)
    return reader, load_model(path)


@pytest.fixture(scope="module")
def evaluation(made):
    reader = made[0]
    parts = [np.flatnonzero(reader.examples.part_N == part) for part in ("test", "validation")]
    return Evaluation(reader=reader, row_N=parts[0], choose_N=parts[1], part="test", memory=False)


def size(trained):
    return len(model_bytes(**parts_of(trained)))


@pytest.mark.parametrize("method", ["quantization", "pruning", ["pruning", "quantization"]])
def test_the_record_is_what_a_fresh_evaluation_finds(made, evaluation, tmp_path, method):
    reader, trained = made
    found = optimize_model(trained, method, evaluation=evaluation)
    record = found.optimization_metadata
    found.save(tmp_path / "small.nxf")
    loaded = load_model(tmp_path / "small.nxf")
    rows = evaluation.row_N
    for model, side in ((trained, record["before"]), (loaded, record["after"])):
        logit_NO = predict_logits(model.model, reader, rows)
        fresh = score(TaskKind.BINARY, reader.examples.target_N[rows], reader.preprocessing.unscale(logit_NO))
        assert side["metrics"] == fresh
        assert side["bytes"] == size(model)
        assert side["latency_ms"] > 0
    assert record["after"]["bytes"] < record["before"]["bytes"]
    assert (record["rows"], record["part"], record["metric"]) == (len(rows), "test", "auroc")
    told = loaded.optimisation
    assert (told.before, told.after) == tuple(
        record[side]["metrics"]["auroc"] for side in ("before", "after")
    )
    assert told.rows == len(rows)


def test_the_share_that_is_pruned_is_exact_and_the_given_model_stays(made):
    trained = made[1]
    before = {name: weight.clone() for name, weight in weights_of(trained.model).items()}
    found = optimize_model(trained, "pruning", 0.4)
    total = sum(w.numel() for w in before.values() if w.dim() >= 2 and w.numel() >= 128)
    assert found.optimization_metadata["pruned_share"] == round(0.4 * total) / total
    assert found.optimization_metadata["methods"] == [{"method": "pruning", "amount": 0.4}]
    assert all(torch.equal(weight, before[name]) for name, weight in weights_of(trained.model).items())
    assert not trained.optimisation.steps


def test_steps_add_up(made):
    once = optimize_model(made[1], "pruning", 0.5).model
    twice = optimize_model(once, "quantization").model
    assert twice.optimisation.steps == (Step(method="pruning", amount=0.5), Step(method="quantization"))
    assert pruned_share(weights_of(twice.model)) >= 0.5
    assert size(twice) < size(once) < size(made[1])
    both = optimize_model(made[1], ["pruning", "quantization"], 0.5).model
    assert model_bytes(**parts_of(both)) == model_bytes(**parts_of(twice))


def test_a_target_is_met_by_what_loses_least(made):
    trained = made[1]
    whole, int8 = size(trained), size(optimize_model(trained).model)
    nothing = optimize_model(trained, target_size_mb=(whole + 300) / 1e6)
    assert nothing.optimization_metadata["methods"] == []
    first = optimize_model(trained, target_size_mb=(int8 + 300) / 1e6)
    assert [step["method"] for step in first.optimization_metadata["methods"]] == ["quantization"]
    target = (int8 - 200) / 1e6
    second = optimize_model(trained, target_size_mb=target)
    methods = second.optimization_metadata["methods"]
    assert [step["method"] for step in methods] == ["pruning", "quantization"]
    assert size(second.model) <= target * 1e6 and second.optimization_metadata["target_size_mb"] == target
    percent = round(100 * methods[0]["amount"])
    less = optimize_model(trained, ["pruning", "quantization"], (percent - 1) / 100).model
    assert percent == 1 or optimizer.size_of(less) > target * 1e6
    alone = optimize_model(trained, "pruning", target_size_mb=(whole - 2000) / 1e6)
    assert [step["method"] for step in alone.optimization_metadata["methods"]] == ["pruning"]
    assert size(alone.model) <= whole - 2000


@pytest.mark.parametrize("method", [None, "quantization", "pruning"])
def test_a_target_out_of_reach_is_refused_with_the_closest_which_is_reached(made, method):
    with pytest.raises(TargetOutOfReach, match="closest is") as refused:
        optimize_model(made[1], method, target_size_mb=0.001)
    found = optimize_model(made[1], method, target_size_mb=refused.value.closest_mb)
    assert 0.9 * refused.value.closest_mb <= found.optimization_metadata["after"]["bytes"] / 1e6
    assert found.optimization_metadata["after"]["bytes"] / 1e6 <= refused.value.closest_mb
    if method is None:
        assert found.optimization_metadata["methods"][0]["amount"] == LARGEST_AMOUNT


def test_a_target_that_costs_too_much_of_the_score_is_refused(made, evaluation, monkeypatch):
    """What pruning costs is planted: 0.01 more with every 10 %."""
    trained = made[1]

    def planted(asked, before, after):
        steps = after.optimisation.steps
        return sum(step.amount for step in steps) / 10

    monkeypatch.setattr(optimizer, "measured", planted)
    smallest = size(optimize_model(trained, ["pruning", "quantization"], 0.45).model)
    with pytest.raises(TargetOutOfReach, match="10% of the weights pruned and int8 weights") as refused:
        optimize_model(trained, target_size_mb=smallest / 1e6, evaluation=evaluation)
    closest = size(optimize_model(trained, ["pruning", "quantization"], MOST_LOSS * 10).model)
    assert refused.value.closest_mb == pytest.approx(closest / 1e6, abs=0.002)


def test_where_int8_costs_too_much_pruning_is_tried_alone(made, evaluation, monkeypatch):
    """What int8 costs is planted, more than may be lost; pruning costs 0.01 with every 40 %."""
    trained = made[1]

    def planted(asked, before, after):
        steps = after.optimisation.steps
        return sum(2 * MOST_LOSS if step.method == "quantization" else step.amount / 40 for step in steps)

    monkeypatch.setattr(optimizer, "measured", planted)
    target = optimizer.size_of(optimize_model(trained, "pruning", 0.3).model) / 1e6
    found = optimize_model(trained, target_size_mb=target, evaluation=evaluation)
    (step,) = found.optimization_metadata["methods"]
    assert step["method"] == "pruning" and 0.25 < step["amount"] <= 0.3
    assert size(found.model) <= target * 1e6
    with pytest.raises(TargetOutOfReach, match=r"40% of the weights pruned\)"):
        optimize_model(trained, target_size_mb=target / 2, evaluation=evaluation)
    with pytest.raises(TargetOutOfReach, match="as it is"):
        optimize_model(trained, "quantization", target_size_mb=target, evaluation=evaluation)


CONTRADICTIONS = [
    {"method": "magic"},
    {"method": ["pruning", "pruning"]},
    {"method": "quantization", "amount": 0.3},
    {"amount": 0.3},
    {"method": "pruning", "amount": 1.0},
    {"method": "pruning", "amount": 0.0},
    {"method": "pruning", "amount": float("nan")},
    {"method": "pruning", "amount": 0.3, "target_size_mb": 1.0},
    {"target_size_mb": 0.0},
    {"target_size_mb": float("nan")},
    {"target_size_mb": float("inf")},
]


@pytest.mark.parametrize("settings", CONTRADICTIONS, ids=str)
def test_settings_that_contradict_each_other_are_refused(made, settings):
    with pytest.raises(ConfigError):
        optimize_model(made[1], **settings)


def test_what_is_worse_is_a_loss_whichever_way_the_metric_points():
    assert loss(TaskKind.BINARY, {"auroc": 0.8}, {"auroc": 0.75}) == pytest.approx(0.05)
    assert loss(TaskKind.REGRESSION, {"mae": 200.0}, {"mae": 202.0}) == pytest.approx(0.01)
    assert loss(TaskKind.MULTICLASS, {"log_loss": 0.5}, {"log_loss": 0.4}) == pytest.approx(-0.2)
    assert loss(TaskKind.BINARY, {}, {}) == 0


def test_peak_memory_is_that_of_a_process_of_its_own(made):
    reader, trained = made
    batch = reader.batch(np.arange(len(reader)))
    found = peak_memory_mb(model_bytes(**parts_of(trained)), batch)
    if found is None:
        pytest.skip("the system does not count it")
    assert 0.1 < found < 1000
    assert peak_memory_mb(b"no model", batch) is None


def test_measuring_can_be_stopped(made, evaluation):
    from dataclasses import replace

    with pytest.raises(Stopped):
        optimize_model(made[1], evaluation=replace(evaluation, should_stop=lambda: True))


def test_the_smaller_model_is_ready_to_predict(made, evaluation):
    model = optimize_model(made[1]).model.model
    assert not model.training
    assert loss(TaskKind.BINARY, *_both(made, evaluation)) < 0.02


def _both(made, evaluation):
    record = optimize_model(made[1], evaluation=evaluation).optimization_metadata
    return record["before"]["metrics"], record["after"]["metrics"]
