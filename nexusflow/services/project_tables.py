"""The tables of a project: which files a configuration names, and what is in them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from nexusflow.config import DatasetConfig, RunConfig
from nexusflow.data.found import Source
from nexusflow.data.load import ENDINGS, only, read_file
from nexusflow.data.schema import ForeignKey
from nexusflow.data.tables import Declared, Table, TableSet
from nexusflow.errors import ConfigError, DataError, Problem, Severity
from nexusflow.services.named import Place


def load_tables(config: RunConfig, config_path: Path) -> TableSet:
    """The tables that a configuration names; DataError or ConfigError where one is not there or not readable."""
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    read: dict[Path, Source] = {}
    names: dict[tuple[Path, str], str] = {}
    for dataset in config.datasets:
        if dataset.table in tables:
            raise Place.of(config, dataset).error(
                f"is a second time: two datasets are named {dataset.table!r}."
            )
        path = find_file(dataset, config_path, Place.of(config, dataset))
        if path not in read:
            read[path] = read_file(path)
        wanted = dataset.table_in_file or dataset.table
        table, found = only(path.name, read[path], wanted)
        problems += [p for p in found if p not in problems]
        if table is not None:
            tables[dataset.table] = replace(table, name=dataset.table)
            names[path, table.name] = dataset.table
    errors = [p for p in problems if p.severity is Severity.ERROR]
    if errors:
        raise DataError(*errors)
    return TableSet(tables=tables, problems=tuple(problems), declared=_declared(read, names))


def _declared(read: Mapping[Path, Source], names: Mapping[tuple[Path, str], str]) -> Declared:
    """What the files declare of their tables, under the names that the configuration gives these."""
    primary: dict[str, tuple[str, ...]] = {}
    foreign: list[ForeignKey] = []
    for path, source in read.items():
        for table, columns in source.declared.primary_keys.items():
            if (path, table) in names:
                primary[names[path, table]] = columns
        for key in source.declared.foreign_keys:
            child, parent = (path, key.child_table), (path, key.parent_table)
            if child in names and parent in names:
                foreign.append(replace(key, child_table=names[child], parent_table=names[parent]))
    return Declared(primary_keys=primary, foreign_keys=tuple(foreign))


def find_file(dataset: DatasetConfig, config_path: Path, place: Place) -> Path:
    """The dataset's file, or else its folder of Parquet parts: its path or name, beside the configuration or in a
    `datasets` folder near it.
    """
    here = config_path.resolve().parent
    name = dataset.path or dataset.name
    names = [name, *(name + ending for ending in ENDINGS)]
    folders = [here, here / "datasets", here.parent / "datasets"]
    places = [folder / each for folder in folders for each in names]
    for path in places:
        if path.is_file():
            return path
    for path in places:
        if path.is_dir():
            return path
    raise ConfigError(
        Problem(
            severity=Severity.ERROR,
            file=str(config_path),
            setting=(place / ("path" if dataset.path else "name")).setting,
            message=f"No file was found for the dataset {dataset.name!r}.",
            fix=f"Name it by `path`, relative to this file. Looked in: {', '.join(map(str, folders))}.",
        )
    )
