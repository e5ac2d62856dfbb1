"""Predictions of a finished network, batch by batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

from nexusflow.data.reader import Reader
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.nn.output import ModelOutput
from nexusflow.train.events import ShouldStop

BATCH = 512
# So few rows are answered by one thread sooner than by several that wait for each other, above all where requests
# share the cores. It also gives them the same bits on a machine of any number of cores.
FEW = 32


class Stopped(Exception):
    """Raised inside a prediction that was asked to stop."""


def predict_logits(
    model: NexusFormer,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    *,
    batch_size: int = BATCH,
    should_stop: ShouldStop | None = None,
) -> npt.NDArray[np.float32]:
    """Logits [N, O] of these examples, on the device where the model is; raises Stopped within one batch of being
    asked to."""
    parts = [np.zeros((0, reader.layout.outputs), dtype=np.float32)]
    for output in _outputs(model, reader, index_N, batch_size, should_stop):
        parts.append(output.logit_BO.float().cpu().numpy())
    return np.concatenate(parts)


def predict_answers(
    model: NexusFormer,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    *,
    should_stop: ShouldStop | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The two answers [N, O] of which the logits are the mean before they are calibrated; else as `predict_logits`."""
    parts = [np.zeros((2, 0, reader.layout.outputs), dtype=np.float32)]
    for output in _outputs(model, reader, index_N, BATCH, should_stop):
        parts.append(torch.stack(output.answers_BO).float().cpu().numpy())
    first, second = np.concatenate(parts, axis=1)
    return first, second


def _outputs(
    model: NexusFormer,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    batch_size: int,
    should_stop: ShouldStop | None,
) -> Iterator[ModelOutput]:
    if model.training:
        model.eval()
    device = next(model.parameters()).device
    for at in range(0, len(index_N), batch_size):
        if should_stop is not None and should_stop():
            raise Stopped
        index_B = index_N[at : at + batch_size]
        batch = reader.batch(index_B).to(device)
        with torch.inference_mode(), _threads_for(len(index_B)):
            output = model(batch)
        yield output


@contextmanager
def _threads_for(rows: int) -> Iterator[None]:
    """One thread for few rows, else what is set. It is set for the thread that calls, so others are not disturbed."""
    before = torch.get_num_threads()
    if rows > FEW or before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
