"""A run's configuration and what it speaks of: from YAML to tables, schema and task, and back."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nexusflow.config import (
    ArchitectureConfig,
    Complexity,
    DatasetConfig,
    ForeignKeyConfig,
    RunConfig,
    SplitConfig,
    TargetConfig,
    TrainingConfig,
    TransformerType,
    load_config,
)
from nexusflow.config_problems import nearest
from nexusflow.data.asking import asked_tables, question_task
from nexusflow.data.checks import check_schema
from nexusflow.data.examples import resolve_task
from nexusflow.data.found import Source
from nexusflow.data.infer import propose
from nexusflow.data.load import ENDINGS, only, read_file
from nexusflow.data.schema import ForeignKey, Kind, Schema, TableSchema
from nexusflow.data.tables import Declared, Table, TableSet
from nexusflow.data.task import Split, Task
from nexusflow.errors import ConfigError, DataError, NexusFlowError, Problem, SchemaError, Severity
from nexusflow.services.questions import question_from_config, question_to_config

_KIND_LISTS = {
    "categorical_columns": Kind.CATEGORICAL,
    "numerical_columns": Kind.NUMERIC,
    "timestamp_columns": Kind.TIMESTAMP,
    "text_columns": Kind.TEXT,
    "ignored_columns": Kind.IGNORED,
}


@dataclass(frozen=True, kw_only=True)
class EncoderChoice:
    """Which encoder reads a table, and how large it is; `num_decision_steps` is for TabNet only."""

    transformer_type: TransformerType = "ft_transformer"
    complexity: Complexity = "small"
    num_decision_steps: int | None = None


def load_project(config_path: Path) -> tuple[RunConfig, TableSet, Schema, Task]:
    """A configuration file with the tables, schema and task that it names, the label table of a question too.

    What the file does not say of kinds and keys is proposed from the values. A NexusFlowError where it does not fit
    the tables; what else is odd is among the tables' problems.
    """
    config = load_config(config_path)
    return config, *asked_of(config, _load_tables(config, config_path))


def asked_of(config: RunConfig, tables: TableSet) -> tuple[TableSet, Schema, Task]:
    """These tables, the schema and the task as the configuration has them; see `load_project`."""
    missing = [dataset.name for dataset in config.datasets if dataset.table not in tables]
    if missing:
        raise DataError(
            f"Tables are missing: {', '.join(missing)}. Given were: {', '.join(tables) or 'none'}."
        )
    try:
        schema = schema_from_config(config, tables, propose(tables).schema)
        found = check_schema(tables, schema)
        if errors := [p for p in found if p.severity is Severity.ERROR]:
            raise SchemaError(*errors)
        task = task_from_config(config, tables, schema)
    except NexusFlowError as error:
        # A column is often missing because its file was misread.
        raise type(error)(*error.problems, *tables.problems) from None
    tables = replace(tables, problems=(*tables.problems, *found))
    return *asked_tables(tables, schema, task), task


def schema_from_config(config: RunConfig, tables: TableSet, proposed: Schema) -> Schema:
    """The proposal, overridden by every key and kind that the configuration names.

    If any dataset names foreign keys, exactly the named ones hold.
    """
    schema = proposed
    keys = proposed.foreign_keys
    if any("foreign_keys" in dataset.model_fields_set for dataset in config.datasets):
        keys = tuple(_foreign_key(config, tables, d, key) for d in config.datasets for key in d.foreign_keys)
    key_columns = {(k.child_table, c) for k in keys for c in k.child_columns}
    key_columns |= {(k.parent_table, c) for k in keys for c in k.parent_columns}
    for dataset in config.datasets:
        table = _override(dataset, tables[dataset.table], schema[dataset.table])
        named = _named_kinds(dataset)
        own = {c for c in table.names() if c in table.primary_key or (table.name, c) in key_columns}
        # A time that is part of a key is a feature nevertheless.
        plain = {c.name for c in table.columns if c.kind is not Kind.TIMESTAMP and c.name not in named}
        table = table.with_kinds(dict.fromkeys(own & plain, Kind.KEY))
        schema = schema.with_table(table)
    return replace(schema, foreign_keys=keys)


def task_from_config(config: RunConfig, tables: TableSet, schema: Schema) -> Task:
    """The question that the configuration asks of these tables."""
    target = config.target
    hidden = []
    for name, column in target.hidden_columns:
        table = _known_dataset(config, name, "hidden_columns").table
        _known_column(tables[table], column, "hidden_columns")
        hidden.append((table, column))
    if target.question is not None:
        return question_task(
            tables,
            schema,
            question_from_config(target.question, config, schema),
            split=split_from_config(config.training),
            hidden=tuple(hidden),
            frozen_at=target.frozen_at,
        )
    # The configuration has seen to it that both are there where no question is.
    entity = _known_dataset(config, target.target_table or "", "target_table").table
    _known_column(tables[entity], target.target_column or "", "target_column")
    if target.cutoff_column:
        _known_column(tables[entity], target.cutoff_column, "cutoff_column")
    return resolve_task(
        tables,
        schema,
        entity,
        target.target_column or "",
        kind=target.kind,
        cutoff_column=target.cutoff_column,
        split=split_from_config(config.training),
        hidden=tuple(hidden),
        frozen_at=target.frozen_at,
    )


def split_from_config(training: TrainingConfig) -> Split:
    """The split that the settings ask for."""
    split = training.split_config
    return Split(
        method="random" if split.randomize else "time",
        validation_size=split.validation_size,
        test_size=split.test_size,
        seed=split.seed,
        group_by=split.group_by,
        validation_from=split.validation_from,
        test_from=split.test_from,
    )


def to_config(
    *,
    schema: Schema,
    task: Task,
    sources: Mapping[str, str],
    encoders: Mapping[str, EncoderChoice],
    architecture: ArchitectureConfig,
    training: TrainingConfig,
) -> RunConfig:
    """The configuration that asks `task` of tables with this schema; `sources` are file names by table."""
    split = SplitConfig(
        test_size=task.split.test_size,
        validation_size=task.split.validation_size,
        randomize=task.split.method == "random",
        seed=task.split.seed,
        group_by=task.split.group_by,
        validation_from=task.split.validation_from,
        test_from=task.split.test_from,
    )
    return RunConfig(
        target=_target(task),
        datasets=tuple(
            _dataset(schema, table, sources.get(table.name, ""), encoders.get(table.name, EncoderChoice()))
            for table in schema.tables.values()
            if not table.seeds_only
        ),
        architecture=architecture,
        training=training.model_copy(update={"split_config": split}),
    )


def _target(task: Task) -> TargetConfig:
    if task.over_time is not None:
        return TargetConfig(
            question=question_to_config(task.over_time), frozen_at=task.frozen_at, hidden_columns=task.hidden
        )
    return TargetConfig(
        target_table=task.entity_table,
        target_column=task.target_column,
        kind=task.kind.value,
        cutoff_column=task.cutoff_column,
        frozen_at=task.frozen_at,
        hidden_columns=task.hidden,
    )


def _dataset(schema: Schema, table: TableSchema, source: str, encoder: EncoderChoice) -> DatasetConfig:
    keys = [key for key in schema.foreign_keys if key.child_table == table.name]
    in_keys = {*table.primary_key, *(c for key in keys for c in key.child_columns)}
    in_keys |= {c for k in schema.foreign_keys if k.parent_table == table.name for c in k.parent_columns}
    lists = {setting: table.names(kind) for setting, kind in _KIND_LISTS.items()}
    # A column of kind key that no key uses, or that reads as a time, is no feature: ignored, in the file.
    lists["ignored_columns"] += tuple(
        c for c in table.names(Kind.KEY) if c not in in_keys or c == table.time_column
    )
    steps = encoder.num_decision_steps if encoder.transformer_type == "tabnet" else None
    return DatasetConfig(
        name=table.name,
        path=_file_of(source),
        transformer_type=encoder.transformer_type,
        complexity=encoder.complexity,
        num_decision_steps=steps,
        primary_key=table.primary_key,
        foreign_keys=tuple(
            ForeignKeyConfig(
                columns=key.child_columns,
                references_table=key.parent_table,
                references_columns=key.parent_columns,
            )
            for key in keys
        ),
        time_column=table.time_column,
        **lists,  # type: ignore[arg-type]
    )


def _file_of(source: str) -> str | None:
    """The name of the file that a table came from: that of the zip where it lay in one, none for a database."""
    return None if "://" in source or not source else source.split("/")[0]


def _load_tables(config: RunConfig, config_path: Path) -> TableSet:
    tables: dict[str, Table] = {}
    problems: list[Problem] = []
    read: dict[Path, Source] = {}
    names: dict[tuple[Path, str], str] = {}
    for dataset in config.datasets:
        if dataset.table in tables:
            raise ConfigError(f"{config_path}: two datasets are named {dataset.table!r}.")
        path = _find_file(dataset, config_path)
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


def _find_file(dataset: DatasetConfig, config_path: Path) -> Path:
    """The dataset's file: its path or name, beside the configuration or in a `datasets` folder near it."""
    here = config_path.resolve().parent
    name = dataset.path or dataset.name
    names = [name, *(name + ending for ending in ENDINGS)]
    folders = [here, here / "datasets", here.parent / "datasets"]
    places = [folder / each for folder in folders for each in names]
    for place in places:
        if place.is_file():
            return place
    raise ConfigError(
        Problem(
            severity=Severity.ERROR,
            file=str(config_path),
            message=f"No file was found for the dataset {dataset.name!r}.",
            fix=f"Name it by `path`, relative to this file. Looked in: {', '.join(map(str, folders))}.",
        )
    )


