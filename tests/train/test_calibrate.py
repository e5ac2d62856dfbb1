"""Calibration makes chances come true, changes no ranking, and leaves alone what rows are too few to mend."""

import json
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime
from scipy.special import expit
from stand_in import QUICK, Output, fake_reader, trained

from nexusflow.data.task import TaskKind
from nexusflow.nn.calibration import LogitCalibration
from nexusflow.train import calibrate as module
from nexusflow.train.calibrate import FEWEST_ROWS, Calibration, calibrate
from nexusflow.train.metrics import calibration_error, score
from nexusflow.train.predictor import predict_logits

PREPROCESSING = {kind: fake_reader(kind).preprocessing for kind in TaskKind}
CLASSES = (TaskKind.BINARY, TaskKind.MULTICLASS)


def drawn(kind, rows, *, scale=1.0, shift=0.0, seed=0):
    """Logits whose chances come true only after scale * logit + shift, and what came true."""
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 2, (rows, PREPROCESSING[kind].task.outputs)).astype(np.float32)
    chance = PREPROCESSING[kind].unscale(scale * logit + np.reshape(shift, (-1, 1)))
    if kind is TaskKind.BINARY:
        return (rng.random(rows) < chance).astype(np.float32), logit
    return (rng.random(rows)[:, None] > chance.cumsum(axis=1)).sum(axis=1).astype(np.float32), logit


def fitted(kind, target, logit, cutoff=None):
    """Of rows without a time of their own, where none is given."""
    cutoff = np.zeros(len(target), dtype=np.int64) if cutoff is None else cutoff
    return calibrate(PREPROCESSING[kind], target, logit, 0.9, cutoff_N=cutoff)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("scale", [0.4, 2.5])
def test_what_is_too_sure_or_too_shy_is_mended(kind, scale):
    shift = -1.0 if kind is TaskKind.BINARY else 0.0
    found = fitted(kind, *drawn(kind, 4000, scale=scale, shift=shift))
    assert found.scale == pytest.approx(scale, rel=0.12)
    assert found.shift == pytest.approx(shift, abs=0.2)
    target, logit = drawn(kind, 4000, scale=scale, shift=shift, seed=1)
    unscale = PREPROCESSING[kind].unscale
    before, after = (score(kind, target, unscale(z)) for z in (logit, found.apply(logit)))
    assert after["log_loss"] < before["log_loss"]
    if kind is TaskKind.BINARY:
        assert after["ece"] < 0.03 < 0.1 < before["ece"]
        assert after["ece"] == calibration_error(target, unscale(found.apply(logit)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(CLASSES), st.floats(0.3, 3), st.floats(-2, 2))
def test_no_ranking_and_no_class_of_several_ever_changes(seed, kind, scale, shift):
    target, logit = drawn(kind, 200, scale=scale, shift=shift, seed=seed)
    found = fitted(kind, target, logit)
    assert found.scale > 0
    after = found.apply(logit.astype(np.float64))
    if kind is TaskKind.BINARY:
        assert np.array_equal(np.argsort(after[:, 0], kind="stable"), np.argsort(logit[:, 0], kind="stable"))
    else:
        assert found.shift == 0
        assert np.array_equal(after.argmax(axis=1), logit.argmax(axis=1))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, FEWEST_ROWS - 1), st.integers(0, 10**6), st.sampled_from(CLASSES))
def test_few_rows_change_nothing(rows, seed, kind):
    found = fitted(kind, *drawn(kind, rows, scale=0.2, seed=seed))
    assert found == Calibration(rows=rows) and not found.moves


def test_a_class_that_is_hardly_there_changes_nothing():
    target, logit = drawn(TaskKind.BINARY, 400, scale=0.2)
    rare = np.where(np.arange(400) < 9, 1.0, 0.0)
    assert not fitted(TaskKind.BINARY, rare, logit).moves
    assert fitted(TaskKind.BINARY, target, logit).moves


def test_rows_without_a_target_count_for_nothing():
    target, logit = drawn(TaskKind.BINARY, 400, scale=0.4)
    unknown = np.r_[target, np.full(100, np.nan)], np.r_[logit, np.full((100, 1), 9, dtype=np.float32)]
    assert fitted(TaskKind.BINARY, *unknown) == fitted(TaskKind.BINARY, target, logit)


