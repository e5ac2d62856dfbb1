"""The contract of a table encoder: column tokens in, one vector per row out."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nexusflow.config import Complexity
from nexusflow.nn.encoders.column_gate import ColumnGate
from nexusflow.nn.output import EncoderOutput
from nexusflow.nn.transition import MixtureOfExperts


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

    `checkpointing` keeps of each layer only what goes in, and computes the rest again for the gradient (Chen et al.
    2016); `gate` weighs the columns before the layers, and `experts` are a last step on the row's vector.
    """

    token_width: int
    row_width: int
    checkpointing = False

    def __init__(self, columns: int, complexity: Complexity) -> None:
        super().__init__()
        self.columns, self.size = columns, SIZES[complexity]
        self.gate: ColumnGate | None = None
        self.experts: MixtureOfExperts | None = None

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
        output = self.encode(token_RCd if self.gate is None else self.gate(token_RCd))
        return output if self.experts is None else _through(self.experts, output)

    def layer(self, work: Callable[..., Any], *given: Any) -> Any:
        """What `work` makes of these; with checkpointing, nothing in between is kept while training."""
        if self.checkpointing and self.training and torch.is_grad_enabled():
            return checkpoint(work, *given, use_reentrant=False)
        return work(*given)

    @abstractmethod
    def encode(self, token_RCd: Tensor) -> EncoderOutput:
        """As forward, with at least one column."""


def _through(experts: MixtureOfExperts, output: EncoderOutput) -> EncoderOutput:
    """The rows with what their experts add, and the loss that keeps all experts in use."""
    row_R1D = output.row_RD.unsqueeze(1)
    everywhere = torch.ones(row_R1D.shape[:2], dtype=torch.bool, device=row_R1D.device)
    change, _, balance = experts(row_R1D, everywhere)
    loss = balance if output.loss is None else output.loss + balance
    return replace(output, row_RD=output.row_RD + change.squeeze(1), loss=loss)
