"""Integrated gradients of the rows of a run, each made once."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nexusflow.explain.baseline import Baseline
from nexusflow.services.keeping import kept_attribution

if TYPE_CHECKING:
    from nexusflow.explain.explanation import Attribution
    from nexusflow.services.insight import Insight, OnProgress, ShouldStop

ATTRIBUTED = 64
# Gradients for a row at most where many are attributed: their mean needs less of each.
MOST_OF_MANY = 96


def attributed(
    insight: "Insight",
    name: str,
    rows: npt.NDArray[np.int64],
    baseline: Baseline,
    should_stop: "ShouldStop",
    on_progress: "OnProgress",
) -> "Attribution":
    """The attribution of this name, made where it is not kept."""
    from nexusflow.explain.attribution import MOST_STEPS, integrated_gradients

    return kept_attribution(
        insight.folder / name,
        lambda: integrated_gradients(
            insight.trained,
            insight.reader,
            rows,
            baseline=baseline,
            most=MOST_STEPS if len(rows) <= ATTRIBUTED else MOST_OF_MANY,
            should_stop=should_stop,
            on_progress=on_progress,
        ),
    )


def sample_name(baseline: Baseline, count: int) -> str:
    """What is added to the name of a file that holds what was found from another baseline or of more rows."""
    return of_baseline(baseline) + (f"-{count}" if count != ATTRIBUTED else "")


def of_baseline(baseline: Baseline) -> str:
    """What is added for the baseline alone."""
    return f"-from-{baseline}" if baseline is not Baseline.MISSING else ""
