"""A reader handed to other processes of this machine: its arrays as files that all of them map into memory at once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nexusflow.data.featurize import EncodedTable
from nexusflow.data.index import Edges, RelationalIndex
from nexusflow.data.preprocessing import Preprocessing
from nexusflow.data.reader import Reader
from nexusflow.data.task import Examples

Array = npt.NDArray[Any]
FACTS_FILE = "reader.json"


def hand_over(reader: Reader, folder: Path) -> None:
    """Write a reader's arrays into this folder, each a file; what the tables hold besides is not handed over."""
    names = []
    for number, (name, array) in enumerate(_arrays(reader)):
        if array.dtype == object:
            # Ties: only their order counts.
            array = np.unique(array, return_inverse=True)[1]
        np.save(folder / f"{number}.npy", array, allow_pickle=False)
        names.append(name)
    facts = {
        "preprocessing": reader.preprocessing.to_dict(),
        "crowded": sorted(reader.crowded),
        "arrays": names,
    }
    (folder / FACTS_FILE).write_text(json.dumps(facts), encoding="utf-8")


def take_over(folder: Path) -> Reader:
    """The reader in this folder, which reads the same of every example, to the bit."""
    facts = json.loads((folder / FACTS_FILE).read_text(encoding="utf-8"))
    arrays = {name: _mapped(folder / f"{number}.npy") for number, name in enumerate(facts["arrays"])}

    def of(what: str) -> dict[str, Array]:
        start = f"{what} "
        return {name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)}

    preprocessing = Preprocessing.from_dict(facts["preprocessing"])
    keys = preprocessing.schema.foreign_keys
    index = RelationalIndex(
        parent_of={key: arrays[f"parent {number}"] for number, key in enumerate(keys)},
        children={key: Edges(**of(f"edges {number}")) for number, key in enumerate(keys)},
        time_of=of("time"),
        tie_of=of("tie"),
    )
    encoded = {
        name: EncodedTable(**of(f"table {number}")) for number, name in enumerate(preprocessing.featurizers)
    }
    return Reader.of_parts(
        preprocessing,
        Examples(**of("examples")),
        arrays["until"],
        index,
        encoded,
        frozenset(facts["crowded"]),
    )


def _arrays(reader: Reader) -> Iterator[tuple[str, Array]]:
    index, preprocessing = reader.index, reader.preprocessing
    for number, key in enumerate(preprocessing.schema.foreign_keys):
        yield f"parent {number}", index.parent_of[key]
        for name, array in vars(index.children[key]).items():
            yield f"edges {number} {name}", array
    for name, array in index.time_of.items():
        yield f"time {name}", array
    for name, array in index.tie_of.items():
        yield f"tie {name}", array
    for number, table in enumerate(preprocessing.featurizers):
        for name, array in vars(reader.encoded[table]).items():
            yield f"table {number} {name}", array
    for name, array in vars(reader.examples).items():
        yield f"examples {name}", array
    yield "until", reader.until_N


def _mapped(path: Path) -> Array:
    found = np.load(path, mmap_mode="r" if path.stat().st_size > _HEADER else None, allow_pickle=False)
    return np.asarray(found)


# Files of no more than this hold no values, and nothing cannot be mapped.
_HEADER = 128
