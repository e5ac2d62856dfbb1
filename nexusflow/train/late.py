"""The losses of steps, looked at without letting a graphics card wait for it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from nexusflow.errors import TrainingError

WAY_OUT = (
    "Lower training.optimizer.lr, look for infinite or extreme values in the target, or set "
    "training.precision to 32-true."
)
# The loss of a step, and of how many rows it is the mean.
OnLoss = Callable[[float, int], None]


def must_be_finite(value: float, where: str) -> float:
    """The value; TrainingError with the place and the way out where it is not finite."""
    if not math.isfinite(value):
        raise TrainingError(f"The loss became {value} in {where}. {WAY_OUT}")
    return value


class LateLosses:
    """Holds a step's loss back until the next step's is there, and passes it on once it is known to be finite.

    The card writes each into memory of the host and goes on; when the next comes, the one before is long written. What
    it learnt from a loss that is not finite is one step, of a training that then ends with the error of that step.
    """

    def __init__(self, on_loss: OnLoss) -> None:
        self._on_loss = on_loss
        self._held: tuple[Tensor, torch.cuda.Event | None, int, str] | None = None

    def take(self, loss: Tensor, rows: int, where: str) -> None:
        """The loss of the step that is under way; the one before is passed on."""
        before = self._held
        there, written = loss.detach(), None
        if loss.device.type == "cuda":
            there = torch.empty((), dtype=loss.dtype, pin_memory=True)
            there.copy_(loss.detach(), non_blocking=True)
            written = torch.cuda.Event()
            written.record()
        self._held = there, written, rows, where
        self._pass_on(before)

    def settle(self) -> None:
        """Pass on the last."""
        held, self._held = self._held, None
        self._pass_on(held)

    def _pass_on(self, held: "tuple[Tensor, torch.cuda.Event | None, int, str] | None") -> None:
        if held is None:
            return
        loss, written, rows, where = held
        if written is not None:
            written.synchronize()
        self._on_loss(must_be_finite(float(loss), where), rows)
