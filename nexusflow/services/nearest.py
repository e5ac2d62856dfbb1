"""The training rows that the network takes for most alike a row, and in what they agree."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.data.task import Part
from nexusflow.errors import DataError
from nexusflow.services.insight import Insight
from nexusflow.services.storage import write_bytes

# How many training rows are compared with; where there are more, they are drawn.
MOST_COMPARED = 2000
COUNT = 8
# Two contributions that differ by no more than this share of the row's strongest one agree, whatever their signs.
HARDLY = 0.05
COMPARED_FILE = "compared.npz"


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """`frame`, nearest first: row, key, distance, target, prediction, agree (the roles that pull the same way, or
    hardly differ), differs (the role in which they are furthest apart) and by (how much more that role adds there).

    `compared` of `of` training rows were compared with; they were drawn where it is fewer.
    """

    frame: pd.DataFrame
    compared: int
    of: int


def is_compared(insight: Insight) -> bool:
    """Whether the run keeps what its training rows are made of, so that `nearest_rows` is quick."""
    return (insight.folder / COMPARED_FILE).is_file()


def nearest_rows(
    insight: Insight,
    row: int,
    *,
    count: int = COUNT,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Nearest:
    """The training rows nearest to a row by what each role adds to their outputs; never the row itself.

    DataError where no other row was trained on. The training rows' contributions are kept with the run.
    """
    from nexusflow.explain.nearest import contribution_vectors, nearest

    everything = insight.rows()
    trained = everything[everything["part"] == str(Part.TRAIN)]
    drawn = drawn_rows(trained, MOST_COMPARED)
    if not (drawn != row).any():
        raise DataError("There is no other training row to compare this row with.")
    vectors = _compared(insight, drawn, should_stop, on_progress)
    own, logit = contribution_vectors(
        insight.trained, insight.reader, np.array([row]), should_stop=should_stop
    )
    others = drawn != row
    place, distance = nearest(own[0], vectors[others], count)
    output = int(logit[0].argmax())
    theirs, mine = vectors[others][place][:, :, output], own[0, :, output]
    apart = theirs - mine
    alike = (np.sign(theirs) == np.sign(mine)) | (np.abs(apart) <= HARDLY * np.abs(mine).max())
    furthest = np.abs(apart).argmax(axis=1)
    roles = np.array(insight.roles, dtype=object)
    frame = pd.DataFrame(
        {
            "row": drawn[others][place],
            "distance": distance,
            "agree": [tuple(roles[same]) for same in alike],
            "differs": roles[furthest],
            "by": apart[np.arange(len(apart)), furthest].astype(np.float64),
        }
    )
    known = everything[["row", "key", "target", "prediction"]]
    frame = known.merge(frame, on="row", how="right").sort_values(
        "distance", kind="stable", ignore_index=True
    )
    return Nearest(frame=frame, compared=len(drawn), of=len(trained))


def drawn_rows(trained: pd.DataFrame, most: int) -> npt.NDArray[np.int64]:
    """At most `most` of these rows, the same every time: those whose key and cutoff have the lowest hashes.

    So what is drawn does not depend on the order of the rows.
    """
    if len(trained) > most:
        hashed = pd.util.hash_pandas_object(trained[["key", "cutoff"]].astype("str"), index=False)
        trained = trained.loc[hashed.sort_values(kind="stable").index[:most]]
    return np.sort(trained["row"].to_numpy(dtype=np.int64))


def _compared(
    insight: Insight,
    drawn: npt.NDArray[np.int64],
    should_stop: Callable[[], bool],
    on_progress: Callable[[float], None],
) -> npt.NDArray[np.floating]:
    """What each role adds to the outputs of the drawn rows [N, T, O], kept as a file."""
    from nexusflow.explain.nearest import contribution_vectors

    path = insight.folder / COMPARED_FILE
    if path.is_file():
        with np.load(path, allow_pickle=False) as kept:
            if np.array_equal(kept["row_N"], drawn):
                return np.asarray(kept["contribution_NTO"])
    found, _ = contribution_vectors(
        insight.trained, insight.reader, drawn, should_stop=should_stop, on_progress=on_progress
    )
    content = io.BytesIO()
    np.savez(content, row_N=drawn, contribution_NTO=found)
    write_bytes(path, content.getvalue())
    return found
