"""Integrated gradients per cell (Sundararajan et al. 2017) and Shapley values per role, by Captum; the only file that
imports it.

The scores of a row sum to f(row) - f(baseline) up to a gap that is reported. The path is cut into stretches: rectifiers
and sparse masks bend the output where they switch, and quadrature converges fast on either side of a bend only. What
each stretch misses is known exactly, because its ends can be asked, and so the bends are found by halving.

Axis letters: B and N rows, T roles, M stretches of paths.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.explain.baseline import Baseline
from nexusflow.explain.baselines import start_of
from nexusflow.explain.explanation import HARDLY, Attribution, Floats
from nexusflow.explain.owned import no_cells
from nexusflow.explain.paths import Ends, Noise, Paths, Stretch

# Paths that are followed together, and gradients that are computed at once.
PATHS, GRADIENTS = 64, 256
# Gradients along a whole path, along half a stretch, and the most for an example; several baselines share the first.
STEPS, NODES, MOST_STEPS, FEWER = 8, 4, 256, 4
SMALL_GAP = 0.01
ORDERS, SHOWN_AT_ONCE = 12, 256


class AttributionStopped(Exception):
    """Raised inside an attribution that was asked to stop."""


def integrated_gradients(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    *,
    baseline: Baseline = Baseline.MISSING,
    steps: int = STEPS,
    most: int = MOST_STEPS,
    noise: Noise | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Attribution:
    """Scores of every cell that these examples read, in units of the logit (or of the standardised value).

    For several classes the output is the logit of the predicted class. With `Baseline.ROWS` the scores and the
    baseline's output are means over eight training rows (expected gradients, Erion et al. 2021). Of examples whose gap
    is above 1 %, and of these alone, the stretches of the path that miss most are halved until it took `most`
    gradients or more; what gap remains is in the answer. `noise` shakes the cells first. AttributionStopped where it
    was asked to stop.
    """
    start = start_of(baseline, trained, reader)
    parts, at_once = [], max(1, PATHS // start.count)
    for at in range(0, len(index_N), at_once):
        index = index_N[at : at + at_once]

        def tell(share: float, at: int = at, count: int = len(index)) -> None:
            if should_stop():
                raise AttributionStopped
            on_progress(min(1.0, (at + share * count) / len(index_N)))

        tell(0.0)
        part = _scored(Paths(trained, reader, index, start, noise), steps, most, tell)
        parts.append(replace(part, frame=part.frame.assign(example=part.frame["example"] + at)))
    on_progress(1.0)
    none = Attribution(
        frame=no_cells(), output=np.zeros(0), baseline_output=np.zeros(0), gap=np.zeros(0), steps=0
    )
    filled = [part.frame for part in parts if len(part.frame)]
    return Attribution(
        frame=pd.concat(filled, ignore_index=True) if filled else no_cells(),
        output=np.concatenate([part.output for part in (none, *parts)]),
        baseline_output=np.concatenate([part.baseline_output for part in (none, *parts)]),
        gap=np.concatenate([part.gap for part in (none, *parts)]),
        steps=max((part.steps for part in parts), default=steps),
    )


def _scored(paths: Paths, steps: int, most: int, tell: Callable[[float], None]) -> Attribution:
    """The scores of a few examples: each path as a whole, and then in halves where an example is far off."""
    draws = paths.start.count
    nodes = steps if draws == 1 else max(2, steps // FEWER)
    done = _measured(paths, paths.whole(), nodes, lambda share: tell(share / 2))
    spent_B = np.full(paths.examples, nodes * draws)
    allowed_B = SMALL_GAP * np.maximum(np.abs(paths.output - paths.baseline_output), HARDLY)
    while True:
        owner = np.array([paths.example(one.ends.place) for one in done])
        missed = np.array([one.missed for one in done])
        gap_B = np.abs(np.bincount(owner, missed, paths.examples)) / draws
        far_B = (gap_B > allowed_B) & (spent_B < most)
        if not far_B.any():
            break
        worst_B = np.zeros(paths.examples)
        np.maximum.at(worst_B, owner, np.abs(missed))
        # Halving what misses far less than the worst would hardly help.
        bad = far_B[owner] & (np.abs(missed) >= worst_B[owner] / 2)
        halves = paths.halved([one.ends for one, is_bad in zip(done, bad, strict=True) if is_bad])
        done = [one for one, is_bad in zip(done, bad, strict=True) if not is_bad]

        def tell_rest(share: float, settled: float = 1.0 - float(far_B.mean())) -> None:
            tell((1 + settled) / 2)

        done += _measured(paths, halves, NODES, tell_rest)
        np.add.at(spent_B, owner[bad], 2 * NODES)
    total: dict[int, Floats] = {}
    for one in done:
        place = one.ends.place
        total[place] = total[place] + one.score if place in total else one.score
    return Attribution(
        frame=paths.frame([total[place] for place in range(paths.count)]),
        output=paths.output,
        baseline_output=paths.baseline_output,
        gap=gap_B,
        steps=int(spent_B.max()),
    )


def _measured(
    paths: Paths, wanted: Sequence[Ends], nodes: int, tell: Callable[[float], None]
) -> list[Stretch]:
    """Integrated gradients along stretches of paths, by Gauss-Legendre quadrature with so many nodes."""
    from captum.attr import IntegratedGradients

    found, at_once = [], max(1, GRADIENTS // nodes)
    for at in range(0, len(wanted), at_once):
        tell(at / len(wanted))
        some = wanted[at : at + at_once]
        place_M = np.array([ends.place for ends in some])
        begin_M, end_M = (np.array([getattr(ends, name) for ends in some]) for name in ("begins", "ends"))
        scores = IntegratedGradients(paths.forward(place_M), multiply_by_inputs=True).attribute(
            paths.at(place_M, end_M), paths.at(place_M, begin_M), n_steps=nodes, method="gausslegendre"
        )
        rows = paths.rows(place_M, tuple(score.detach() for score in scores))
        found += [
            Stretch(ends=ends, score=row, missed=float(row.sum()) - (ends.after - ends.before))
            for ends, row in zip(some, rows, strict=True)
        ]
    return found


def shapley(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    *,
    orders: int = ORDERS,
    should_stop: Callable[[], bool] = lambda: False,
) -> npt.NDArray[np.float64]:
    """What each role adds to the output once it is shown, a mean over random orders of showing them; [N, T].

    Shapley values by sampled permutations (Castro et al. 2009); hidden as by `hide_BT`. The values of a row sum to its
    logit (of the predicted class, where there are several) less the logit with everything hidden. AttributionStopped
    where it was asked to stop.
    """
    from captum.attr import ShapleyValueSampling

    torch.manual_seed(0)
    found = [np.zeros((0, len(reader.layout.roles)))]
    multiclass = reader.preprocessing.task.kind is TaskKind.MULTICLASS
    for at in range(0, len(index_N), SHOWN_AT_ONCE):
        batch = reader.batch(index_N[at : at + SHOWN_AT_ONCE]).to(next(trained.model.parameters()).device)
        with torch.no_grad():
            rows = trained.model.encode(trained.model.tokens(batch))
            plain = trained.model(batch, rows=rows).logit_BO
        named_B1 = plain.argmax(dim=1, keepdim=True) if multiclass else torch.zeros_like(plain[:, :1]).long()

        def output(shown_BT: Tensor, batch=batch, rows=rows, named_B1=named_B1) -> Tensor:  # type: ignore[no-untyped-def]
            if should_stop():
                raise AttributionStopped
            return trained.model(batch, rows=rows, hide_BT=shown_BT < 0.5).logit_BO.gather(1, named_B1)[:, 0]

        whole = torch.ones(batch.size, len(reader.layout.roles), device=plain.device)
        with torch.no_grad():
            values_BT = ShapleyValueSampling(output).attribute(whole, baselines=0.0, n_samples=orders)
        found.append(values_BT.double().cpu().numpy())
    return np.concatenate(found)


def by_column(attribution: Attribution) -> pd.DataFrame:
    """Per role and column: the mean over examples of |sum of its scores| (strength) and of the sum (direction)."""
    frame, examples = attribution.frame, max(1, len(attribution.output))
    totals = frame.groupby(["example", "role", "table", "column"], sort=False)["score"].sum().reset_index()
    totals["strength"] = totals["score"].abs()
    grouped = totals.groupby(["role", "table", "column"], sort=False)[["strength", "score"]].sum() / examples
    result = grouped.reset_index().rename(columns={"score": "direction"})
    return result.sort_values("strength", ascending=False, ignore_index=True)
