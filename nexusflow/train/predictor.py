"""Predictions of a finished network, batch by batch."""

import numpy as np
import numpy.typing as npt
import torch

from nexusflow.data.reader import Reader
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.train.events import ShouldStop

BATCH = 512


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
    if model.training:
        model.eval()
    device = next(model.parameters()).device
    parts = [np.zeros((0, reader.layout.outputs), dtype=np.float32)]
    with torch.inference_mode():
        for at in range(0, len(index_N), batch_size):
            if should_stop is not None and should_stop():
                raise Stopped
            batch = reader.batch(index_N[at : at + batch_size]).to(device)
            parts.append(model(batch).logit_BO.float().cpu().numpy())
    return np.concatenate(parts)
