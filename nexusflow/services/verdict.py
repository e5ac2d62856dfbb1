"""How a run did, against its baselines: a table and an honest sentence."""

from dataclasses import dataclass

import pandas as pd

from nexusflow.data.task import Part, TaskKind
from nexusflow.services.divergence import divergence
from nexusflow.train.metrics import primary_metric
from nexusflow.train.run import Run, RunStatus

MODEL = "NexusFormer"
# Baselines have no intervals to compare.
OWN = ("coverage", "interval_width")
# The baselines that know no more than the answers of the training rows.
GUESSES = ("Majority", "Median")
OR_LONGER = ", or train longer."
METRIC_LABELS = {
    "auroc": "AUROC",
    "average_precision": "Average precision",
    "log_loss": "Log loss",
    "accuracy": "Accuracy",
    "f1": "F1",
    "ece": "Calibration error",
    "macro_f1": "F1 (macro)",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "r2": "R²",
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The comparison in a sentence; `ahead` is None where the two are about equal or cannot be compared."""

    sentence: str
    ahead: bool | None


def metric_label(name: str) -> str:
    """A metric's name as it is printed."""
    return METRIC_LABELS.get(name, name.replace("_", " ").capitalize())


def results_table(run: Run, part: Part = Part.TEST) -> pd.DataFrame:
    """A line per model, the network first, then the baselines from best to worst; a column per metric."""
    name, higher = primary_metric(TaskKind(run.task["kind"]))
    lines = {MODEL: run.metrics.get(part, {})}
    others = [(model, scores.get(part, {})) for model, scores in run.baselines.items()]
    lines |= dict(sorted(others, key=lambda pair: pair[1].get(name, float("nan")), reverse=higher))
    frame = pd.DataFrame.from_dict(lines, orient="index").drop(columns=list(OWN), errors="ignore")
    first = [name] if name in frame else []
    frame = frame[first + [column for column in frame if column != name]]
    return frame.rename(columns=metric_label).rename_axis("Model").reset_index()


def verdict(run: Run, part: Part = Part.TEST) -> Verdict:
    """Which is better on the primary metric: the network or the best baseline, if the rows are enough to tell.

    It says so where none of them beats guessing, and where the training diverged and came to nothing by that.
    """
    found, astray = _compared(run, part), divergence(run)
    if not astray or found.ahead:
        return found
    sentence = found.sentence.replace(OR_LONGER, ".")
    return Verdict(sentence=f"{sentence} {astray}", ahead=found.ahead)


def _compared(run: Run, part: Part) -> Verdict:
    name, higher = primary_metric(TaskKind(run.task["kind"]))
    mine = run.metrics.get(part, {}).get(name)
    others = {
        model: scores[part][name] for model, scores in run.baselines.items() if name in scores.get(part, {})
    }
    label = metric_label(name)
    if mine is None:
        return Verdict(sentence=_unjudged(run, part), ahead=None)
    if not others:
        return Verdict(
            sentence=f"{label} {mine:.3f} on the test rows. No baseline was trained to compare.", ahead=None
        )
    best = (max if higher else min)(others, key=others.__getitem__)
    theirs = others[best]
    figures, turned = (
        f"{label} {one:.3f} against {other:.3f} on the test rows."
        for one, other in ((mine, theirs), (theirs, mine))
    )
    low, high = run.leads.get(best, (-1.0, 1.0)) if part is Part.TEST else (-1.0, 1.0)
    guess = _unbeaten(run, best) if part is Part.TEST else None
    if guess is not None:
        told = {MODEL: mine, best: theirs, guess: others[guess]}
        said = ", ".join(f"{model} {figure:.3f}" for model, figure in told.items())
        return Verdict(
            sentence=f"Nothing here beats guessing: {label} of {said} on the test rows. More rows may tell more, or "
            "columns that have to do with the answer.",
            ahead=False if high < 0 else None,
        )
    if low <= 0 <= high:
        return Verdict(
            sentence=f"{MODEL} and {best} cannot be told apart on this many rows: {figures}", ahead=None
        )
    if (mine > theirs) == higher:
        return Verdict(sentence=f"{MODEL} is better than the best baseline, {best}: {figures}", ahead=True)
    return Verdict(sentence=f"{best} is better than {MODEL}: {turned} Use that one{OR_LONGER}", ahead=False)


def _unbeaten(run: Run, best: str) -> str | None:
    """The constant baseline where neither the network nor another baseline is surely better; runs of earlier versions
    do not tell how sure that is of a baseline."""
    guess = next((model for model in GUESSES if model in run.leads), None)
    if guess is None or run.leads[guess][0] > 0:
        return None
    known = run.over_guessing.values()
    return guess if best == guess or (known and all(low <= 0 for low, _ in known)) else None


def _unjudged(run: Run, part: Part) -> str:
    """Why there is no score; what the run said of its validation rows, where it got that far."""
    if run.status is RunStatus.FINISHED:
        return f"This run has no {part} rows to be judged by."
    said = f"The run was stopped before it was judged on the {part} rows."
    name, _ = primary_metric(TaskKind(run.task["kind"]))
    score = run.metrics.get(Part.VALIDATION, {}).get(name) if part is not Part.VALIDATION else None
    return (
        said if score is None else f"{said} {metric_label(name)} {score:.3f} on the validation rows so far."
    )


def duration(seconds: float | None) -> str:
    """Seconds in words a reader takes in at a glance."""
    if seconds is None:
        return "unknown"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
