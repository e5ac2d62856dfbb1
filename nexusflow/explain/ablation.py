"""What each part is worth: how far predictions move, and how much worse they get, once it is hidden.

Axis letters: G groups, K questions, N rows, O outputs.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.explain.explanation import Ablation, Floats
from nexusflow.explain.hiding import Groups, said
from nexusflow.train.metrics import row_losses


def ablation(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    groups: Groups,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Ablation:
    """Each group hidden by itself, over these examples; HidingStopped where asked to stop.

    The shares are those of the mean squares by which logits (or standardised values) move: what moves every answer a
    little weighs little.
    """
    count = len(groups.keys)
    hidden_KG = np.vstack([np.zeros((1, count), dtype=bool), np.eye(count, dtype=bool)])
    logit_KNO = said(
        trained, reader, index_N, groups, hidden_KG, should_stop=should_stop, on_progress=on_progress
    )
    value_KN = values(trained, logit_KNO)
    loss_KN = losses(trained, reader, index_N, logit_KNO)
    energy_G = ((logit_KNO[1:] - logit_KNO[:1]) ** 2).sum(axis=2).mean(axis=1)
    cost_G, error_G = mean_and_error(loss_KN[1:] - loss_KN[:1])
    frame = pd.DataFrame(
        {
            "table": [table for table, _ in groups.keys],
            "column": [column for _, column in groups.keys],
            "share": energy_G / max(1e-12, float(energy_G.sum())),
            "change": np.abs(value_KN[1:] - value_KN[:1]).mean(axis=1),
            "cost": cost_G,
            "cost_error": error_G,
        }
    )
    return Ablation(frame=frame, rows=len(index_N))


def values(trained: TrainedModel, logit_KNO: Floats) -> Floats:
    """What is shown of each answer [K, N]: the probability (of the class that the first question's answer names), or
    the value in units of the target."""
    shown = np.stack([trained.preprocessing.unscale(logit_NO) for logit_NO in logit_KNO])
    if shown.ndim == 3:
        named_N = shown[0].argmax(axis=1)
        shown = shown[:, np.arange(shown.shape[1]), named_N]
    return np.asarray(shown)


def losses(
    trained: TrainedModel, reader: Reader, index_N: npt.NDArray[np.int64], logit_KNO: Floats
) -> Floats:
    """The loss of each row [K, N]; NaN where its target is unknown."""
    kind, target_N = trained.preprocessing.task.kind, reader.examples.target_N[index_N]
    unscale = trained.preprocessing.unscale
    return np.stack([row_losses(kind, target_N, unscale(logit_NO)) for logit_NO in logit_KNO])


def mean_and_error(values_GN: Floats) -> tuple[Floats, Floats]:
    """The mean over known rows and its standard error, both [G]; NaN where none is known."""
    known = ~np.isnan(values_GN)
    count = known.sum(axis=1)
    filled = np.where(known, values_GN, 0.0)
    mean = np.divide(filled.sum(axis=1), count, out=np.full(len(filled), np.nan), where=count > 0)
    spread = np.where(known, values_GN - mean[:, None], 0.0)
    variance = np.divide(
        (spread**2).sum(axis=1), count - 1, out=np.full(len(filled), np.nan), where=count > 1
    )
    return mean, np.sqrt(variance / np.maximum(count, 1))
