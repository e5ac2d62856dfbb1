"""Where a training stands: all that the rest of it depends on, into a checkpoint and back, to the bit."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from nexusflow.train.averaging import WeightAverage
from nexusflow.train.budget import Pace
from nexusflow.train.checkpoint import Checkpoint
from nexusflow.train.run import EpochRecord
from nexusflow.train.step import Step
from nexusflow.train.world import World

if TYPE_CHECKING:
    from torch.optim.lr_scheduler import LambdaLR

Weights = dict[str, torch.Tensor]


class Phase(StrEnum):
    """What is under way: the epochs, the steps with the validation rows after them, or what comes after all steps."""

    LEARNING = "learning"
    GOING_ON = "going on"
    DONE = "done"


@dataclass(kw_only=True)
class Standing:
    """How far it is: ended epochs, the best of them, and within one the batches that are done.

    `order` is the state of the generator of the rows' order from before the epoch's rows were drawn, so that they can
    be drawn again. Moments are in seconds since the training began.
    """

    best_state: Weights
    phase: Phase = Phase.LEARNING
    history: list[EpochRecord] = field(default_factory=list)
    best: float = 0.0
    best_epoch: int = 0
    # What the network of the best epoch says: of all validation rows, or of those that choose.
    said: npt.NDArray[np.float32] | None = None
    order: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 0
    losses: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    began: float = 0.0
    until: float | None = None

    def begin(self, order: np.random.Generator, now: float) -> None:
        """An epoch is next, its rows not yet drawn."""
        self.order, self.batch, self.losses, self.sizes = order.bit_generator.state, 0, [], []
        self.began = now

    def __str__(self) -> str:
        told = f"after epoch {len(self.history)}"
        if self.phase is Phase.DONE:
            return f"{told}, the last step done"
        if self.phase is Phase.GOING_ON:
            return f"{told} and {self.batch} steps with the validation rows"
        return f"{told} and {self.batch} batches of the next" if self.batch else told

    def facts(self) -> dict[str, Any]:
        """What is no tensor."""
        tensors = ("best_state", "said")
        plain = {name: value for name, value in vars(self).items() if name not in tensors}
        return {**plain, "history": [record.to_dict() for record in self.history]}


@dataclass(kw_only=True)
class Parts:
    """What a training moves besides its place: weights and their average, optimizer, schedule, clock, generators."""

    model: torch.nn.Module
    average: WeightAverage
    optimizer: torch.optim.Optimizer
    schedule: "LambdaLR"
    world: World
    pace: Pace
    order: np.random.Generator
    step: Step


def capture(at: Standing, parts: Parts, *, seconds: float) -> Checkpoint:
    """All of it, as it stands; nothing is drawn and nothing moved. TrainingError where the last loss is not finite."""
    parts.step.settle()
    optimizer, pace, fabric = parts.optimizer.state_dict(), parts.pace, parts.world.fabric
    tensors = {
        **_named("model", parts.world.whole(parts.model).state_dict()),
        **_named("average", parts.average.average.state_dict()),
        **_named("best", at.best_state),
        "random.torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available() and fabric.device.type == "cuda":
        tensors["random.cuda"] = torch.cuda.get_rng_state(fabric.device)
    if at.said is not None:
        tensors["said"] = torch.from_numpy(at.said.copy())
    for number, state in optimizer["state"].items():
        whole = parts.world.whole_state(state)
        tensors |= _named(f"optimizer.{number}", {n: v for n, v in whole.items() if torch.is_tensor(v)})
    schedule = {name: getattr(parts.schedule, name) for name in ("last_epoch", "_step_count", "_last_lr")}
    numpy = np.random.get_state(legacy=True)
    facts = {
        "seconds": seconds,
        "standing": at.facts(),
        "average_steps": parts.average.steps,
        "rates": [group["lr"] for group in optimizer["param_groups"]],
        "schedule": schedule,
        "scaler": fabric.strategy.precision.state_dict(),
        "pace": {"began": seconds - pace.seconds_since_begun, "rows": pace.rows, "gone": pace.gone},
        "random": random.getstate(),
        "random_numpy": [numpy[0], numpy[1].tolist(), *numpy[2:]],  # type: ignore[index,union-attr]
        "rows_at_once": parts.step.rows_at_once,
    }
    return Checkpoint(tensors=tensors, facts=facts)


def restore(checkpoint: Checkpoint, parts: Parts, *, started: float) -> Standing:
    """Bring the parts back to where they stood; `started` is on the monotonic clock, the time before a break added."""
    facts, tensors = checkpoint.facts, checkpoint.tensors
    fabric = parts.world.fabric
    parts.world.load(parts.model, _under("model", tensors))
    parts.average.average.load_state_dict(_under("average", tensors))
    parts.average.steps = facts["average_steps"]
    optimizer = parts.optimizer.state_dict()
    numbers = [number for group in optimizer["param_groups"] for number in group["params"]]
    states = {number: _under(f"optimizer.{number}", tensors) for number in numbers}
    weights = [weight for group in parts.optimizer.param_groups for weight in group["params"]]
    optimizer["state"] = {
        number: parts.world.own_state(states[number], weight)
        for number, weight in zip(numbers, weights, strict=True)
        if states[number]
    }
    for group, rate in zip(optimizer["param_groups"], facts["rates"], strict=True):
        group["lr"] = rate
    parts.optimizer.load_state_dict(optimizer)
    for name, value in facts["schedule"].items():
        setattr(parts.schedule, name, value)
    fabric.strategy.precision.load_state_dict(facts["scaler"])
    pace = facts["pace"]
    parts.pace.resume(started, started + pace["began"], pace["rows"], pace["gone"])
    # Where weights are in parts, every process must read as often as the others: all of its rows at once.
    if not parts.world.in_parts:
        parts.step.rows_at_once = facts["rows_at_once"]
    found = facts["standing"]
    history = [EpochRecord(**record) for record in found["history"]]
    device = fabric.device
    at = Standing(**{**found, "history": history, "phase": Phase(found["phase"])}, best_state={})
    at.best_state = {name: value.to(device) for name, value in _under("best", tensors).items()}
    at.said = tensors["said"].numpy() if "said" in tensors else None
    parts.order.bit_generator.state = at.order
    version, state, gauss = facts["random"]
    random.setstate((version, tuple(state), gauss))
    kind, keys, *rest = facts["random_numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(tensors["random.torch"])
    if "random.cuda" in tensors and device.type == "cuda":
        torch.cuda.set_rng_state(tensors["random.cuda"], device)
    return at


def _named(name: str, tensors: Mapping[str, torch.Tensor]) -> Weights:
    return {f"{name}:{key}": value for key, value in tensors.items()}


def _under(name: str, tensors: Mapping[str, torch.Tensor]) -> Weights:
    start = f"{name}:"
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}
