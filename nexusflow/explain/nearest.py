"""Which examples the network takes for most alike: those whose prediction it puts together in the same way.

An example is represented by its additive contributions, one per role and output, which with the bias sum to its logit:
two examples at distance 0 have the same prediction for the same reasons, as far as tables are reasons. What within a
table led to a contribution is not compared.

Axis letters: N examples, T roles, O outputs, K neighbours.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.explain.explanation import Floats

BATCH = 256


class ComparisonStopped(Exception):
    """Raised inside a comparison that was asked to stop."""


def contribution_vectors(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> tuple[Floats, Floats]:
    """What each role adds to the outputs of these examples, [N, T, O], and their outputs, [N, O], in logits.

    ComparisonStopped where it was asked to stop.
    """
    roles, outputs = len(reader.layout.roles), reader.layout.outputs
    contribution_NTO = np.zeros((len(index_N), roles, outputs), dtype=np.float32)
    logit_NO = np.zeros((len(index_N), outputs), dtype=np.float32)
    device = next(trained.model.parameters()).device
    with torch.inference_mode():
        for at in range(0, len(index_N), BATCH):
            if should_stop():
                raise ComparisonStopped
            index = index_N[at : at + BATCH]
            output = trained.model(reader.batch(index).to(device))
            contribution_NTO[at : at + len(index)] = output.contribution_BTO.cpu().numpy()
            logit_NO[at : at + len(index)] = output.logit_BO.cpu().numpy()
            on_progress((at + len(index)) / len(index_N))
    return contribution_NTO, logit_NO


def nearest(
    one_TO: Floats, others_NTO: Floats, count: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The places [K] of the `count` vectors nearest to one, and their Euclidean distances [K], nearest first.

    Of equal distances the first place comes first.
    """
    difference: npt.NDArray[Any] = others_NTO.astype(np.float64) - one_TO.astype(np.float64)
    distance_N = np.sqrt((difference**2).sum(axis=(1, 2)))
    order = np.argsort(distance_N, kind="stable")[:count]
    return order, distance_N[order]
