"""Laws of staleness: rows are read as they stood, never beyond their own reading, and only where it is asked for."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from random_database import SCHEMA, TASK, random_frames, table_set

from nexusflow.data.examples import make_examples, scoring_examples
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.data.staleness import MOST_DRAWS, draws, gaps, read_until, stale_until
from nexusflow.data.task import Examples, Part, Split, Task

DAY = 86_400 * 10**9


def stretched(per_part: int = 400) -> Examples:
    """Training rows over ten days, validation rows over the next ten, test rows over the ten after."""
    rng = np.random.default_rng(0)
    cutoff = np.concatenate([rng.integers(at * DAY, (at + 10) * DAY, per_part) for at in (0, 10, 20)])
    part = np.repeat([str(p) for p in (Part.TRAIN, Part.VALIDATION, Part.TEST)], per_part)
    rows = np.arange(len(cutoff))
    return Examples(row_N=rows, cutoff_N=cutoff, target_N=np.zeros(len(cutoff), np.float32), part_N=part)


def frozen(method: str = "time") -> Task:
    return replace(TASK, frozen_at=str(pd.Timestamp(20 * DAY)), split=Split(method=method))


def test_nothing_is_stale_where_the_tables_do_not_end_early() -> None:
    rolling, examples = replace(TASK, frozen_at=None), stretched()
    np.testing.assert_array_equal(stale_until(rolling, examples, seed=0), examples.cutoff_N)
    beyond = replace(TASK, frozen_at=str(pd.Timestamp(40 * DAY)))
    np.testing.assert_array_equal(stale_until(beyond, examples, seed=0), examples.cutoff_N)
    assert draws(rolling, examples, 10) == draws(beyond, examples, 10) == 1


@pytest.mark.parametrize("method", ["time", "random"])
def test_no_row_is_read_beyond_its_own_reading_and_test_rows_as_ever(method: str) -> None:
    task, examples = frozen(method), stretched()
    until, own = stale_until(task, examples, seed=3), read_until(task, examples)
    assert (until <= own).all()
    test = examples.part_N == str(Part.TEST)
    np.testing.assert_array_equal(until[test], own[test])
    assert set(gaps(task, examples)) == set(examples.cutoff_N[test] - 20 * DAY)


def test_validation_rows_are_read_as_test_rows_will_be() -> None:
    examples = stretched()
    validation = examples.part_N == str(Part.VALIDATION)
    first = examples.cutoff_N[validation].min()
    assert set(stale_until(frozen(), examples, seed=0)[validation]) == {first}


def test_three_quarters_of_the_training_rows_are_stale_by_gaps_that_will_come() -> None:
    task, examples = frozen(), stretched()
    train = examples.part_N == str(Part.TRAIN)
    gap = (examples.cutoff_N - stale_until(task, examples, seed=0))[train]
    assert 0.65 < (gap > 0).mean() < 0.85
    assert set(gap[gap > 0]) <= set(gaps(task, examples))
    assert draws(task, examples, 10) == MOST_DRAWS
    assert (stale_until(task, examples, seed=0) != stale_until(task, examples, seed=1)).any()


def test_read_as_it_stood_is_the_frozen_reading_to_the_bit() -> None:
    tables = table_set(random_frames(5))
    fitted = fit_preprocessing(
        tables, SCHEMA, TASK, make_examples(tables, SCHEMA, TASK), hops=2, rows_per_key=3
    )
    reader = Reader(fitted, tables, scoring_examples(tables, SCHEMA, TASK))
    end = int(np.median(reader.until_N))
    at_end = replace(fitted, task=replace(TASK, frozen_at=str(pd.Timestamp(end))))
    other = Reader(at_end, tables, reader.examples)
    stood = reader.as_it_stood(np.full(len(reader), end))
    index = np.arange(len(reader))
    np.testing.assert_array_equal(stood.features(index)[0], other.features(index)[0])
    for name, value in vars(stood.batch(index)).items():
        if name != "tables":
            np.testing.assert_array_equal(np.asarray(value), np.asarray(getattr(other.batch(index), name)))
    later = stood.as_it_stood(reader.examples.cutoff_N)
    np.testing.assert_array_equal(later.until_N, stood.until_N)
    np.testing.assert_array_equal(reader.until_N, read_until(TASK, reader.examples))
