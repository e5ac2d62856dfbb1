"""The settings of a run, as the YAML file and the app write them; every key has an effect or is refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from nexusflow.config_devices import Devices, Strategy, named_devices, one_strategy
from nexusflow.config_effects import effective, idle_problem, without, without_effect
from nexusflow.config_lines import given_twice, told_by_line
from nexusflow.config_problems import beside, refused, unreadable
from nexusflow.config_question import (
    QuestionConfig,
    Settings,
    date_text,
    names,
)
from nexusflow.errors import ConfigError

FILE_ENDINGS = (
    *(".csv", ".tsv", ".txt", ".parquet", ".pq", ".jsonl", ".ndjson", ".json", ".zip"),
    *(".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".sqlite", ".sqlite3", ".db"),
)

TransformerType = Literal["ft_transformer", "tabnet", "standard"]
Complexity = Literal["small", "medium", "large"]


class TargetConfig(Settings):
    """What to predict: a column, or a question over time.

    `kind` is read from the column where it is not given; a question has its own kind and dates.
    """

    target_table: str | None = None
    target_column: str | None = None
    kind: Literal["binary", "multiclass", "regression"] | None = None
    cutoff_column: str | None = None
    question: QuestionConfig | None = None
    frozen_at: str | None = None
    hidden_columns: tuple[tuple[str, str], ...] = ()

    _texts = field_validator("frozen_at", mode="before")(date_text)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        column = {"target_table": self.target_table, "target_column": self.target_column}
        if self.question is None:
            missing = [name for name, value in column.items() if value is None]
            if missing:
                raise ValueError(f"{' and '.join(missing)} must be given, or a question")
            return self
        rest = {**column, "kind": self.kind, "cutoff_column": self.cutoff_column}
        given = [name for name, value in rest.items() if value is not None]
        if given:
            raise ValueError(f"{' and '.join(given)} has no effect beside a question")
        return self


class ForeignKeyConfig(Settings):
    """A foreign key of the dataset that it stands under."""

    columns: tuple[str, ...]
    references_table: str
    references_columns: tuple[str, ...]

    _listed = field_validator("columns", "references_columns", mode="before")(names)


class DatasetConfig(Settings):
    """One table: where it lies, what its columns are, and which encoder reads it.

    `name` is the table's name or its file name; `path` is relative to the configuration file and defaults to
    `name` there or in `datasets/` beside it; it may be a folder of Parquet parts. Of a file of several tables (a
    workbook, a zip, a SQLite database) `table_in_file` says which is meant; it defaults to the table called `name`.
    Columns that are not named here are typed from their values. TabNet selects columns by itself and has no attention
    over them.
    """

    name: str
    path: str | None = None
    table_in_file: str | None = None
    transformer_type: TransformerType = "ft_transformer"
    complexity: Complexity = "small"
    num_decision_steps: int | None = Field(default=None, ge=1, le=10)
    feature_selection: bool | None = None
    use_moe: bool = False
    flash_attention: bool | None = None
    gradient_checkpointing: bool = False
    primary_key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKeyConfig, ...] = ()
    time_column: str | None = None
    categorical_columns: tuple[str, ...] = ()
    numerical_columns: tuple[str, ...] = ()
    timestamp_columns: tuple[str, ...] = ()
    text_columns: tuple[str, ...] = ()
    ignored_columns: tuple[str, ...] = ()

    _listed = field_validator("primary_key", mode="before")(names)

    @model_validator(mode="after")
    def _fits_the_encoder(self) -> Self:
        tabnet = self.transformer_type == "tabnet"
        if self.num_decision_steps is not None and not tabnet:
            raise without("num_decision_steps", "has an effect only with transformer_type: tabnet")
        if self.flash_attention is not None and tabnet:
            raise without("flash_attention", "has no effect: TabNet has no attention over columns")
        if self.feature_selection is False and tabnet:
            reason = "cannot be false: TabNet reads columns through its masks. Use ft_transformer or standard"
            raise without("feature_selection", reason)
        return self

    @property
    def table(self) -> str:
        """The table's name: the file name without its ending."""
        return Path(self.name).stem if Path(self.name).suffix.lower() in FILE_ENDINGS else self.name


