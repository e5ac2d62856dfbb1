"""The processes that train one model together: who takes which rows, and what all of them must agree on.

One process is a world of its own, in which nothing is divided and nobody is asked; `nexusflow.train.ranks` has the
world of several. What is decided by a clock or by a person is decided by the first process, and every process has the
same weights after every step.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nexusflow.config import OptimizerConfig, TrainingConfig
from nexusflow.train.optimizer import make_optimizer
from nexusflow.train.runtime import choose_device, effective_precision

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from nexusflow.train.checkpoint import Checkpoint

Rows = npt.NDArray[np.int64]
Logits = npt.NDArray[np.float32]
Model = TypeVar("Model", bound=nn.Module)
Answers = tuple[npt.NDArray[np.float32], ...] | None


class World:
    """One process alone."""

    rank, size = 0, 1
    # Whether every process holds a part of the weights, so that all of them are needed to write them down.
    in_parts = False

    def __init__(self, fabric: "Fabric") -> None:
        self.fabric = fabric

    @classmethod
    def alone(cls, training: TrainingConfig) -> "World":
        """The world of a training by one process, on the device that its settings choose."""
        from lightning_fabric import Fabric

        device = choose_device(training)
        asked = training.devices
        # One GPU by its number.
        named = list(asked) if device == "cuda" and isinstance(asked, tuple) and len(asked) == 1 else 1
        return World(
            Fabric(
                accelerator="gpu" if device == "cuda" else "cpu",
                devices=named,
                precision=effective_precision(training, device),
            )
        )

    def set_up(self, module: nn.Module, config: OptimizerConfig) -> tuple[Any, Any]:
        """The module and its optimizer as Fabric wraps them, on the device, with the first process's weights."""
        return self.fabric.setup(module, self.optimizer(module, config))

    def optimizer(self, module: nn.Module, config: OptimizerConfig) -> torch.optim.Optimizer:
        """The optimizer as the precision allows it."""
        scaled = getattr(self.fabric.strategy.precision, "scaler", None) is not None
        return make_optimizer(module, config, fused=not scaled)

    def share(self, index_B: Rows) -> tuple[Rows, float]:
        """This process's rows of a step, and how often each of them counts: once, or where a step has fewer rows than
        there are processes, one row that counts for nothing, so that every process takes the step."""
        return index_B, 1.0

    def draw(self, seed: int, *moment: int) -> None:
        """Random numbers from here on are those of this moment."""

    def agree(self, *facts: float) -> tuple[float, ...]:
        """What the first process found."""
        return facts

    def tell(self, facts: Any) -> Any:
        """The first process's facts, which JSON can hold."""
        return facts

    def tell_checkpoint(self, checkpoint: "Checkpoint | None") -> "Checkpoint | None":
        """The first process's checkpoint."""
        return checkpoint

    def once(self, work: Callable[[], Answers]) -> Answers:
        """What the first process's work comes to; the others wait. Stopped in every process where it was stopped."""
        return work()

    def apart(self, module: nn.Module) -> AbstractContextManager[Any]:
        """Gradients within are this process's own, until `combine`."""
        return nullcontext()

    def combine(self, parameters: Iterable[nn.Parameter], loss: float | None) -> float | None:
        """The sum of all processes' gradients in place of each one's own, and that of their losses.

        None, and no gradients, where any process has none because memory ran out.
        """
        return loss

    def logits(self, predict: Callable[[Rows], Logits], rows_N: Rows, outputs: int) -> Logits:
        """What `predict` says of these rows, [N, O]. Stopped in every process where it was stopped."""
        return predict(rows_N)

    def clip(self, module: nn.Module, optimizer: torch.optim.Optimizer, most: float) -> None:
        """Shorten the gradient where it is longer than this."""
        self.fabric.clip_gradients(module, optimizer, max_norm=most, error_if_nonfinite=False)

    def whole(self, model: Model) -> Model:
        """The model with all of its weights, where each process holds a part of them."""
        return model

    def load(self, model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
        """Give the model these weights, which are whole."""
        model.load_state_dict(weights)

    def whole_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """What the optimizer keeps of one weight, whole."""
        return state

    def own_state(self, state: dict[str, Any], weight: nn.Parameter) -> dict[str, Any]:
        """This process's part of what the optimizer is to keep of a weight."""
        return state

    def leave(self) -> None:
        """The processes part; what comes next is one process's own affair."""
