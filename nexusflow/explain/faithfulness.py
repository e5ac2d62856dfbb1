"""Can a picture be trusted? Hide what it points at, and see whether the predictions move as it says.

Hiding uses the tokens that training used for what it hid, so that the model is asked nothing that it never saw (Madsen
et al. 2023). Deletion and insertion curves as in Petsiuk et al. 2018 (RISE); comprehensiveness and sufficiency as in
DeYoung et al. 2020 (ERASER).

Axis letters: G groups, K questions, N rows, O outputs.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.explain.ablation import losses, mean_and_error, values
from nexusflow.explain.explanation import DeletionCheck, Floats
from nexusflow.explain.hiding import Groups, said
from nexusflow.train.metrics import paired_lead, primary_metric, score

AGREES = 0.6
# Random orders that the curves are compared with, and the most steps of a curve.
ORDERS, MOST_STEPS = 4, 8
# A first place is no mistake where what moves the answers more does so by no more than this share.
NEARLY = 0.9
# In a sentence, a figure of less than this share of another one is next to nothing.
NOTHING = 0.001


def deletion_check(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    groups: Groups,
    shown_G: Floats,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> DeletionCheck:
    """How well the picture that gives the groups these values agrees with what hiding them does.

    HidingStopped where it was asked to stop.
    """
    count = len(groups.keys)
    order = np.argsort(-shown_G, kind="stable")
    steps = np.unique(np.linspace(0, count, min(count, MOST_STEPS) + 1).round().astype(int))
    rng = np.random.default_rng(0)
    orders = [order, *(rng.permutation(count) for _ in range(ORDERS))]
    hidden_KG = np.vstack([np.eye(count, dtype=bool), *(_walks(one, steps) for one in orders)])
    hidden_KG = np.vstack([np.zeros((1, count), dtype=bool), hidden_KG])
    asked, place_K = np.unique(hidden_KG, axis=0, return_inverse=True)
    logit_KNO = said(
        trained, reader, index_N, groups, asked, should_stop=should_stop, on_progress=on_progress
    )[place_K.reshape(-1)]
    moved_K = np.abs(values(trained, logit_KNO) - values(trained, logit_KNO[:1])).mean(axis=1)
    loss_KN = losses(trained, reader, index_N, logit_KNO)
    cost_K, error_K = mean_and_error(loss_KN - loss_KN[:1])
    alone = slice(1, count + 1)
    frame = pd.DataFrame(
        {
            "name": groups.names,
            "shown": shown_G,
            "change": moved_K[alone],
            "cost": cost_K[alone],
            "cost_error": error_K[alone],
        }
    ).iloc[order]
    curves = _curves(moved_K[count + 1 :], len(orders), steps / count)
    agreement = _agreement(frame)
    kind = trained.preprocessing.task.kind
    target_N, unscale = reader.examples.target_N[index_N], trained.preprocessing.unscale
    blind = logit_KNO[int(np.flatnonzero(hidden_KG.all(axis=1))[0])]
    lead = paired_lead(kind, target_N, unscale(logit_KNO[0]), unscale(blind), seed=0)
    matters = lead is None or lead[0] > 0
    faithful, sentence = _judge(
        frame,
        agreement,
        kind,
        matters=matters,
        better=_better(curves),
        score_of=lambda k: score(kind, target_N, unscale(logit_KNO[k])),
        order=order,
    )
    return DeletionCheck(
        frame=frame.reset_index(drop=True),
        curves=curves,
        agreement=agreement,
        comprehensiveness=_mean_of(curves, "deletion"),
        sufficiency=_mean_of(curves, "insertion"),
        matters=matters,
        rows=len(index_N),
        faithful=faithful,
        sentence=sentence,
    )


def agreement(pictures: dict[str, Floats]) -> pd.DataFrame:
    """Spearman's rank correlation of every two pictures of the same groups; NaN where one says nothing or there are
    fewer than three groups."""
    names = list(pictures)
    found = pd.DataFrame(np.nan, index=names, columns=names)
    for one in names:
        for other in names:
            found.loc[one, other] = _rank_correlation(pictures[one], pictures[other])
    return found


def _walks(
    order: Sequence[int] | npt.NDArray[np.int64], steps: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """What is hidden at each step of the deletion curve, and then at each of the insertion curve."""
    place = np.empty(len(order), dtype=int)
    place[np.asarray(order)] = np.arange(len(order))
    deletion = place[None, :] < steps[:, None]
    return np.vstack([deletion, ~deletion])


def _curves(moved_K: Floats, orders: int, share: Floats) -> pd.DataFrame:
    """share hidden (deletion) or shown (insertion), and how far answers are from the whole ones: by the picture's order
    and by random ones."""
    parts = moved_K.reshape(orders, 2, len(share))
    return pd.DataFrame(
        {
            "share": share,
            "deletion": parts[0, 0],
            "deletion_random": parts[1:, 0].mean(axis=0),
            "insertion": parts[0, 1],
            "insertion_random": parts[1:, 1].mean(axis=0),
        }
    )


def _mean_of(curves: pd.DataFrame, name: str) -> float:
    """The mean distance of answers along a curve."""
    return float(curves[name].iloc[1:-1].mean()) if len(curves) > 2 else float("nan")


def _better(curves: pd.DataFrame) -> bool:
    """Whether deletion by the picture moves answers faster than at random."""
    inner = curves.iloc[1:-1]
    return inner.empty or bool(inner["deletion"].mean() >= inner["deletion_random"].mean())


def _agreement(frame: pd.DataFrame) -> float:
    return _rank_correlation(frame["shown"].to_numpy(), frame["change"].to_numpy())


def _rank_correlation(one: Floats, other: Floats) -> float:
    known = np.isfinite(one) & np.isfinite(other)
    one, other = one[known], other[known]
    if len(one) < 3 or len(np.unique(one)) < 2 or len(np.unique(other)) < 2:
        return float("nan")
    return float(spearmanr(one, other).statistic)


def _judge(
    frame: pd.DataFrame,
    agreement: float,
    kind: TaskKind,
    *,
    matters: bool,
    better: bool,
    score_of: Callable[[int], dict[str, float]],
    order: npt.NDArray[np.int64],
) -> tuple[bool, str]:
    """Whether the picture is to be believed, and a sentence that says why; question k + 1 hid group k alone."""
    if len(frame) < 2:
        return False, "There are fewer than two parts, so there is nothing to compare the picture with."
    if not matters:
        return False, (
            "Nothing that the model reads makes its answers better: hiding everything costs nothing that can be told "
            "from chance. There is nothing to explain here, whatever the picture shows."
        )
    told = f"{_cost(frame, kind, score_of, order)} {_change(frame, kind)}"
    first = frame.iloc[0]
    if first["change"] < NEARLY * frame["change"].max():
        best = frame["name"].iloc[int(frame["change"].to_numpy().argmax())]
        return False, f"{told} Answers depend most on {best}: do not read this picture as importance."
    if not np.isnan(agreement) and agreement < AGREES:
        return (
            False,
            f"{told} Its first place is right; below it the ranking does not agree with hiding "
            f"(rank correlation {agreement:.2f}).",
        )
    if not better:
        return False, f"{told} Hiding in its order moves the answers no faster than in a random order."
    return True, f"{told} The picture can be trusted."


def _cost(
    frame: pd.DataFrame,
    kind: TaskKind,
    score_of: Callable[[int], dict[str, float]],
    order: npt.NDArray[np.int64],
) -> str:
    """What hiding the first costs by the primary metric, against the mean of the others."""
    name, higher = primary_metric(kind)
    scores = [score_of(k).get(name) for k in (0, *(order + 1))]
    if any(value is None for value in scores):
        return ""
    whole, *hidden = (float(value) for value in scores if value is not None)
    costs = [(whole - value) * (1 if higher else -1) for value in hidden]
    words = {"auroc": "AUROC", "mae": "mean absolute error", "log_loss": "log loss"}[name]
    return (
        f"Hiding {frame['name'].iloc[0]}, which ranks first, costs {_words(costs[0], 3)} {words}; "
        f"hiding another one costs {_beside(float(np.mean(costs[1:])), costs[0])} on average."
    )


def _change(frame: pd.DataFrame, kind: TaskKind) -> str:
    unit = "the predicted value" if kind is TaskKind.REGRESSION else "the predicted probability"
    first, others = frame["change"].iloc[0], frame["change"].iloc[1:].mean()
    return f"It moves {unit} by {_words(first, 3)} on average, another one by {_beside(others, first)}."


def _beside(value: float, first: float) -> str:
    """A figure beside a larger one, of which it may be next to nothing."""
    return "next to nothing" if abs(value) < NOTHING * abs(first) else _words(value, 2)


def _words(value: float, digits: int) -> str:
    """A figure in so many digits, for a sentence: without an exponent, unless it is beyond all reading."""
    told = f"{value:.{digits}g}"
    return told if not 1e-8 < abs(value) < 1e8 else np.format_float_positional(float(told), trim="-")
