"""The loss that training lowers, as a module of its own."""

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nexusflow.data.reader import Reader
from nexusflow.nn.heads import task_loss
from nexusflow.nn.nexusformer import NexusFormer


class LossOfRows(nn.Module):
    """The training loss of example positions [B]: tensors in and a tensor out, as Fabric's wrappers want it."""

    def __init__(self, model: NexusFormer, reader: Reader, device: str) -> None:
        super().__init__()
        self.model, self.reader, self.device = model, reader, device
        self.taught_N: npt.NDArray[np.float32] | None = None

    def turn_to(self, reader: Reader, taught_N: npt.NDArray[np.float32] | None) -> None:
        """Read the rows by this reader from now on, and take these targets in place of its own where there are any."""
        self.reader, self.taught_N = reader, taught_N

    def forward(self, index_B: torch.Tensor) -> torch.Tensor:
        batch = self.reader.batch(index_B.cpu().numpy()).to(self.device)
        output = self.model(batch)
        preprocessing, target_B = self.reader.preprocessing, batch.target_B
        if self.taught_N is not None:
            taught = preprocessing.scale(self.taught_N[index_B.cpu().numpy()])
            target_B = torch.from_numpy(taught).to(target_B)
        return task_loss(preprocessing.task.kind, output.logit_BO, target_B) + output.loss