@pytest.mark.parametrize("dated", [True, False])
def test_luck_that_the_rows_of_a_time_share_is_not_taken_for_that_of_all_times(dated):
    """The network is right over all times, but in each the chances are shifted by its own luck."""
    scales, shifts = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        day = rng.integers(0, 30, 3000)
        target, logit = drawn(TaskKind.BINARY, 3000, shift=rng.normal(0, 1, 30)[day], seed=seed + 100)
        cutoff = day if dated else rng.permutation(day)
        found = fitted(TaskKind.BINARY, target, logit, cutoff.astype(np.int64))
        scales.append(found.scale)
        shifts.append(abs(found.shift))
    # Thirty days leave the mean shift open by 0.18; taken as 3000 rows they would seem to know it to 0.05.
    assert np.mean(shifts) < 0.08 if dated else np.mean(shifts) > 0.1
    assert min(scales) > 0.5


@pytest.mark.parametrize("kind", CLASSES)
def test_times_that_agree_are_mended_like_rows_without_a_time(kind):
    target, logit = drawn(kind, 3000, scale=0.4)
    dated = fitted(kind, target, logit, np.arange(3000))
    assert dated.scale == pytest.approx(fitted(kind, target, logit).scale, rel=0.05) and dated.moves


def test_the_level_that_the_network_has_learned_since_is_not_counted_twice():
    """Going on with the validation rows teaches how often they are positive; how sure it may be stays calibrated."""
    target, logit = drawn(TaskKind.BINARY, 3000, scale=0.4, shift=1.5)
    found = fitted(TaskKind.BINARY, target, logit)
    since = found.with_level_of(logit)
    assert since.scale == found.scale < 0.6 and since.moves
    assert expit(since.apply(logit)).mean() == pytest.approx(expit(logit).mean(), abs=1e-6)
    assert expit(found.apply(logit)).mean() == pytest.approx(target.mean(), abs=0.01)
    assert found.shift - since.shift > 1.0
    several = drawn(TaskKind.MULTICLASS, 3000, scale=0.4)
    softer = fitted(TaskKind.MULTICLASS, *several)
    assert softer.with_level_of(several[1]) is softer and Calibration().with_level_of(logit) == Calibration()


@pytest.mark.parametrize("refit", [True, False])
def test_what_is_kept_beside_the_weights_is_what_the_network_does(refit):
    moved = Calibration(scale=0.5, shift=2.0, rows=60)
    with mock.patch("nexusflow.train.choosing.calibrate", return_value=moved):
        training = QUICK.model_copy(update={"refit": refit})
        model, result = trained(fake_reader(TaskKind.BINARY), training)
    assert (result.calibration == moved) is not refit
    assert float(model.calibration.shift) == np.float32(result.calibration.shift)
    said = result.calibration.undo(result.validation_logit_NO)
    level = expit(said).mean() if refit else expit(moved.apply(said)).mean()
    assert expit(result.validation_logit_NO).mean() == pytest.approx(level, abs=1e-6)


@pytest.mark.parametrize("rows", [60, 200, 1000])
def test_what_is_well_calibrated_is_on_average_not_harmed_beyond_noise(rows):
    """In nats of log loss on many new rows, over forty draws of the validation rows."""
    new, harm = drawn(TaskKind.BINARY, 20_000, seed=1), []
    for seed in range(2, 42):
        found = fitted(TaskKind.BINARY, *drawn(TaskKind.BINARY, rows, seed=seed))
        before, after = (
            score(TaskKind.BINARY, new[0], PREPROCESSING[TaskKind.BINARY].unscale(z))["log_loss"]
            for z in (new[1], found.apply(new[1]))
        )
        harm.append(after - before)
    assert np.mean(harm) < 0.3 / rows
    assert np.mean(np.array(harm) == 0) > 0.5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(CLASSES), st.floats(-1, 1), st.floats(-1, 1))
def test_slopes_are_those_of_the_loss(seed, kind, a, b):
    target, logit = drawn(kind, 20, seed=seed)
    one, x = (kind, target.astype(int), logit.astype(np.float64)), np.array([a, b])
    slope = module._losses(*one, x)[1].sum(axis=0)
    free = 2 if kind is TaskKind.BINARY else 1
    wanted = approx_fprime(x, lambda y: module._losses(*one, y)[0].sum(), 1e-6)
    assert slope[:free] == pytest.approx(wanted[:free], abs=1e-3)


