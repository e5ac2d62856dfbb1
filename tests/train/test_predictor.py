"""Predicting in batches gives what predicting at once gives, and stops within one."""

import numpy as np
import pytest
import torch
from stand_in import Network, fake_reader

from nexusflow.data.task import TaskKind
from nexusflow.train.predictor import FEW, Stopped, predict_logits


@pytest.mark.parametrize("batch_size", [1, 7, 119, 120, 500])
def test_batches_change_nothing_and_rows_keep_their_order(batch_size):
    reader, model = fake_reader(TaskKind.MULTICLASS), Network(3)
    index = np.random.default_rng(0).permutation(len(reader))
    with torch.no_grad():
        expected = model.eval()(reader.batch(index)).logit_BO.numpy()
    found = predict_logits(model.train(), reader, index, batch_size=batch_size)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-6)


def test_of_no_rows_there_are_no_logits():
    reader = fake_reader(TaskKind.MULTICLASS)
    assert predict_logits(Network(3), reader, np.zeros(0, dtype=np.int64)).shape == (0, 3)
    assert reader.asked == []


@pytest.mark.parametrize("answers_before", [0, 1, 3])
def test_it_stops_before_the_next_batch(answers_before):
    reader, asked = fake_reader(), []

    def should_stop():
        asked.append(1)
        return len(asked) > answers_before

    with pytest.raises(Stopped):
        predict_logits(Network(), reader, np.arange(100), batch_size=10, should_stop=should_stop)
    assert len(reader.asked) == answers_before


def test_few_rows_are_answered_by_one_thread_whatever_is_set():
    threads, before = [], torch.get_num_threads()

    class Watched(Network):
        def forward(self, batch):
            threads.append(torch.get_num_threads())
            return super().forward(batch)

    torch.set_num_threads(2)
    try:
        predict_logits(Watched(), fake_reader(), np.arange(2 * FEW + 3), batch_size=FEW + 1)
        assert threads == [2, 2, 1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
