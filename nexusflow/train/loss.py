"""The loss that training lowers, as a module of its own."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nexusflow.data.reader import Reader
from nexusflow.nn.heads import task_loss
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.train.ahead import Ahead

if TYPE_CHECKING:
    from nexusflow.data.batch import Batch


class LossOfRows(nn.Module):
    """The training loss of example positions [B]: tensors in and a tensor out, as Fabric's wrappers want it."""

    def __init__(self, model: NexusFormer, reader: Reader, device: torch.device | str) -> None:
        super().__init__()
        self.model, self.reader, self.device = model, reader, torch.device(device)
        self.taught_N: npt.NDArray[np.float32] | None = None
        self.batch_of = Ahead(self._read, meanwhile=self.device.type == "cuda")

    def turn_to(self, reader: Reader, taught_N: npt.NDArray[np.float32] | None) -> None:
        """Read the rows by this reader from now on, and take these targets in place of its own where there are any."""
        self.batch_of.forget()
        self.reader, self.taught_N = reader, taught_N

    def forward(self, index_B: torch.Tensor) -> torch.Tensor:
        batch = self.batch_of(index_B.cpu().numpy())
        output = self.model(batch)
        kind = self.reader.preprocessing.task.kind
        # Each answer learns by itself: of their mean's loss the summaries would take all.
        losses = [task_loss(kind, logit_BO, batch.target_B) for logit_BO in output.answers_BO]
        return torch.stack(losses).mean() + output.loss

    def _read(self, index_B: npt.NDArray[np.int64]) -> "Batch":
        if self.device.type == "cuda" and self.device.index is not None:
            # The thread that reads ahead begins with the first card.
            torch.cuda.set_device(self.device)
        batch = self.reader.batch(index_B)
        if self.taught_N is not None:
            taught = torch.from_numpy(self.reader.preprocessing.scale(self.taught_N[index_B]))
            batch = replace(batch, target_B=taught.to(batch.target_B))
        return batch.to(self.device)
