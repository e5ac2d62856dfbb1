"""Events survive the way through JSON."""

import json

import pytest

from nexusflow.train.events import (
    BatchDone,
    EpochEnded,
    Note,
    RunFailed,
    RunFinished,
    RunStarted,
    event_from_dict,
    event_to_dict,
)
from nexusflow.train.run import EpochRecord

RECORD = EpochRecord(
    epoch=2, train_loss=0.5, val_loss=0.6, val_metrics={"auroc": 0.7}, seconds=1.5, learning_rate=1e-3
)
EVENTS = (
    RunStarted(run_id="r-01", parameters=12, epochs=3),
    BatchDone(epoch=1, batch=2, batches=5, loss=0.25, fraction=0.5),
    EpochEnded(record=RECORD, epochs=3, seconds_left=1.5),
    Note(message="Änderung 📈"),
    RunFinished(run_id="r-01", status="finished"),
    RunFailed(run_id="r-01", message="No."),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_survives_json(event):
    assert event_from_dict(json.loads(json.dumps(event_to_dict(event)))) == event


def test_what_is_no_event_is_refused():
    with pytest.raises(KeyError):
        event_from_dict({"kind": "EpochRecord", "epoch": 1})
