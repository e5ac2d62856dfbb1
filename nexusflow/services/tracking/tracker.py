"""What a place that runs are logged to must be able to do, and what all of them are told."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from nexusflow.config import MlopsConfig
from nexusflow.services.storage import RunStore
from nexusflow.services.words import plain

# Names that MLflow takes; another sign becomes an underscore.
_FOREIGN = re.compile(r"[^\w\-. /]")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The run that is logged: where its files are, under which experiment and how it is logged, and what it asks."""

    store: RunStore
    run_id: str
    name: str
    experiment: str
    question: str
    question_key: str
    mlops: MlopsConfig

    @property
    def registered_name(self) -> str:
        """The name of the registered model: there is one for each question of an experiment."""
        asked = safe_name(f"{self.experiment}-{self.question}").replace("/", "_")
        return f"{asked[:80].strip()}-{self.question_key[:6]}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended: its status, every figure by name, its model (None where there is none), and its attention.

    `attention` has a line and a column per table role.
    """

    status: str
    metrics: Mapping[str, float]
    model: Path | None
    attention: pd.DataFrame | None = None
    picture: bytes | None = None


class Tracker(Protocol):
    """A place that runs are logged to; whatever it raises ends the logging, and never the training."""

    def begin(self) -> str:
        """Open the run there, or the same one again where it goes on; gives the words for where it is."""

    def settings(self, settings: Mapping[str, str]) -> None:
        """The configuration as it was settled, by place in dots; told once."""

    def step(self, metrics: Mapping[str, float], step: int) -> None:
        """Figures of one epoch (or trial), counted from 1."""

    def end(self, outcome: Outcome) -> str:
        """The last of the run; gives the words for what was kept there, empty where there is nothing to say."""


def safe_name(text: str) -> str:
    """The text with none but letters, digits, spaces and _ - . /"""
    return _FOREIGN.sub("_", plain(text)) or "_"


def without_password(uri: str) -> str:
    """The address without the name and password that may stand in it; only this is written down."""
    return re.sub(r"//[^/@]*@", "//", uri)
