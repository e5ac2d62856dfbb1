"""What a search of settings may change, and between which bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from nexusflow.config import DatasetConfig, RunConfig
from nexusflow.errors import Problem, Severity

Setting = float | int | str

ENCODER = "encoder of the entity table"
ENCODERS: tuple[Setting, ...] = ("ft_transformer", "tabnet", "standard")
WIDTHS, BLOCKS, ROWS_PER_KEY, HOPS = (32, 64, 128), (1, 2, 3), (4, 8, 16), (1, 2)
TAUGHT = (0.0, 0.5)
DIGITS = 3
OF_ONE_ENCODER = ("num_decision_steps", "feature_selection", "flash_attention")


@dataclass(frozen=True)
class Range:
    """Numbers between two bounds."""

    low: float
    high: float
    log: bool = False

    def at(self, share: float) -> float:
        """The number at this share of the way, which is of its logarithm on a logarithmic range."""
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)

    def reaching(self, value: float) -> "Range":
        """The range, wide enough for this value too; zero cannot be on a logarithmic one."""
        if self.log and value <= 0:
            return Range(0.0, self.high)
        return Range(min(self.low, value), max(self.high, value), self.log)


Space = Mapping[str, Range | tuple[Setting, ...]]

# By the place of the setting in the configuration.
RANGES = {
    "training.optimizer.lr": Range(3e-4, 4e-3, log=True),
    "training.optimizer.weight_decay": Range(1e-3, 1e-1, log=True),
    "training.masking": Range(0.0, 0.35),
    "architecture.dropout": Range(0.0, 0.3),
}


def missing_library() -> Problem | None:
    """What stands in the way of a search: that Optuna is not installed."""
    if find_spec("optuna") is not None:
        return None
    return Problem(
        severity=Severity.ERROR,
        message="A search of settings needs Optuna, which is not installed.",
        fix="Install it with `pip install 'nexusflow[search]'`, or train the settings as they stand.",
    )


def make_space(config: RunConfig, entity_table: str, *, hops: bool) -> Space:
    """What may be changed of a configuration; what it says itself is always among it. `hops`: these may change too."""
    now = settings_now(config, entity_table)
    heads = config.architecture.num_heads
    choices: dict[str, tuple[Setting, ...]] = {
        "training.distillation": TAUGHT,
        "architecture.global_embed_dim": tuple(width for width in WIDTHS if width % heads == 0),
        "architecture.num_blocks": BLOCKS,
        "architecture.rows_per_key": ROWS_PER_KEY,
        ENCODER: ENCODERS,
    }
    if hops:
        choices["architecture.hops"] = HOPS
    ranges = {name: bounds.reaching(float(now[name])) for name, bounds in RANGES.items()}
    return {**ranges, **{name: _with(values, now[name]) for name, values in choices.items()}}


def settings_now(config: RunConfig, entity_table: str) -> dict[str, Setting]:
    """What the configuration says of everything that a search may change."""
    training, network = config.training, config.architecture
    return {
        "training.optimizer.lr": training.optimizer.lr,
        "training.optimizer.weight_decay": training.optimizer.weight_decay,
        "training.masking": training.masking,
        "training.distillation": training.distillation,
        "architecture.dropout": network.dropout,
        "architecture.global_embed_dim": network.global_embed_dim,
        "architecture.num_blocks": network.num_blocks,
        "architecture.rows_per_key": network.rows_per_key,
        "architecture.hops": network.hops,
        ENCODER: config.dataset(entity_table).transformer_type,
    }


def with_settings(config: RunConfig, entity_table: str, settings: Mapping[str, Setting]) -> RunConfig:
    """The configuration with these settings in place."""
    data = config.model_dump()
    for name, value in changes(config, entity_table, settings).items():
        if name == ENCODER:
            data["datasets"] = tuple(_encoded(d, entity_table, str(value)) for d in config.datasets)
            continue
        *path, last = name.split(".")
        place: dict[str, Any] = data
        for part in path:
            place = place[part]
        place[last] = value
    return RunConfig.model_validate(data)


def rounded(value: Setting) -> Setting:
    """A number as a reader takes it in; anything else as it is."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def changes(config: RunConfig, entity_table: str, settings: Mapping[str, Setting]) -> dict[str, Setting]:
    """The settings that differ from what the configuration says."""
    now = settings_now(config, entity_table)
    return {name: value for name, value in settings.items() if value != now[name]}


def _with(values: tuple[Setting, ...], now: Setting) -> tuple[Setting, ...]:
    return values if now in values else (*values, now)


def _encoded(dataset: DatasetConfig, table: str, kind: str) -> dict[str, Any]:
    data = dataset.model_dump()
    if table not in (dataset.table, dataset.name):
        return data
    if kind == dataset.transformer_type:
        return data
    # What is said of one encoder only is not carried over to another.
    return {**data, "transformer_type": kind, **dict.fromkeys(OF_ONE_ENCODER)}
