"""One step of the optimizer, in as many pieces as the memory asks for."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nexusflow.train.events import Note, OnEvent
from nexusflow.train.late import WAY_OUT, LateLosses, OnLoss, must_be_finite

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["WAY_OUT", "Step", "is_out_of_memory"]

# What PyTorch says where memory ends, on a graphics card and on a processor.
MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, on whichever device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in MEMORY_WORDS)


class Step:
    """Takes the optimizer's steps. Where memory runs out the rows are read in halves from then on.

    Their gradients are added up, so that a step stays one of as many rows as before. Each step's loss goes to `on_loss`
    with the number of its rows; `late`, once the next step is under way or at `settle`, so that nobody waits for it.
    """

    def __init__(
        self,
        fabric: "Fabric",
        loss_of: nn.Module,
        optimizer: Any,
        *,
        clipping: float | None,
        rows: int,
        on_event: OnEvent,
        on_loss: OnLoss,
        late: bool,
    ) -> None:
        self.fabric, self.loss_of, self.optimizer = fabric, loss_of, optimizer
        self.clipping, self.rows_at_once, self.on_event = clipping, rows, on_event
        self.on_loss, self.late = on_loss, LateLosses(on_loss) if late else None

    def learn(self, index_B: npt.NDArray[np.int64], where: str) -> None:
        """One step. TrainingError where its loss is not finite, MemoryError where one row is too many."""
        value = self._backward(index_B, where)
        while value is None:
            self._halve(len(index_B), where)
            value = self._backward(index_B, where)
        if self.clipping:
            self.fabric.clip_gradients(
                self.loss_of, self.optimizer, max_norm=self.clipping, error_if_nonfinite=False
            )
        self.optimizer.step()
        if isinstance(value, float):
            self.on_loss(value, len(index_B))
        elif self.late is not None:
            self.late.take(value, len(index_B), where)

    def settle(self) -> None:
        """Every loss is told; TrainingError where the last is not finite."""
        if self.late is not None:
            self.late.settle()

    def _backward(self, index_B: npt.NDArray[np.int64], where: str) -> float | torch.Tensor | None:
        """Gradients of the mean loss, and that loss; None where memory ran out."""
        try:
            self.optimizer.zero_grad()
            total: float | torch.Tensor = 0.0
            for at in range(0, len(index_B), self.rows_at_once):
                piece = index_B[at : at + self.rows_at_once]
                loss, share = self.loss_of(torch.from_numpy(piece)), len(piece) / len(index_B)
                value = loss.detach() if self.late else must_be_finite(float(loss.detach()), where)
                self.fabric.backward(loss if share == 1 else share * loss)
                total = total + share * value
            return total
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _halve(self, rows: int, where: str) -> None:
        """Called with the error gone, for its traceback holds on to the tensors that were too many."""
        before = min(self.rows_at_once, rows)
        self.optimizer.zero_grad()
        if self.fabric.device.type == "cuda":
            torch.cuda.empty_cache()
        if before == 1:
            raise MemoryError(f"Memory ran out in {where} with one row at a time.")
        self.rows_at_once = (before + 1) // 2
        self.on_event(
            Note(
                message=f"Memory ran out with {before} rows at once. From here on it is {self.rows_at_once}; "
                "their gradients are added up, so the batch size stays as it is",
                lasts=True,
            )
        )
