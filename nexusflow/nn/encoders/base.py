"""The contract of a table encoder: column tokens in, one vector per row out."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nexusflow.config import Complexity
from nexusflow.nn.output import EncoderOutput


@dataclass(frozen=True, kw_only=True)
class Size:
    """Width of the hidden layers, number of blocks, attention heads."""

    width: int
    depth: int
    heads: int


SIZES: dict[Complexity, Size] = {
    "small": Size(width=128, depth=1, heads=4),
    "medium": Size(width=256, depth=2, heads=8),
    "large": Size(width=512, depth=3, heads=8),
}


class TableEncoder(nn.Module, ABC):
    """Encodes rows of a table with `columns` columns (C); 0 columns and 0 rows are legal.

    `token_width` (d) is the width of the tokens it takes, `row_width` that of the vectors it gives. A row's vector
    depends on that row alone, never on the rest of the batch.
    """

    token_width: int
    row_width: int

    def __init__(self, columns: int, complexity: Complexity) -> None:
        super().__init__()
        self.columns, self.size = columns, SIZES[complexity]

    def _finish(self) -> None:
        """To be called last by every constructor: a table without feature columns gets one learned vector."""
        if self.columns == 0:
            for name in list(self._modules):
                del self._modules[name]
            self.constant = nn.Parameter(torch.zeros(self.row_width))

    def forward(self, token_RCd: Tensor) -> EncoderOutput:
        """Tokens [R, C, d] to rows [R, row_width]."""
        if self.columns == 0:
            return EncoderOutput(row_RD=self.constant.expand(token_RCd.shape[0], -1))
        return self.encode(token_RCd)

    @abstractmethod
    def encode(self, token_RCd: Tensor) -> EncoderOutput:
        """As forward, with at least one column."""
