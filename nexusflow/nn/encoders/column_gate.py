"""A gate in front of an encoder that learns which columns of a table are worth reading."""

import torch
from torch import Tensor, nn

from nexusflow.nn.sparsemax import sparsemax


class ColumnGate(nn.Module):
    """One weight per column, the same for all rows: C times a sparsemax, so that the weights are 1 on average.

    It starts at 1 for every column. Columns compete, and one that loses gets exactly 0: its cells are not read.
    """

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.score = nn.Parameter(torch.zeros(columns))

    @property
    def weights(self) -> Tensor:
        """The weights [C]."""
        return len(self.score) * sparsemax(self.score)

    def forward(self, token_RCd: Tensor) -> Tensor:
        """Tokens [R, C, d], weighed."""
        return token_RCd * self.weights.unsqueeze(-1).to(token_RCd.dtype)
