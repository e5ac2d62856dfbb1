"""The tables and columns that a configuration names: found in what is there, or refused with a way out."""

from collections.abc import Collection
from dataclasses import dataclass

from nexusflow.config import DatasetConfig, RunConfig
from nexusflow.config_problems import nearest
from nexusflow.data.schema import Kind, TableSchema
from nexusflow.data.tables import Table
from nexusflow.errors import ConfigError, Problem, Severity

KIND_LISTS = {
    "categorical_columns": Kind.CATEGORICAL,
    "numerical_columns": Kind.NUMERIC,
    "timestamp_columns": Kind.TIMESTAMP,
    "text_columns": Kind.TEXT,
    "ignored_columns": Kind.IGNORED,
}


@dataclass(frozen=True)
class Place:
    """A place in the configuration: `shown` as it is told, `setting` with numbers for the items of lists."""

    shown: str
    setting: str

    @classmethod
    def within(cls, path: str) -> "Place":
        """The place at the end of these keys."""
        return cls(path, path)

    @classmethod
    def of(cls, config: RunConfig, dataset: DatasetConfig) -> "Place":
        """The place of a dataset, told by its name."""
        at = next(n for n, each in enumerate(config.datasets) if each is dataset)
        return cls(f"datasets.{dataset.name}", f"datasets.{at}")

    def __truediv__(self, part: str | int) -> "Place":
        shown = f"{self.shown}.{part}" if isinstance(part, str) else self.shown
        return Place(shown, f"{self.setting}.{part}")

    def error(self, message: str, fix: str = "", *, table: str | None = None) -> ConfigError:
        """What is wrong here; the message goes on from the place."""
        problem = Problem(
            severity=Severity.ERROR,
            table=table,
            message=f"{self.shown} {message}",
            fix=fix,
            setting=self.setting,
        )
        return ConfigError(problem)


def known_dataset(config: RunConfig, name: str, place: Place) -> DatasetConfig:
    """The dataset of this name or file name; ConfigError where there is none."""
    table = DatasetConfig(name=name).table
    for dataset in config.datasets:
        if table == dataset.table:
            return dataset
    fix = nearest(name, [d.table for d in config.datasets], "The datasets are")
    raise place.error(f"names {name!r}, which is not one of the datasets.", fix)


def known_column(table: Table, name: str, place: Place) -> None:
    """ConfigError where the table has no such column."""
    columns = list(table.columns)
    if name not in columns:
        fix = nearest(name, columns, "Its columns are")
        raise place.error(f"names {name!r}, which is not a column of this table.", fix, table=table.name)


def named_kinds(dataset: DatasetConfig, place: Place) -> dict[str, Kind]:
    """The kind of each column that a dataset names; ConfigError where it names one twice."""
    kinds: dict[str, Kind] = {}
    for setting, kind in KIND_LISTS.items():
        for number, column in enumerate(getattr(dataset, setting)):
            if column in kinds:
                raise (place / setting / number).error(
                    f"names {column!r}, which is named under two kinds.", "Name it once."
                )
            kinds[column] = kind
    return kinds


def must_be_named(
    config: RunConfig, dataset: DatasetConfig, table: TableSchema, in_keys: Collection[str]
) -> None:
    """ConfigError where nothing in the configuration says what a column is.

    A column is named by a list of its kind, as part of a key, as time or cutoff column, or as the target.
    """
    target, place = config.target, Place.of(config, dataset)
    named = {*in_keys, *named_kinds(dataset, place), dataset.time_column}
    if target.target_table and DatasetConfig(name=target.target_table).table == dataset.table:
        named |= {target.target_column, target.cutoff_column}
    if unnamed := [column for column in table.names() if column not in named]:
        lists = ", ".join(KIND_LISTS)
        raise place.error(
            f"does not say what these columns are: {', '.join(map(repr, unnamed))}.",
            f"Name each under one of {lists}, or set training.auto_detect_types: true.",
            table=table.name,
        )
