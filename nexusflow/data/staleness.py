"""In the frozen regime the tables end long before some rows are asked about: other rows are read so too.

A network that only ever saw fresh tables takes an old standing for a present one. How old is drawn from how long after
the tables' end the rows to be scored are asked: their dates, never their targets.
"""

import numpy as np

from nexusflow.data.examples import frozen_time
from nexusflow.data.keys import Rows
from nexusflow.data.task import Examples, Part, Task

# Of the training rows, those that are read as if the tables had ended before.
STALE_SHARE = 0.75
MOST_DRAWS = 4
# Rows times summary features that are held for all draws together.
MOST_CELLS = 40_000_000


def read_until(task: Task, examples: Examples) -> Rows:
    """Until when each row is read where nothing is drawn: its cutoff, and nothing after `frozen_at`; [N]."""
    return np.minimum(examples.cutoff_N, frozen_time(task))


def gaps(task: Task, examples: Examples) -> Rows:
    """How long after the tables' end the test rows are asked, in nanoseconds; empty where none is, or not frozen."""
    late = (examples.part_N == str(Part.TEST)) & (examples.cutoff_N > frozen_time(task))
    return examples.cutoff_N[late] - frozen_time(task) if task.frozen_at else examples.cutoff_N[:0]


def draws(task: Task, examples: Examples, features: int) -> int:
    """How many draws of staleness a training goes through, 1 to 4; 1 where there is none to draw."""
    if not len(gaps(task, examples)):
        return 1
    return int(np.clip(MOST_CELLS // max(1, len(examples) * features), 1, MOST_DRAWS))


def stale_until(
    task: Task, examples: Examples, *, seed: int, learning: tuple[Part, ...] = (Part.TRAIN,)
) -> Rows:
    """Until when each row is read in training; [N].

    Three quarters of the rows that are learned from as if the tables had ended a drawn gap before their cutoff; other
    validation rows as test rows will be: until the first of them is asked, or, split at random, a drawn gap before.
    """
    until, gap = read_until(task, examples), gaps(task, examples)
    if not len(gap):
        return until
    rng = np.random.default_rng(seed)
    stale = np.minimum(until, examples.cutoff_N - rng.choice(gap, len(examples)))
    learned = np.isin(examples.part_N, [str(part) for part in learning])
    train = learned & (rng.random(len(examples)) < STALE_SHARE)
    validation = (examples.part_N == str(Part.VALIDATION)) & ~learned
    if task.split.method == "time" and validation.any():
        until = np.where(validation, np.minimum(until, examples.cutoff_N[validation].min()), until)
        return np.where(train, stale, until)
    return np.where(train | validation, stale, until)
