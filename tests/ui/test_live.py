"""What a run under way is said to do."""

import pytest

from nexusflow.services.training import Progress
from nexusflow.train.events import TrialGoesOn
from nexusflow.train.run import EpochRecord, Run, RunStatus
from ui.live import standing
from ui.runs import since

TRIAL = TrialGoesOn(number=3, epoch=2, epochs=12, fraction=0.5)


def at(**changes: object) -> Progress:
    usual = {
        "state": "running",
        "queue_position": None,
        "fraction": 0.0,
        "epoch": 0,
        "epochs": 4,
        "seconds_left": None,
        "train_loss": (),
        "val_loss": (),
        "metrics": {},
        "best_epoch": 0,
        "message": "",
        "doing": "",
        "elsewhere": False,
        "searches": False,
        "trial": None,
        "trials": (),
        "best_trial": 0,
    }
    return Progress(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (at(state="queued", queue_position=1), "Waiting in line; next"),
        (at(state="queued", queue_position=3), "Waiting in line; 2 ahead"),
        (at(state="queued", elsewhere=True), "Waiting in line"),
        (at(state="cancelling", epoch=2), "Stopping after this batch…"),
        (at(), "Preparing the tables…"),
        (at(trial=TRIAL, seconds_left=150.0), "Trial 3, epoch 2 of 12 · about 2 min 30 s left"),
        (at(trial=TRIAL, doing="Scoring every row"), "Scoring every row…"),
        (at(epoch=1, doing="Boosting *first*"), r"Boosting \*first\*…"),
        (at(epoch=2, seconds_left=61.0, train_loss=(1.0,)), "Epoch 2 of 4 · about 1 min 1 s left"),
        (at(epoch=4, train_loss=(1.0,) * 4, doing="Scoring every row"), "4 epochs done · Scoring every row…"),
    ],
)
def test_one_line_says_where_a_run_stands(now: Progress, said: str) -> None:
    assert standing(now) == said


@pytest.mark.parametrize(
    ("status", "begun", "said"),
    [
        (RunStatus.QUEUED, False, "waiting since 23 Nov 20:18"),
        # Waits to go on, and had begun.
        (RunStatus.QUEUED, True, "started 23 Nov 20:18"),
        (RunStatus.RUNNING, False, "started 23 Nov 20:18"),
        (RunStatus.FINISHED, True, "started 23 Nov 20:18"),
    ],
)
def test_a_run_that_waits_is_not_said_to_have_started(status: RunStatus, begun: bool, said: str) -> None:
    epoch = EpochRecord(
        epoch=1, train_loss=0.6, val_loss=0.5, val_metrics={"auroc": 0.7}, seconds=1.0, learning_rate=0.001
    )
    run = Run(
        id="20261123-201802-ab12",
        name="first",
        status=status,
        created="2026-11-23T20:18:02",
        config={},
        task={"kind": "binary"},
        schema_fingerprint="",
        data_sha256={},
        seed=0,
        history=(epoch,) if begun else (),
    )
    assert since(run) == said
