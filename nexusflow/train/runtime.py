"""The environment of a run: device, precision, threads, seeds, versions."""

import os
import platform
import random
from typing import Any

import numpy as np
import torch

from nexusflow.config import TrainingConfig
from nexusflow.errors import TrainingError


def choose_device(training: TrainingConfig) -> str:
    """`cuda` where there is a GPU and the settings allow it, else `cpu`; TrainingError where a GPU is asked for and
    there is none."""
    if training.device == "cuda" and not torch.cuda.is_available():
        raise TrainingError("training.device is cuda, but no GPU is at hand. Set it to auto or cpu.")
    if training.device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return training.device


def effective_precision(training: TrainingConfig, device: str) -> str:
    """The precision that is really used: float16 on a CPU becomes bfloat16."""
    if training.precision == "16-mixed" and device == "cpu":
        return "bf16-mixed"
    return training.precision


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and PyTorch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def cores() -> int:
    """How many cores this process may use; not every system tells more than how many there are."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def set_threads(threads: int | None = None) -> None:
    """Let PyTorch use this many threads; all cores where none is given."""
    torch.set_num_threads(max(1, threads or cores()))


def describe(training: TrainingConfig) -> dict[str, Any]:
    """What a figure depends on besides data and settings."""
    from nexusflow.train.processes import processes

    device, asked = choose_device(training), processes(training)
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "precision_asked": training.precision,
        "precision": effective_precision(training, device),
        "threads": torch.get_num_threads(),
        "processes": asked.number,
        **({"strategy": asked.strategy} if asked.several else {}),
    }
