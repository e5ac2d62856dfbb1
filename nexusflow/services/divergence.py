"""Whether a training went astray: a loss far above that of a constant answer, and the way out."""

import math

from nexusflow.train.run import Run

# A loss that is so many times what it should be at most comes of steps that are too long, not of hard rows.
FAR = 10.0


def divergence(run: Run) -> str:
    """That the training diverged and what to do about it, in sentences; empty where it did not.

    It did where an epoch's training loss came far above that of a constant answer, or far above that of the first
    epoch and above a constant answer's.
    """
    if not run.history:
        return ""
    first = run.history[0].train_loss
    worst = max(epoch.train_loss for epoch in run.history)
    constant = _constant_loss(run)
    if worst > FAR * first and worst > constant:
        came = f"its training loss rose to {_loss(worst)}, from {_loss(first)} in the first epoch"
    elif worst > FAR * constant:
        came = (
            f"its training loss came to {_loss(worst)}, where a constant answer has about {_loss(constant)}"
        )
    else:
        return ""
    return f"The training diverged: {came}. {_way_out(run)}"


def _constant_loss(run: Run) -> float:
    """The loss of a constant answer, about: the entropy of even classes, or one of standardised values."""
    classes = len(run.task.get("classes", ()))
    return math.log(classes) if classes > 1 else 1.0


def _way_out(run: Run) -> str:
    training = run.config.get("training", {})
    rate = training.get("learning_rate")
    way = "Lower the learning rate" + (f" (it was {rate:g})" if rate else "")
    return f"{way} and turn gradient clipping on." if training.get("gradient_clipping") == 0 else f"{way}."


def _loss(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
