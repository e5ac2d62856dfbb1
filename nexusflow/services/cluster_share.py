"""By how many processes a cluster trains, each with what: the options and settings against the machines, or refused."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nexusflow.config import TrainingConfig
from nexusflow.errors import ConfigError, TrainingError

# A Ray of this machine that lasts as long as the training; and one that is found by itself.
LOCAL, AUTO = "local", "auto"
_ADDRESS = re.compile(r"(ray://)?([\w.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Where a training is done: Ray's address, how many workers with how many cores each, None where nobody says.

    `storage` is a folder that every machine reaches under the same path.
    """

    address: str
    workers: int | None = None
    cores: int | None = None
    storage: Path | None = None

    def __post_init__(self) -> None:
        if self.address not in (LOCAL, AUTO) and not _ADDRESS.fullmatch(self.address):
            raise ConfigError(
                f"{self.address!r} is no cluster. Give local (a Ray of this machine, for this training), auto, "
                "HOST:PORT, or ray://HOST:PORT."
            )
        if self.local and self.storage is not None:
            raise ConfigError(
                "With a local cluster all processes read this machine's files: leave --storage out."
            )

    @property
    def local(self) -> bool:
        """Whether Ray is started on this machine, for this training."""
        return self.address == LOCAL


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine of the cluster, with what it has in all."""

    cores: int
    gpus: int = 0


@dataclass(frozen=True, kw_only=True)
class Share:
    """So many workers, each with so many cores and GPUs."""

    workers: int
    cores: int
    gpus: int = 0

    @property
    def bundle(self) -> dict[str, float]:
        """What a worker takes, as Ray names it."""
        return {"CPU": self.cores, **({"GPU": self.gpus} if self.gpus else {})}

    @property
    def words(self) -> str:
        """In words."""
        cores = f"{self.cores} core{'s' if self.cores > 1 else ''}"
        each = f"{cores} and a GPU" if self.gpus else cores
        return f"{self.workers} worker{'s' if self.workers > 1 else ''} of {each}"


def refuse_settings(training: TrainingConfig) -> None:
    """ConfigError where the settings say themselves how many processes train."""
    several = training.devices not in (None, 1, "auto")
    if isinstance(training.devices, tuple):
        several = len(training.devices) > 1
    for name, value in (
        ("devices", training.devices if several else None),
        ("num_nodes", training.num_nodes),
    ):
        if value is not None:
            told = list(value) if isinstance(value, tuple) else value
            raise ConfigError(
                f"training.{name} is {told}, and in a cluster --workers says how many processes train. Leave "
                f"training.{name} out."
            )


def share_out(nodes: Sequence[Node], training: TrainingConfig, cluster: Cluster) -> Share:
    """A worker to each GPU where there are any and they may be used, else one to each machine, unless told otherwise.

    Each has its share of the cores of the machine that has the fewest. TrainingError where a GPU is asked for and the
    cluster has none.
    """
    gpus = sum(node.gpus for node in nodes if node.cores)
    if training.device == "cuda" and not gpus:
        raise TrainingError("training.device is cuda, and the cluster has no GPU. Set it to auto or cpu.")
    on_gpus = bool(gpus) and training.device != "cpu"
    able = [node for node in nodes if node.cores and (node.gpus or not on_gpus)]
    if not able:
        raise TrainingError(
            "No machine of the cluster has cores to train on. Add one by ray start --address."
        )
    workers = cluster.workers or (gpus if on_gpus else len(able))
    fewest = min(node.cores for node in able) // -(-workers // len(able))
    cores = cluster.cores or max(1, _cores_beside_gpus(able, workers) if on_gpus else fewest)
    return Share(workers=workers, cores=cores, gpus=int(on_gpus))


def _cores_beside_gpus(nodes: Sequence[Node], workers: int) -> int:
    """The most cores that each of so many workers can have, where each has a GPU too; 0 where there are too few."""
    for cores in range(max(node.cores for node in nodes), 0, -1):
        if sum(min(node.gpus, node.cores // cores) for node in nodes) >= workers:
            return cores
    return 0
