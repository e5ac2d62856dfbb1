"""One step of the optimizer, in as many pieces as the memory asks for."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nexusflow.errors import TrainingError
from nexusflow.train.events import Note, OnEvent
from nexusflow.train.world import World

WAY_OUT = (
    "Lower training.optimizer.lr, look for infinite or extreme values in the target, or set "
    "training.precision to 32-true."
)
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
    its share of the rows, and all of them read fewer at once where the memory of one runs out.
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
    ) -> None:
        self.world, self.fabric, self.loss_of, self.optimizer = world, world.fabric, loss_of, optimizer
        self.clipping, self.rows_at_once, self.on_event = clipping, rows, on_event

    def learn(self, index_B: npt.NDArray[np.int64], where: str) -> float:
        """One step; the loss before it. TrainingError where it is not finite, MemoryError where one row is too many."""
        value = self._backward(index_B, where)
        while value is None:
            self._halve(len(index_B), where)
            value = self._backward(index_B, where)
        if self.clipping:
            self.world.clip(self.loss_of, self.optimizer, self.clipping)
        self.optimizer.step()
        return value

    def _backward(self, index_B: npt.NDArray[np.int64], where: str) -> float | None:
        """Gradients of the mean loss over all rows, and that loss; None where memory ran out."""
        total: float | None
        try:
            with self.world.apart(self.loss_of):
                total = self._own_gradients(index_B)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            total = None
        total = self.world.combine(self.loss_of.parameters(), total)
        if total is not None and not math.isfinite(total):
            raise TrainingError(f"The loss became {total} in {where}. {WAY_OUT}")
        return total

    def _own_gradients(self, index_B: npt.NDArray[np.int64]) -> float:
        """Those of this process's rows, and what their losses add to the mean; no further than a loss that is not
        finite."""
        self.optimizer.zero_grad()
        (mine_B, counts), total = self.world.share(index_B), 0.0
        for at in range(0, len(mine_B), self.rows_at_once):
            piece = mine_B[at : at + self.rows_at_once]
            loss, share = self.loss_of(torch.from_numpy(piece)), counts * len(piece) / len(index_B)
            value = float(loss.detach())
            # Where weights are in parts, gradients are exchanged on the way back, which all of them must go.
            if not (math.isfinite(value) or self.world.in_parts):
                return value
            self.fabric.backward(loss if share == 1 else share * loss, model=self.loss_of)
            total += share * value
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
