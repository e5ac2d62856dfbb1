"""What attributions start from, in words that fit every place where it is chosen or told."""

from nexusflow.explain.baseline import Baseline

STARTS = {
    Baseline.MISSING: "Nothing: every cell missing",
    Baseline.MEAN: "The mean of training rows",
    Baseline.ROWS: "Eight training rows in turn",
}
_FROM = {
    Baseline.MISSING: "from a row in which everything is missing",
    Baseline.MEAN: "from the mean of training rows",
    Baseline.ROWS: "from each of eight training rows in turn",
}
_ANSWER = {
    Baseline.MISSING: "that of a row in which everything is missing",
    Baseline.MEAN: "that of the mean of training rows",
    Baseline.ROWS: "the mean answer of eight training rows",
}


def from_words(baseline: Baseline) -> str:
    """Where the path of the gradients begins, to be put after `integrated gradients`."""
    return _FROM[baseline]


def answer_words(baseline: Baseline) -> str:
    """The answer that an answer is compared with, to be put after `how far the answer is from`."""
    return _ANSWER[baseline]
