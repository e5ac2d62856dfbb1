"""An estimate in words, with what it leaves out."""

from dataclasses import replace

from nexusflow.config import TrainingConfig
from nexusflow.services.estimate import Estimate
from ui.estimate import estimate_words

FOUND = Estimate(
    parameters=12345,
    epochs=10,
    batch_size=256,
    seconds_before=4.0,
    seconds_per_epoch=9.6,
    seconds_boosting=30.0,
    max_minutes=None,
    weight_bytes=20_000_000,
    step_bytes=100_000_000,
    table_bytes=30_000_000,
    around_bytes=50_000_000,
)


def test_size_pace_and_whole_are_told_with_what_comes_on_top() -> None:
    told = estimate_words(FOUND, TrainingConfig())
    assert told.startswith(
        "12,345 parameters; batches of 256 rows; about 200 MB of memory beside the libraries; "
        "9.6 s per epoch on this machine, about 2 min 10 s for 10 epochs."
    )
    assert told.endswith("About 30 s of it is gradient boosting, as teacher and baseline.")
    short = estimate_words(replace(FOUND, seconds_boosting=0.3), TrainingConfig())
    assert short.endswith("Less than 1 s of it is gradient boosting, as teacher and baseline.")


def test_what_is_switched_off_is_not_told() -> None:
    assert "boosting, as baseline." in estimate_words(FOUND, TrainingConfig(distillation=0.0))
    assert "boosting" not in estimate_words(FOUND, TrainingConfig(distillation=0.0, baselines=False))


def test_a_time_limit_that_binds_is_told() -> None:
    told = estimate_words(replace(FOUND, max_minutes=1.5), TrainingConfig(max_minutes=1.5))
    assert "the time limit of 1.5 min ends it before 10 epochs" in told and "boosting" not in told
    assert "about 2 min 10 s" in estimate_words(
        replace(FOUND, max_minutes=5.0), TrainingConfig(max_minutes=5.0)
    )


def test_epochs_of_some_of_the_rows_are_told() -> None:
    told = estimate_words(replace(FOUND, rows_per_epoch=25_000), TrainingConfig())
    assert "for 10 epochs of 25,000 rows drawn anew" in told


def test_what_comes_after_the_epochs_is_in_the_whole() -> None:
    assert replace(FOUND, seconds_after=60.0).seconds == FOUND.seconds + 60
