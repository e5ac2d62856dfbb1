"""How many processes train, where, and by which strategy: the settings against what is there, or a refusal in words."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from nexusflow.config import TrainingConfig
from nexusflow.errors import ConfigError
from nexusflow.train.place import Place, place
from nexusflow.train.runtime import choose_device

# Those that keep a part of the model on each GPU.
OF_GPUS = ("fsdp", "deepspeed")
# DeepSpeed makes all weights half as long, and rows are read as they are; what FSDP holds in parts is not scaled.
PRECISIONS = {"fsdp": ("32-true", "bf16-mixed"), "deepspeed": ("32-true",)}


@dataclass(frozen=True, kw_only=True)
class Processes:
    """`here` processes on each of `nodes` machines. `devices` is what Fabric is given: a count, or numbers of GPUs."""

    strategy: str | None
    device: str
    devices: int | list[int]
    here: int
    nodes: int

    @property
    def number(self) -> int:
        """How many in all."""
        return self.here * self.nodes

    @property
    def several(self) -> bool:
        """Whether a strategy is needed: there are several, or the model is to be kept in parts."""
        return self.number > 1 or self.strategy in OF_GPUS


def processes(training: TrainingConfig) -> Processes:
    """What the settings come to on this machine; ConfigError where they cannot be met."""
    device, strategy, at = choose_device(training), training.distributed_strategy, place()
    if strategy in OF_GPUS:
        _must_run(strategy, device, training)
    devices = _devices(training, device, at)
    here = len(devices) if isinstance(devices, list) else devices
    nodes = at.number // at.here if at else 1
    if at is not None and here != at.here:
        raise ConfigError(
            f"training.devices asks for {here} processes on each machine, and torchrun started {at.here} "
            "(--nproc-per-node). Leave training.devices out, or make them equal."
        )
    if training.num_nodes is not None and training.num_nodes != nodes:
        found = (
            f"torchrun started processes on {nodes} (--nnodes)" if at else "this process was started alone"
        )
        raise ConfigError(
            f"training.num_nodes is {training.num_nodes}, and {found}. Start nexusflow train by torchrun on every "
            "machine (docs/scaling.md has the commands), or leave it out."
        )
    if strategy is None and here * nodes > 1:
        strategy = "ddp"
    return Processes(strategy=strategy, device=device, devices=devices, here=here, nodes=nodes)


def _devices(training: TrainingConfig, device: str, at: Place | None) -> int | list[int]:
    asked: Any = training.devices
    if asked is None:
        asked = at.here if at else 1
    there = torch.cuda.device_count() if device == "cuda" else 0
    if asked == "auto":
        return at.here if at else max(1, there)
    if isinstance(asked, tuple):
        # Processors have no numbers: so many processes.
        if device == "cpu":
            return len(asked)
        if max(asked) >= there:
            raise ConfigError(
                f"training.devices names GPU {max(asked)}, and there are {there}, numbered from 0."
            )
        return list(asked)
    if device == "cuda" and asked > there:
        raise ConfigError(
            f"training.devices is {asked}, and there are {there} GPUs. Give a lower number, or auto."
        )
    return int(asked)


def _must_run(strategy: str, device: str, training: TrainingConfig) -> None:
    if device != "cuda":
        why = "training.device is cpu" if torch.cuda.is_available() else "no GPU is at hand"
        raise ConfigError(
            f"training.distributed_strategy is {strategy}, which keeps a part of the model on each GPU, and {why}. "
            "Use ddp, which runs on processors too, or leave it out."
        )
    if training.precision not in PRECISIONS[strategy]:
        raise ConfigError(
            f"training.distributed_strategy {strategy} takes training.precision "
            f"{' or '.join(PRECISIONS[strategy])}, and it is {training.precision}."
        )
    if strategy == "deepspeed" and find_spec("deepspeed") is None:
        raise ConfigError(
            "training.distributed_strategy is deepspeed, and the package deepspeed is not installed: "
            "pip install 'nexusflow[deepspeed]'."
        )
