"""One step of the optimizer, in as many pieces as the memory asks for."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nexusflow.train.events import Note, OnEvent
from nexusflow.train.late import WAY_OUT, LateLosses, OnLoss, must_be_finite
from nexusflow.train.world import World

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

    Their gradients are added up, so that a step stays one of as many rows as before. Of several processes each reads
    its share of the rows, and all of them read fewer at once where the memory of one runs out. Each step's loss goes to
    `on_loss` with the number of its rows; `late`, which is for one process alone, once the next step is under way or at
    `settle`, so that nobody waits for it.
    """

    def __init__(
        self,
        world: World,
        loss_of: nn.Module,
        optimizer: Any,
        *,
        clipping: float | None,
        rows: int,
        on_event: OnEvent,
        on_loss: OnLoss,
        late: bool,
    ) -> None:
        self.world, self.fabric, self.loss_of, self.optimizer = world, world.fabric, loss_of, optimizer
        self.clipping, self.rows_at_once, self.on_event = clipping, rows, on_event
        self.on_loss, self.late = on_loss, LateLosses(on_loss) if late else None

    def learn(self, index_B: npt.NDArray[np.int64], where: str) -> None:
        """One step. TrainingError where its loss is not finite, MemoryError where one row is too many."""
        value = self._backward(index_B, where)
        while value is None:
            self._halve(len(index_B), where)
            value = self._backward(index_B, where)
        if self.clipping:
            self.world.clip(self.loss_of, self.optimizer, self.clipping)
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
        """Gradients of the mean loss over all rows, and that loss; None where memory ran out."""
        total: Any
        try:
            with self.world.apart(self.loss_of):
                total = self._own_gradients(index_B)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            total = None
        if isinstance(total, torch.Tensor):
            return total
        total = self.world.combine(self.loss_of.parameters(), total)
        return None if total is None else must_be_finite(total, where)

    def _own_gradients(self, index_B: npt.NDArray[np.int64]) -> float | torch.Tensor:
        """Those of this process's rows, and what their losses add to the mean; no further than a loss that is known not
        to be finite."""
        self.optimizer.zero_grad()
        mine_B, counts = self.world.share(index_B)
        total: Any = 0.0
        for at in range(0, len(mine_B), self.rows_at_once):
            piece = mine_B[at : at + self.rows_at_once]
            loss, share = self.loss_of(torch.from_numpy(piece)), counts * len(piece) / len(index_B)
            value = loss.detach() if self.late else float(loss.detach())
            # Where weights are in parts, gradients are exchanged on the way back, which all of them must go.
            if isinstance(value, float) and not (math.isfinite(value) or self.world.in_parts):
                return value
            self.fabric.backward(loss if share == 1 else share * loss, model=self.loss_of)
            total = total + share * value
        return total

    def _halve(self, rows: int, where: str) -> None:
        """Called with the error gone, for its traceback holds on to the tensors that were too many."""
        before = min(self.rows_at_once, -(-rows // self.world.size))
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