class ArchitectureConfig(Settings):
    """NexusFormer: `global_embed_dim` is D, `refinement_iterations` the most passes, `rows_per_key` is K (and S).

    Without `cross_attention` no role's summary reads another's; with `top_k_contexts` each looks at no more than so
    many roles. `use_flash_attn` is for the attention over columns of every dataset that says nothing of its own;
    attention between roles has learned biases and is exact.
    """

    global_embed_dim: int = Field(default=64, ge=8, le=1024, multiple_of=8)
    num_blocks: int = Field(default=2, ge=1, le=8)
    num_heads: int = Field(default=4, ge=1, le=16)
    refinement_iterations: int = Field(default=2, ge=1, le=12)
    convergence_threshold: float = Field(default=0.01, ge=0)
    cross_attention: bool = True
    use_moe: bool = False
    num_experts: int = Field(default=4, ge=2, le=32)
    use_flash_attn: bool = True
    top_k_contexts: int | None = Field(default=None, ge=1)
    hops: int = Field(default=2, ge=0, le=3)
    rows_per_key: int = Field(default=8, ge=1, le=64)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.global_embed_dim % self.num_heads:
            raise ValueError(
                f"num_heads ({self.num_heads}) must divide global_embed_dim ({self.global_embed_dim})"
            )
        return self


class OptimizerConfig(Settings):
    """The optimizer; the rate warms up and falls along a cosine."""

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: float = Field(default=1e-3, gt=0, le=1)
    weight_decay: float = Field(default=1e-2, ge=0)


class SplitConfig(Settings):
    """Shares of the examples; `randomize: false` splits by time, `*_from` dates set the borders by hand.

    `seed` draws a random split; the training's own seed draws weights and batches.
    """

    test_size: float = Field(default=0.15, ge=0, lt=1)
    validation_size: float = Field(default=0.15, gt=0, lt=1)
    randomize: bool = True
    seed: int = Field(default=0, ge=0)
    group_by: tuple[str, ...] = ()
    validation_from: str | None = None
    test_from: str | None = None

    _listed = field_validator("group_by", mode="before")(names)
    _texts = field_validator("validation_from", "test_from", mode="before")(date_text)


class TrainingConfig(Settings):
    """How to train. `patience` counts epochs without a lower validation loss.

    With `refit`, training goes on for a while with the validation rows once they have chosen the epoch.
    `distillation` is the share of each training target that gradient boosting answers which never saw the row.
    `interval` is the chance with which the interval of a predicted value is to hold the truth.
    Without `epochs` there are as many as the rows and tables leave time for, 4 to 30, and of very many rows each draws
    `rows_per_epoch`; `batch_size` follows the number of them (`nexusflow.train.budget`). `max_minutes` is for the
    whole run: the learning rate comes down within it.
    With `use_advanced_preprocessing` numbers go through quantiles, without through mean and standard deviation;
    `handle_missing` says whether a missing cell is told as missing (`advanced`) or read as the median or the most
    frequent value (`simple`; text stays missing). Without `auto_detect_types` each column has to be named.
    """

    batch_size: int | None = Field(default=None, ge=1)
    epochs: int | None = Field(default=None, ge=1, le=1000)
    rows_per_epoch: int | None = Field(default=None, ge=1)
    optimizer: OptimizerConfig = OptimizerConfig()
    split_config: SplitConfig = SplitConfig()
    early_stopping: bool = True
    refit: bool = True
    patience: int = Field(default=10, ge=1)
    gradient_clipping: float = Field(default=1.0, ge=0)
    masking: float = Field(default=0.15, ge=0, lt=1)
    distillation: float = Field(default=0.5, ge=0, le=1)
    weight_averaging: float = Field(default=0.99, ge=0, lt=1)
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    distributed_strategy: Strategy | None = None
    devices: Devices | None = None
    num_nodes: int | None = Field(default=None, ge=1)
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    max_minutes: float | None = Field(default=None, gt=0)
    baselines: bool = True
    interval: float = Field(default=0.9, ge=0.5, le=0.99)
    use_advanced_preprocessing: bool = True
    auto_detect_types: bool = True
    handle_missing: Literal["simple", "advanced"] = "advanced"
    feature_tokenization: bool = True

    _one_name = model_validator(mode="before")(one_strategy)
    _devices = field_validator("devices", mode="before")(named_devices)

    @field_validator("feature_tokenization")
    @classmethod
    def _tokens(cls, value: bool) -> bool:
        if not value:
            raise ValueError(
                "cannot be false: every encoder reads one token per column. To leave columns out, name them in "
                "ignored_columns; to let the encoder choose among them, set feature_selection"
            )
        return value


