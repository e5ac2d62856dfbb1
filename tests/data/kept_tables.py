"""Tables read with and without a cache, and what is held against each other: for the tests of the cache."""

from collections.abc import Mapping

import numpy as np
import torch
from random_database import SCHEMA, TASK

from nexusflow.data import cache, cache_disk
from nexusflow.data.cache_disk import OnDisk
from nexusflow.data.cache_files import ArrayFiles
from nexusflow.data.examples import make_examples
from nexusflow.data.featurize import TableFeaturizer
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader

ROOM = 10**9


def on_disk(folder, told=None):
    """A cache in this folder; what it says is added to `told`, or is an error."""

    def unheard(sentence):
        raise AssertionError(sentence)

    return OnDisk(ArrayFiles(folder, ROOM, unheard if told is None else told.append))


def read(tables, cache=None, schema=SCHEMA, treatment=None):
    """The reader of all examples, fitted to them."""
    examples = make_examples(tables, schema, TASK)
    fitted = fit_preprocessing(
        tables, schema, TASK, examples, hops=2, rows_per_key=3, treatment=treatment, cache=cache
    )
    return Reader(fitted, tables, examples, cache)


def arrays(thing):
    """All arrays of an index, of encoded tables or of a batch, by where they stand."""
    if isinstance(thing, np.ndarray | torch.Tensor):
        return {"": np.asarray(thing)}
    parts = thing if isinstance(thing, Mapping) else vars(thing)
    return {f"{name}.{at}": array for name, part in parts.items() for at, array in arrays(part).items()}


def same(first, second):
    """Whether all arrays are equal to the bit, and of one type."""
    one, two = arrays(first), arrays(second)
    return one.keys() == two.keys() and all(
        one[at].dtype == two[at].dtype
        and one[at].shape == two[at].shape
        and one[at].tobytes() == two[at].tobytes()
        for at in one
    )


def assert_same(first, second):
    """Readers that read the same: index, cells, context, summaries and batches."""
    assert first.preprocessing == second.preprocessing
    assert same(first.index, second.index) and same(first.encoded, second.encoded)
    every = np.arange(len(first))
    assert same(first.context(every), second.context(every))
    assert same(first.raw_summary_NA, second.raw_summary_NA)
    assert same(first.batch(every), second.batch(every))
    assert same(first.batch(every, distinct=False), second.batch(every, distinct=False))
    assert same(first.features(every)[0], second.features(every)[0])


def count_what_is_built(monkeypatch):
    """A list that gets a line for every index, every part of one, and every table that is encoded from here on."""
    found = []

    def count(owner, name, line):
        function = getattr(owner, name)

        def counted(*given):
            found.extend(line(*given))
            return function(*given)

        monkeypatch.setattr(owner, name, counted)

    for module in (cache, cache_disk):
        count(module, "build_index", lambda tables, schema: [("index", *schema.tables)])
    for name in ("row_times", "tie_values", "match_keys", "sort_edges"):
        count(cache_disk, name, lambda *given, name=name: [(name,)])

    def encoded(featurizer, table):
        layout = featurizer.layout
        columns = (*layout.numeric, *layout.categorical, *layout.timestamp, *layout.text)
        # Without columns there is nothing to encode.
        return [("encoded", table.name, columns)] if columns else []

    count(TableFeaturizer, "encode", encoded)
    return found