def _override(dataset: DatasetConfig, table: Table, schema: TableSchema) -> TableSchema:
    """The table's schema with the kinds, primary key and time column that the configuration names."""
    kinds = _named_kinds(dataset)
    given = dataset.model_fields_set
    for setting in _KIND_LISTS:
        for column in getattr(dataset, setting):
            _known_column(table, column, setting)
    if "primary_key" in given:
        for column in dataset.primary_key:
            _known_column(table, column, "primary_key")
        schema = replace(schema, primary_key=dataset.primary_key)
    if "time_column" in given:
        if dataset.time_column is not None:
            _known_column(table, dataset.time_column, "time_column")
        schema = replace(schema, time_column=dataset.time_column)
    return schema.with_kinds(kinds)


def _named_kinds(dataset: DatasetConfig) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for setting, kind in _KIND_LISTS.items():
        for column in getattr(dataset, setting):
            if column in kinds:
                raise ConfigError(f"Dataset {dataset.name!r} names the column {column!r} under two kinds.")
            kinds[column] = kind
    return kinds


def _foreign_key(
    config: RunConfig, tables: TableSet, dataset: DatasetConfig, key: ForeignKeyConfig
) -> ForeignKey:
    parent = _known_dataset(config, key.references_table, "references_table").table
    if not key.columns or len(key.columns) != len(key.references_columns):
        raise ConfigError(
            f"A foreign key of dataset {dataset.name!r} names {len(key.columns)} columns and "
            f"{len(key.references_columns)} references_columns; they must pair up."
        )
    for column in key.columns:
        _known_column(tables[dataset.table], column, "foreign_keys.columns")
    for column in key.references_columns:
        _known_column(tables[parent], column, "foreign_keys.references_columns")
    return ForeignKey(
        child_table=dataset.table,
        child_columns=key.columns,
        parent_table=parent,
        parent_columns=key.references_columns,
    )


def _known_dataset(config: RunConfig, name: str, setting: str) -> DatasetConfig:
    table = DatasetConfig(name=name).table
    for dataset in config.datasets:
        if table == dataset.table:
            return dataset
    message = f"{setting} names {name!r}, which is not one of the datasets."
    fix = nearest(name, [d.table for d in config.datasets], "The datasets are")
    raise ConfigError(Problem(severity=Severity.ERROR, message=message, fix=fix))


def _known_column(table: Table, name: str, setting: str) -> None:
    columns = list(table.columns)
    if name not in columns:
        message = f"{setting} names {name!r}, which is not a column of this table."
        fix = nearest(name, columns, "Its columns are")
        raise ConfigError(Problem(severity=Severity.ERROR, table=table.name, message=message, fix=fix))