@pytest.mark.parametrize("kind", TaskKind)
def test_it_is_json_and_comes_back_the_same(kind):
    rng = np.random.default_rng(0)
    target, logit = drawn(kind, 300, scale=0.4) if kind in CLASSES else rng.normal(size=(2, 300))
    found = fitted(kind, target, logit.reshape(300, -1))
    assert Calibration.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found
    assert (found.interval is not None) == (kind is TaskKind.REGRESSION)
    assert found.moves == (kind in CLASSES)
    assert Calibration.from_dict({}) == Calibration()
    again = found.undo(found.apply(logit.astype(np.float64)))
    assert again == pytest.approx(logit, abs=1e-9)


@pytest.mark.parametrize("change", [{"scale": 0.0}, {"scale": -1.0}, {"interval": {}}])
def test_what_is_no_calibration_is_refused(change):
    with pytest.raises((ValueError, KeyError)):
        Calibration.from_dict({**Calibration().to_dict(), **change})


def test_the_order_of_a_network_cannot_be_turned():
    with pytest.raises(ValueError, match="above zero"):
        LogitCalibration().fill(0.0, 1.0)


class TooSure:
    """The stand-in's answers, five times as sure as they were trained to be, and always off by one."""

    def __init__(self, kind):
        from stand_in import Network

        class Sure(Network):
            def forward(self, batch):
                said = super().forward(batch).logit_BO
                if not self.training:
                    plain = (said - self.calibration.shift) / self.calibration.scale
                    said = self.calibration.logits(5 * plain + (1 if kind is TaskKind.BINARY else 0))
                return Output(said, said.new_zeros(()))

        self.network = Sure(outputs=PREPROCESSING[kind].task.outputs)


def noisy(kind):
    """A reader of rows whose target is often another than its features say."""
    reader = fake_reader(kind, rows=1500)
    rng = np.random.default_rng(5)
    drawn_anew = rng.random(1500) < 0.5
    reader.examples.target_N[drawn_anew] = rng.permutation(reader.examples.target_N)[drawn_anew]
    return reader


@pytest.mark.parametrize("kind", CLASSES)
def test_fit_leaves_a_network_as_sure_as_its_validation_rows_say(kind):
    reader = noisy(kind)
    model, result = trained(reader, QUICK, model=TooSure(kind).network)
    found = result.calibration
    assert found.moves and found.scale < 0.6
    assert (float(model.calibration.scale), float(model.calibration.shift)) == (found.scale, found.shift)
    validation, test = (np.flatnonzero(reader.examples.part_N == part) for part in ("validation", "test"))
    assert found.rows == len(validation)
    logit = predict_logits(model, reader, validation)
    target = reader.examples.target_N[validation]
    assert result.metrics == pytest.approx(score(kind, target, reader.preprocessing.unscale(logit)), rel=1e-4)
    assert result.metrics["log_loss"] < result.history[result.best_epoch - 1].val_loss
    logit, target = predict_logits(model, reader, test), reader.examples.target_N[test]
    unscale = reader.preprocessing.unscale
    before, after = (score(kind, target, unscale(z)) for z in (found.undo(logit), logit))
    assert after["log_loss"] < before["log_loss"]
    assert after.get("auroc") == pytest.approx(
        before.get("auroc"), abs=1e-6 if kind is TaskKind.BINARY else 1
    )


def test_only_validation_rows_are_looked_at():
    reader = fake_reader(rows=600)
    with mock.patch("nexusflow.train.choosing.calibrate", wraps=calibrate) as asked:
        _, result = trained(reader, QUICK)
    target, logit = asked.call_args.args[1:3]
    here = reader.examples.part_N == "validation"
    assert asked.call_count == 1 and np.array_equal(target, reader.examples.target_N[here])
    assert len(logit) == here.sum() == result.calibration.rows


def test_a_network_trained_again_starts_uncalibrated():
    reader = fake_reader()
    torch.manual_seed(0)
    fresh, _ = trained(reader, QUICK)
    from stand_in import Network

    torch.manual_seed(0)
    used = Network()
    used.calibration.fill(7.0, 3.0)
    used, result = trained(reader, QUICK, model=used)
    assert float(used.calibration.scale) == result.calibration.scale != 7.0
    assert fresh is not used


def test_a_level_is_passed_on():
    reader = fake_reader(TaskKind.REGRESSION, rows=600)
    widths = {}
    for level in (0.5, 0.9):
        _, result = trained(reader, QUICK.model_copy(update={"interval": level}))
        interval = result.calibration.interval
        assert interval is not None and interval.level == level
        low, high = interval.bounds(np.array([100.0]))
        widths[level] = float(high[0] - low[0])
    assert widths[0.5] < widths[0.9]
    assert replace(result.calibration, interval=None).moves is False
