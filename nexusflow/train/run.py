"""The durable record of a run: what was asked, what happened, what came out. JSON on disk."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from nexusflow.errors import ArtifactError


class RunStatus(StrEnum):
    """Where a run stands; `interrupted` means that its process ended before it did."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One epoch: losses, validation metrics by name, seconds, and the learning rate at its end."""

    epoch: int
    train_loss: float
    val_loss: float
    val_metrics: Mapping[str, float]
    seconds: float
    learning_rate: float

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, as the constructor reads them."""
        return {**vars(self), "val_metrics": dict(self.val_metrics)}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trial of a search of settings, numbered from 1; `loss` is its lowest validation loss, if it came to one.

    `state` is `finished`, `pruned` (given up as worse than most) or `failed`. Settings go by their place in the
    configuration.
    """

    number: int
    settings: Mapping[str, float | int | str]
    state: str
    loss: float | None = None
    epochs: int = 0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts, as the constructor reads them."""
        return {**vars(self), "settings": dict(self.settings)}


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything about a run but its weights.

    `metrics` and `baselines[name]` hold {part: {metric: value}}; test metrics are there only once the run has ended.
    `calibration` is that of the network and its intervals (`nexusflow.train.calibrate`), empty where there is none.
    `leads[name]` is the 95 % interval of how much better the network is than this baseline on the test rows, and
    `over_guessing[name]` that of how much better this baseline is than the constant one.
    A run that searches for settings within `search_minutes` keeps its trials; `config` then is of `best_trial`.
    """

    id: str
    name: str
    status: RunStatus
    created: str
    config: Mapping[str, Any]
    task: Mapping[str, Any]
    schema_fingerprint: str
    data_sha256: Mapping[str, str]
    seed: int
    runtime: Mapping[str, Any] = field(default_factory=dict)
    parameters: int = 0
    history: tuple[EpochRecord, ...] = ()
    best_epoch: int = 0
    calibration: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    leads: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    over_guessing: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    seconds: float = 0.0
    error: str | None = None
    search_minutes: float | None = None
    trials: tuple[Trial, ...] = ()
    best_trial: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain dicts and lists, as `from_dict` reads them."""
        lists = {"history": [e.to_dict() for e in self.history], "trials": [t.to_dict() for t in self.trials]}
        return {**vars(self), "status": str(self.status), **lists}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Run":
        """The run that `to_dict` wrote."""
        history = tuple(EpochRecord(**e) for e in data["history"])
        trials = tuple(Trial(**t) for t in data.get("trials", ()))
        return cls(**{**data, "status": RunStatus(data["status"]), "history": history, "trials": trials})

    def save(self, path: Path) -> None:
        """Write as JSON; a crash leaves either the old file or the new one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            try:
                json.dump(self.to_dict(), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                Path(file.name).unlink()
                raise
        os.replace(file.name, path)

    @classmethod
    def load(cls, path: Path) -> "Run":
        """Read what `save` wrote; ArtifactError where it is not there or not readable."""
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise ArtifactError(f"There is no run record {path.name} in {path.parent.name}.") from None
        except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"The run record {path.parent.name}/{path.name} is damaged: {error}."
            ) from error
