"""Do scores foresee what hiding does? The infidelity of attributions (Yeh et al. 2019, definition 2.1).

Axis letters: G groups, K questions, N rows, O outputs.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.explain.explanation import Attribution, Floats
from nexusflow.explain.hiding import Columns, said

QUESTIONS, HIDDEN_SHARE = 16, 0.3


def scores_of(attribution: Attribution, groups: Columns) -> Floats:
    """The scores of each example summed by group, [N, G]; every score has its group."""
    frame, place = attribution.frame, {key: g for g, key in enumerate(groups.keys)}
    scores_NG = np.zeros((len(attribution.output), len(groups.keys)))
    group = [place[key] for key in zip(frame["table"], frame["column"], strict=True)]
    np.add.at(scores_NG, (frame["example"].to_numpy(), np.array(group, dtype=int)), frame["score"].to_numpy())
    return scores_NG


def infidelity(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    groups: Columns,
    scores_NG: Floats,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[float, float]:
    """How far the scores of hidden columns are from what hiding them took from the output: of these scores, and of the
    same scores dealt out at random.

    The mean over rows and sixteen random choices of columns of the squared difference, as a share of the mean square of
    what hiding took: 0 is perfect, 1 is what scores of zero get. NaN where hiding takes nothing.
    """
    rng = np.random.default_rng(0)
    hidden_KG = rng.random((QUESTIONS, len(groups.keys))) < HIDDEN_SHARE
    asked_KG = np.vstack([np.zeros((1, len(groups.keys)), dtype=bool), hidden_KG])
    logit_KNO = said(trained, reader, index_N, groups, asked_KG, should_stop=should_stop)
    multiclass = reader.preprocessing.task.kind is TaskKind.MULTICLASS
    named_N = logit_KNO[0].argmax(axis=1) if multiclass else np.zeros(len(index_N), dtype=int)
    output_KN = logit_KNO[:, np.arange(len(index_N)), named_N]
    taken_KN = output_KN[:1] - output_KN[1:]
    size = float((taken_KN**2).mean())
    dealt_NG = rng.permuted(scores_NG, axis=1)
    if size == 0.0:
        return float("nan"), float("nan")
    return (
        float(((hidden_KG @ scores_NG.T - taken_KN) ** 2).mean()) / size,
        float(((hidden_KG @ dealt_NG.T - taken_KN) ** 2).mean()) / size,
    )
