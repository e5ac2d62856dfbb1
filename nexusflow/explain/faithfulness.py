"""Can a map be trusted? Hide what it points at, and see whether the predictions move as it says.

Hiding uses the token that training used for hidden rows and summaries, so that the model is asked nothing that it never
saw (Madsen et al. 2023).
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.stats import spearmanr

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.explain.explanation import DeletionCheck, Floats

BATCH = 256
AGREES = 0.6


def deletion_check(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    shown_T: Floats,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> DeletionCheck:
    """Hide each role that is not the seed, and compare the mean change of the output with `shown_T` (a value per role).

    The output is the probability (of each class), or the value in units of the target.
    """
    plain = _outputs(trained, reader, index_N, None)
    names = [role.name for role in reader.layout.roles]
    changes = []
    for t in range(1, len(names)):
        if should_stop():
            break
        moved = np.abs(_outputs(trained, reader, index_N, t) - plain)
        changes.append(float(moved.mean()))
    frame = pd.DataFrame(
        {"role": names[1 : len(changes) + 1], "shown": shown_T[1 : len(changes) + 1], "change": changes}
    )
    frame = frame.sort_values("shown", ascending=False, ignore_index=True)
    agreement = float("nan")
    if len(frame) >= 3 and frame["shown"].nunique() > 1 and frame["change"].nunique() > 1:
        agreement = float(spearmanr(frame["shown"], frame["change"]).statistic)
    faithful, sentence = _judge(frame, agreement, trained.preprocessing.task.kind)
    return DeletionCheck(
        frame=frame, agreement=agreement, rows=len(index_N), faithful=faithful, sentence=sentence
    )


def _outputs(
    trained: TrainedModel, reader: Reader, index_N: npt.NDArray[np.int64], hidden: int | None
) -> Floats:
    parts = []
    with torch.inference_mode():
        for at in range(0, len(index_N), BATCH):
            batch = reader.batch(index_N[at : at + BATCH])
            hide = None
            if hidden is not None:
                hide = torch.zeros(batch.size, len(reader.layout.roles), dtype=torch.bool)
                hide[:, hidden] = True
            parts.append(trained.model(batch, hide_BT=hide).logit_BO.numpy())
    return trained.preprocessing.unscale(np.concatenate(parts))


def _judge(frame: pd.DataFrame, agreement: float, kind: TaskKind) -> tuple[bool, str]:
    unit = "the predicted value" if kind is TaskKind.REGRESSION else "the predicted probability"
    if len(frame) < 2:
        return False, "There are fewer than two related tables, so there is nothing to compare the map with."
    first, others = frame.iloc[0], frame.iloc[1:]["change"].mean()
    told = (
        f"Hiding {first['role']}, which ranks first of the related tables, moves {unit} by "
        f"{first['change']:.3g} on average; hiding another one moves it by {others:.3g}."
    )
    first_is_first = first["change"] >= frame["change"].max()
    if first_is_first and (np.isnan(agreement) or agreement >= AGREES):
        return True, f"{told} The ranking agrees with what the predictions depend on."
    best = frame["role"].iloc[int(frame["change"].to_numpy().argmax())]
    if not first_is_first:
        return False, f"{told} The predictions depend most on {best}: do not read this map as importance."
    return (
        False,
        f"{told} Below the first place the ranking does not agree with deletion (rank correlation {agreement:.2f}).",
    )
