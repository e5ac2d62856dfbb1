"""Laws of going on: once the epoch is chosen, the validation rows teach too, and the test rows never do."""

import numpy as np
from stand_in import QUICK, fake_reader, trained, with_target

from nexusflow.data.task import TaskKind
from nexusflow.train import loop
from nexusflow.train.events import Note
from nexusflow.train.predictor import predict_logits


def settings(**changes):
    return QUICK.model_copy(update=changes)


def test_going_on_learns_from_the_validation_rows_and_from_no_test_row():
    reader = fake_reader(rows=400)
    events = []
    _, result = trained(reader, settings(refit=True, epochs=2), on_event=events.append)
    parts = [reader.examples.part_N[index] for index in reader.asked]
    learned = {name for part in parts for name in part}
    assert learned == {"train", "validation"}
    mixed = [part for part in parts if {"train", "validation"} <= set(part)]
    assert mixed and loop.GOING_ON in [event.message for event in events if isinstance(event, Note)]
    assert len(result.history) == 2


def test_without_going_on_the_validation_rows_only_choose():
    reader = fake_reader(rows=400)
    trained(reader, settings(refit=False, epochs=2))
    assert not any(len(set(reader.examples.part_N[index])) > 1 for index in reader.asked)


def test_what_the_validation_rows_say_is_what_going_on_learns():
    """Labels of validation rows that say the opposite pull the answers on rows of their kind."""
    reader = fake_reader(rows=600)
    opposite = reader.examples.target_N.copy()
    validation = reader.examples.part_N == "validation"
    opposite[validation] = 1 - opposite[validation]
    other = with_target(reader.x_NF, opposite, reader.examples.part_N, TaskKind.BINARY)
    asked_for = settings(refit=True, epochs=6, early_stopping=False)
    chosen = {}
    for name, asked in (("true", reader), ("opposite", other)):
        model, _ = trained(asked, asked_for)
        logit = predict_logits(model, asked, np.flatnonzero(validation))[:, 0]
        chosen[name] = (np.where(reader.examples.target_N[validation] == 1, logit, -logit)).mean()
    assert chosen["opposite"] < chosen["true"]
