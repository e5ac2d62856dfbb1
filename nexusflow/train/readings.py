"""What a training's epochs read of the rows, in turn."""

from nexusflow.data.reader import Reader
from nexusflow.data.staleness import draws, gaps, stale_until
from nexusflow.data.task import Part


def readings(reader: Reader, seed: int, learning: tuple[Part, ...] = (Part.TRAIN,)) -> tuple[Reader, ...]:
    """What the epochs read, in turn; more than the reader only where the tables end before some rows are asked."""
    task, examples = reader.preprocessing.task, reader.examples
    if not len(gaps(task, examples)):
        return (reader,)
    number = draws(task, examples, len(reader.preprocessing.summaries))
    drawn = (stale_until(task, examples, seed=seed + draw, learning=learning) for draw in range(number))
    return tuple(reader.as_it_stood(until_N) for until_N in drawn)
