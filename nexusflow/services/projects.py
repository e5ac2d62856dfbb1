"""A run's configuration and what it speaks of: from YAML to tables, schema and task, and back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
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
from nexusflow.config_lines import told_by_line
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
from nexusflow.services.named import (
    KIND_LISTS,
    Place,
    known_column,
    known_dataset,
    must_be_named,
    named_kinds,
)
from nexusflow.services.questions import question_from_config, question_to_config


@dataclass(frozen=True, kw_only=True)
class EncoderChoice:
    """Which encoder reads a table, how large it is, and how it works; `num_decision_steps` is for TabNet only.

    The names are those of `DatasetConfig`.
    """

    transformer_type: TransformerType = "ft_transformer"
    complexity: Complexity = "small"
    num_decision_steps: int | None = None
    feature_selection: bool | None = None
    use_moe: bool = False
    flash_attention: bool | None = None
    gradient_checkpointing: bool = False

    @classmethod
    def of(cls, dataset: DatasetConfig) -> "EncoderChoice":
        """What a dataset's settings say of it."""
        return cls(**{each.name: getattr(dataset, each.name) for each in fields(cls)})


def load_project(config_path: Path) -> tuple[RunConfig, TableSet, Schema, Task]:
    """A configuration file with the tables, schema and task that it names, the label table of a question too.

    What the file does not say of kinds and keys is proposed from the values. A NexusFlowError where it does not fit
    the tables; what else is odd is among the tables' problems.
    """
    config = load_config(config_path)
    text = config_path.read_text(encoding="utf-8")
    with told_by_line(text, str(config_path)):
        tables = _load_tables(config, config_path)
        schema, task, found = meaning(config, tables)
    tables = replace(tables, problems=(*tables.problems, *found))
    return config, *asked_tables(tables, schema, task), task


def meaning(config: RunConfig, tables: TableSet) -> tuple[Schema, Task, tuple[Problem, ...]]:
    """Schema and task of a configuration, and what is odd; a NexusFlowError where it does not fit the tables."""
    try:
        schema = schema_from_config(config, tables, propose(tables).schema)
        found = check_schema(tables, schema)
        if errors := [p for p in found if p.severity is Severity.ERROR]:
            raise SchemaError(*errors)
        return schema, task_from_config(config, tables, schema), tuple(found)
    except NexusFlowError as error:
        # A column is often missing because its file was misread.
        raise type(error)(*error.problems, *tables.problems) from None


def schema_from_config(config: RunConfig, tables: TableSet, proposed: Schema) -> Schema:
    """The proposal, overridden by every key and kind that the configuration names.

    If any dataset names foreign keys, exactly the named ones hold.
    """
    schema = proposed
    keys = proposed.foreign_keys
    if any("foreign_keys" in dataset.model_fields_set for dataset in config.datasets):
        keys = tuple(
            _foreign_key(config, tables, dataset, number)
            for dataset in config.datasets
            for number in range(len(dataset.foreign_keys))
        )
    key_columns = {(k.child_table, c) for k in keys for c in k.child_columns}
    key_columns |= {(k.parent_table, c) for k in keys for c in k.parent_columns}
    for dataset in config.datasets:
        place = Place.of(config, dataset)
        table = _override(dataset, tables[dataset.table], schema[dataset.table], place)
        named = named_kinds(dataset, place)
        own = {c for c in table.names() if c in table.primary_key or (table.name, c) in key_columns}
        if not config.training.auto_detect_types:
            must_be_named(config, dataset, table, own)
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
        place = Place.within("target.hidden_columns")
        table = known_dataset(config, name, place).table
        known_column(tables[table], column, place)
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
    entity = known_dataset(config, target.target_table or "", Place.within("target.target_table")).table
    known_column(tables[entity], target.target_column or "", Place.within("target.target_column"))
    if target.cutoff_column:
        known_column(tables[entity], target.cutoff_column, Place.within("target.cutoff_column"))
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
    lists = {setting: table.names(kind) for setting, kind in KIND_LISTS.items()}
    # A column of kind key that no key uses, or that reads as a time, is no feature: ignored, in the file.
    lists["ignored_columns"] += tuple(
        c for c in table.names(Kind.KEY) if c not in in_keys or c == table.time_column
    )
    # What is left from another encoder has no effect.
    tabnet = encoder.transformer_type == "tabnet"
    settings = asdict(encoder)
    settings |= {"flash_attention": None} if tabnet else {"num_decision_steps": None}
    settings |= {"feature_selection": None} if tabnet and not encoder.feature_selection else {}
    return DatasetConfig(
        name=table.name,
        path=_file_of(source),
        **settings,
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
            raise Place.of(config, dataset).error(
                f"is a second time: two datasets are named {dataset.table!r}."
            )
        path = _find_file(dataset, config_path, Place.of(config, dataset))
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


def _find_file(dataset: DatasetConfig, config_path: Path, place: Place) -> Path:
    """The dataset's file: its path or name, beside the configuration or in a `datasets` folder near it."""
    here = config_path.resolve().parent
    name = dataset.path or dataset.name
    names = [name, *(name + ending for ending in ENDINGS)]
    folders = [here, here / "datasets", here.parent / "datasets"]
    places = [folder / each for folder in folders for each in names]
    for path in places:
        if path.is_file():
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


def _override(dataset: DatasetConfig, table: Table, schema: TableSchema, place: Place) -> TableSchema:
    """The table's schema with the kinds, primary key and time column that the configuration names."""
    kinds = named_kinds(dataset, place)
    given = dataset.model_fields_set
    for setting in KIND_LISTS:
        for number, column in enumerate(getattr(dataset, setting)):
            known_column(table, column, place / setting / number)
    if "primary_key" in given:
        for number, column in enumerate(dataset.primary_key):
            known_column(table, column, place / "primary_key" / number)
        schema = replace(schema, primary_key=dataset.primary_key)
    if "time_column" in given:
        if dataset.time_column is not None:
            known_column(table, dataset.time_column, place / "time_column")
        schema = replace(schema, time_column=dataset.time_column)
    return schema.with_kinds(kinds)


def _foreign_key(config: RunConfig, tables: TableSet, dataset: DatasetConfig, number: int) -> ForeignKey:
    key, place = dataset.foreign_keys[number], Place.of(config, dataset) / "foreign_keys" / number
    parent = known_dataset(config, key.references_table, place / "references_table").table
    if not key.columns or len(key.columns) != len(key.references_columns):
        raise place.error(
            f"names {len(key.columns)} columns and {len(key.references_columns)} references_columns; "
            "they must pair up."
        )
    for at, column in enumerate(key.columns):
        known_column(tables[dataset.table], column, place / "columns" / at)
    for at, column in enumerate(key.references_columns):
        known_column(tables[parent], column, place / "references_columns" / at)
    return ForeignKey(
        child_table=dataset.table,
        child_columns=key.columns,
        parent_table=parent,
        parent_columns=key.references_columns,
    )
