"""Predictions as files, written block by block as they are made: the whole is never held."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nexusflow.errors import ConfigError
from nexusflow.services.prediction import OnProgress, Scoring, safe_csv

ENDINGS = (".csv", ".parquet")


def write_predictions(scoring: Scoring, file: Path, on_progress: OnProgress = lambda share: None) -> None:
    """Score every row and write what `Prediction.frame` holds as .csv or .parquet, whole or not at all.

    In a CSV, text that a spreadsheet would run as a formula gets a leading apostrophe. ConfigError for another ending.
    """
    check_ending(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    frames = scoring.frames(on_progress)
    with _in_place(file) as part:
        if file.suffix == ".csv":
            _write_csv(frames, part)
        else:
            _write_parquet(frames, part)


def check_ending(file: Path) -> None:
    """ConfigError where predictions are not written in files of this ending."""
    if file.suffix not in ENDINGS:
        raise ConfigError(f"Predictions are written as .csv or .parquet; found {file.name!r}.")


def _write_csv(frames: Iterator[pd.DataFrame], part: Path) -> None:
    with part.open("wb") as file:
        for number, frame in enumerate(frames):
            file.write(safe_csv(frame, header=number == 0))


def _write_parquet(frames: Iterator[pd.DataFrame], part: Path) -> None:
    first = _plain(next(frames))
    schema = pa.Table.from_pandas(first, preserve_index=False).schema
    with pq.ParquetWriter(part, schema) as writer:
        writer.write_table(pa.Table.from_pandas(first, schema=schema, preserve_index=False))
        for frame in frames:
            writer.write_table(pa.Table.from_pandas(_plain(frame), schema=schema, preserve_index=False))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Keys of mixed types as text, since no block knows what the next one holds."""
    plain = frame.copy(deep=False)
    for name in frame.columns[[pd.api.types.is_object_dtype(dtype) for dtype in frame.dtypes]]:
        plain[name] = frame[name].astype("str").where(frame[name].notna())
    return plain


@contextmanager
def _in_place(file: Path) -> Iterator[Path]:
    """A path to write to, moved to `file` at the end, or removed where that is not reached."""
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)
