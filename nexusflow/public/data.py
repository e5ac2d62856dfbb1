"""Related tables with a question, and loaders of their rows for training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nexusflow.config import FILE_ENDINGS, RunConfig, load_config, parse_config
from nexusflow.data.asking import asked_tables
from nexusflow.data.schema import Schema
from nexusflow.data.tables import Table, TableSet
from nexusflow.data.task import Part, Task
from nexusflow.errors import ConfigError, DataError
from nexusflow.services.data_cache import data_cache
from nexusflow.services.learn import prepared, reached
from nexusflow.services.opening import as_tables
from nexusflow.services.projects import load_project, meaning

if TYPE_CHECKING:
    from nexusflow.data.batch import Batch
    from nexusflow.data.reader import Reader

Frames = Mapping[str, pd.DataFrame | Table | Path | str]
BATCH_SIZE = 256


@dataclass(frozen=True, kw_only=True)
class RelationalData:
    """Tables, the keys between them and what is asked of them, with the settings of a run.

    Made by `from_config` of a YAML file, or by `from_frames` of tables in memory.
    """

    config: RunConfig
    tables: TableSet
    schema: Schema
    task: Task

    @classmethod
    def from_config(cls, path: Path | str) -> "RelationalData":
        """The project of a YAML file and the tables that it names; a NexusFlowError says what does not fit."""
        config, tables, schema, task = load_project(Path(path))
        return cls(config=config, tables=tables, schema=schema, task=task)

    @classmethod
    def from_frames(
        cls, frames: Frames, config: "RunConfig | Mapping[str, Any] | Path | str"
    ) -> "RelationalData":
        """Frames or files by table name, with a configuration: a file, its content, or a RunConfig.

        A table may be named as its file is (`customers.csv`). `datasets` may be left out of the content: all tables
        are read then, with the keys and kinds that their values suggest.
        """
        tables = as_tables(renamed(frames), ())
        if isinstance(config, str | Path):
            config = load_config(Path(config))
        if not isinstance(config, RunConfig):
            named = {"datasets": [{"name": name} for name in tables], **config}
            config = parse_config(named)
        missing = [dataset.name for dataset in config.datasets if dataset.table not in tables]
        if missing:
            given = ", ".join(tables) or "none"
            raise DataError(f"Tables are missing: {', '.join(missing)}. Given were: {given}.")
        schema, task, found = meaning(config, tables)
        tables = replace(tables, problems=(*tables.problems, *found))
        asked, schema = asked_tables(tables, schema, task)
        return cls(config=config, tables=asked, schema=schema, task=task)

    def with_settings(self, **settings: object) -> "RelationalData":
        """The same data with other settings of the run, such as `architecture` or `datasets`."""
        return replace(self, config=self.config.model_copy(update=settings))

    @cached_property
    def reader(self) -> "Reader":
        """The examples, ready to be read, with preprocessing that was fitted on the training rows."""
        seen = reached(self.schema, self.task, hops=self.config.architecture.hops)
        return prepared(self.config, self.tables, seen, self.task, data_cache(self.tables))[0]

    def loader(self, part: str, *, batch_size: int | None = None, shuffle: bool = False) -> "Loader":
        """Batches of the rows of a part: train, validation or test.

        Without `batch_size` batches have 256 rows, and training takes what the number of rows suggests.
        """
        if part not in tuple(Part):
            raise ConfigError(f"part is one of {', '.join(Part)}; found {part!r}.")
        return Loader(data=self, part=Part(part), batch_size=batch_size, shuffle=shuffle)

    def loaders(self, *, batch_size: int | None = None) -> "tuple[Loader, Loader, Loader]":
        """Loaders of the training, validation and test rows."""
        train, validation, test = (
            self.loader(part, batch_size=batch_size, shuffle=part is Part.TRAIN)
            for part in (Part.TRAIN, Part.VALIDATION, Part.TEST)
        )
        return train, validation, test


@dataclass(frozen=True, kw_only=True)
class Loader:
    """Batches of the examples of one part, each with its relational context up to its own cutoff.

    Shuffled anew in every turn where `shuffle` is set, from the training's seed.
    """

    data: RelationalData
    part: Part
    batch_size: int | None = None
    shuffle: bool = False

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise ConfigError(f"batch_size is at least 1; found {self.batch_size}.")

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """The positions of its rows among all examples."""
        return np.flatnonzero(self.data.reader.examples.part_N == str(self.part))

    @cached_property
    def _draw(self) -> np.random.Generator:
        return np.random.default_rng(self.data.config.training.seed)

    def __len__(self) -> int:
        return -(-len(self.rows) // (self.batch_size or BATCH_SIZE))

    def __iter__(self) -> "Iterator[Batch]":
        rows = self._draw.permutation(self.rows) if self.shuffle else self.rows
        size = self.batch_size or BATCH_SIZE
        for at in range(0, len(rows), size):
            yield self.data.reader.batch(rows[at : at + size])


def table_name(name: str) -> str:
    """A table's name, which may be given as that of its file."""
    return Path(name).stem if Path(name).suffix.lower() in FILE_ENDINGS else name


def renamed(frames: object) -> object:
    """Tables by their names, where they are given by the names of their files."""
    if isinstance(frames, Mapping):
        names = [table_name(str(name)) for name in frames]
        if len(set(names)) < len(names):
            raise DataError(f"Two tables have one name: {', '.join(sorted(names))}.")
        return dict(zip(names, frames.values(), strict=True))
    return frames