class MlopsConfig(Settings):
    """Where runs are logged beside their own record; by default under the project's name.

    `log_attention_patterns` adds how much each table looks at each other, as a table and a picture.
    `model_registry` registers the model with MLflow, whose alias `champion` follows what is promoted here.
    `performance_monitoring` adds what every epoch takes: seconds, memory, and the GPU's where there is one.
    """

    logging_provider: Literal["stdout", "mlflow", "wandb"] = "stdout"
    experiment_name: str | None = Field(default=None, min_length=1, max_length=120)
    log_attention_patterns: bool = False
    model_registry: bool = False
    performance_monitoring: bool = False

    @model_validator(mode="after")
    def _registry_belongs_to_mlflow(self) -> Self:
        if self.model_registry and self.logging_provider != "mlflow":
            raise ValueError("model_registry has an effect only with logging_provider: mlflow")
        return self


class RunConfig(Settings):
    """The whole truth of a run; without `mlops` it is logged nowhere else."""

    project_name: str = "nexusflow"
    target: TargetConfig
    datasets: tuple[DatasetConfig, ...] = Field(min_length=1)
    architecture: ArchitectureConfig = ArchitectureConfig()
    training: TrainingConfig = TrainingConfig()
    mlops: MlopsConfig | None = None

    def dataset(self, table: str) -> DatasetConfig:
        """The settings of a table, by its name or its file name."""
        for dataset in self.datasets:
            if table in (dataset.table, dataset.name):
                return dataset
        raise ConfigError(
            f"No dataset is named {table!r}; known: {', '.join(d.name for d in self.datasets)}."
        )

    def to_yaml(self) -> str:
        """The configuration as YAML, defaults included, so that the file tells the whole run.

        A value that has no effect beside the others is set back to its default.
        """
        return yaml.safe_dump(effective(self), sort_keys=False, allow_unicode=True)


def parse_config(data: Mapping[str, Any], *, source: str = "configuration") -> RunConfig:
    """The settings in `data`; ConfigError names every key that is wrong, and the nearest right one."""
    try:
        return RunConfig.model_validate(data)
    except ValidationError as error:
        raise ConfigError(*[refused(RunConfig, e, data, source) for e in error.errors()]) from None


def read_config(text: str, *, source: str) -> RunConfig:
    """The settings in YAML text; `source` is the name of its file.

    ConfigError names the line too; besides what `parse_config` refuses, a key given twice and one without effect.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(unreadable(error, source)) from None
    if not isinstance(data, dict):
        found = "nothing" if data is None else f"a {type(data).__name__}"
        raise ConfigError(
            f"{source} must hold keys and values, such as `project_name: churn`; it holds {found}."
        )
    with told_by_line(text, source):
        if twice := given_twice(text):
            raise ConfigError(*twice)
        config = parse_config(data, source=source)
        if idle := without_effect(config):
            raise ConfigError(*[idle_problem(setting, why) for setting, why in idle.items()])
    return config


def load_config(path: Path) -> RunConfig:
    """The settings in a YAML file."""
    try:
        return read_config(path.read_text(encoding="utf-8"), source=str(path))
    except FileNotFoundError:
        raise ConfigError(f"There is no configuration file {path}.{beside(path.parent)}") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder; name a YAML file.{beside(path)}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is no text in UTF-8: {error}. Save it as UTF-8.") from None
