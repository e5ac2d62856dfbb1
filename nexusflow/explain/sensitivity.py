"""Do scores hold still when what they explain hardly changes? The max-sensitivity of explanations (Yeh et al. 2019,
definition 3.1).

Axis letters: N rows, G groups.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.explain.attribution import integrated_gradients
from nexusflow.explain.baseline import Baseline
from nexusflow.explain.explanation import Floats
from nexusflow.explain.hiding import Columns
from nexusflow.explain.infidelity import scores_of
from nexusflow.explain.paths import Noise

RADIUS, DRAWS = 0.02, 4


def sensitivity(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    groups: Columns,
    scores_NG: Floats,
    *,
    baseline: Baseline = Baseline.MISSING,
    radius: float = RADIUS,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Floats:
    """How far the scores of each row go at most when every embedded cell is shaken by up to `radius` times its usual
    size, as a share of the size of the scores, [N]; 0 is perfect, and the most of four draws is a lower bound.

    `scores_NG` are those of the rows as they are. NaN where a row's scores are all zero. AttributionStopped where it
    was asked to stop.
    """
    moved_N = np.zeros(len(index_N))
    for seed in range(DRAWS):

        def tell(share: float, done: int = seed) -> None:
            on_progress((done + share) / DRAWS)

        found = integrated_gradients(
            trained,
            reader,
            index_N,
            baseline=baseline,
            noise=Noise(size=radius, seed=seed),
            should_stop=should_stop,
            on_progress=tell,
        )
        moved_N = np.maximum(moved_N, np.linalg.norm(scores_of(found, groups) - scores_NG, axis=1))
    size_N = np.linalg.norm(scores_NG, axis=1)
    return np.divide(moved_N, size_N, out=np.full(len(index_N), np.nan), where=size_N > 0)
