"""Laws of a training with more rows than an epoch reads."""

import numpy as np
import pytest
from stand_in import QUICK, fake_reader, trained

from nexusflow.train.metrics import score


def settings(**changes):
    return QUICK.model_copy(update=changes)


def test_an_epoch_is_of_so_many_rows_drawn_anew_each_time():
    reader = fake_reader(rows=400)
    trained(reader, settings(epochs=4, rows_per_epoch=48))
    learned = [index for index in reader.asked if set(reader.examples.part_N[index]) == {"train"}]
    assert [len(index) for index in learned] == [16] * 12
    epochs = [np.concatenate(learned[at : at + 3]) for at in range(0, 12, 3)]
    assert all(len(set(epoch)) == 48 for epoch in epochs)
    assert len({tuple(sorted(epoch)) for epoch in epochs}) == 4


def test_more_rows_per_epoch_than_there_are_is_all_of_them():
    one, other = (trained(fake_reader(), settings(rows_per_epoch=rows))[1] for rows in (None, 10_000))
    assert [e.val_loss for e in one.history] == [e.val_loss for e in other.history]


def test_going_on_reads_as_large_a_share_with_the_validation_rows():
    reader = fake_reader(rows=400)
    trained(reader, settings(epochs=4, rows_per_epoch=48, refit=True, early_stopping=False))
    parts = [(reader.examples.part_N[index] == "validation").sum() for index in reader.asked]
    mixed = [index for index, held in zip(reader.asked, parts, strict=True) if 0 < held < len(index)]
    # 240 training and 80 validation rows, of which 48 times 320 / 240 make an epoch.
    assert mixed and sum(map(len, mixed)) <= 64


@pytest.mark.parametrize("refit", [False, True])
def test_some_validation_rows_choose_and_all_are_scored(monkeypatch, refit):
    monkeypatch.setattr("nexusflow.train.choosing.MOST_CHOOSING", 30)
    reader = fake_reader(rows=400)
    _, result = trained(reader, settings(refit=refit))
    rows = np.flatnonzero(reader.examples.part_N == "validation")
    checked = [index for index in reader.asked if set(reader.examples.part_N[index]) == {"validation"}]
    assert [len(index) for index in checked] == [30, 30, 30, 80]
    assert all(set(index) <= set(rows) for index in checked)
    assert len(result.validation_logit_NO) == len(rows)
    kind = reader.preprocessing.task.kind
    values = reader.preprocessing.unscale(result.validation_logit_NO)
    assert dict(result.metrics) == score(kind, reader.examples.target_N[rows], values)


def test_stopped_while_all_are_scored_it_keeps_the_chosen_epoch(monkeypatch):
    monkeypatch.setattr("nexusflow.train.choosing.MOST_CHOOSING", 30)
    reader = fake_reader(rows=400)

    def should_stop():
        return len([index for index in reader.asked if len(index) == 30]) == 3

    _, result = trained(reader, settings(), should_stop=should_stop)
    assert result.stopped and result.best_epoch and result.validation_logit_NO is None
    # The rows that chose it still say how sure it may be, and how good it is.
    assert result.metrics["auroc"] == result.history[result.best_epoch - 1].val_metrics["auroc"]
