"""Cells to vectors: every column value, and every relational summary, becomes a token.

Axis letters: R rows, N / K / M / X numeric / categorical / timestamp / text columns, C all of them, d token width,
B seeds, A summary features, E their token width, F features of one cell.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nexusflow.data.batch import TableBatch
from nexusflow.data.layout import TEXT_FEATURES, TIME_FEATURES, TableLayout

FREQUENCIES = 8
FREQUENCY_SCALE = 0.1


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The embedded cells of a batch: `tables` [R_t, C_t, d_t] by table name, and `summary_BAE`."""

    tables: Mapping[str, Tensor]
    summary_BAE: Tensor


class CellEmbedding(nn.Module):
    """One linear map per column from F features to d, and a learned token for a missing cell."""

    def __init__(self, columns: int, features: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(columns, features, width) / math.sqrt(features))
        self.bias = nn.Parameter(torch.zeros(columns, width))
        self.missing = nn.Parameter(0.1 * torch.randn(columns, width))

    def forward(self, cell_RCF: Tensor, missing_RC: Tensor) -> Tensor:
        """Tokens [R, C, d]."""
        token = torch.einsum("rcf,cfd->rcd", cell_RCF, self.weight) + self.bias
        return torch.where(missing_RC.unsqueeze(-1), self.missing.to(token.dtype), token)


class NumericEmbedding(nn.Module):
    """Periodic embeddings of numbers, the number itself kept beside them (Gorishniy et al. 2022, section 3.2)."""

    def __init__(self, columns: int, width: int) -> None:
        super().__init__()
        self.frequency = nn.Parameter(FREQUENCY_SCALE * torch.randn(columns, FREQUENCIES))
        self.cell = CellEmbedding(columns, 2 * FREQUENCIES + 1, width)

    def forward(self, value_RC: Tensor, missing_RC: Tensor) -> Tensor:
        """Tokens [R, C, d]; values are expected at about unit scale."""
        angle = 2 * math.pi * self.frequency * value_RC.unsqueeze(-1)
        waves = torch.cat([torch.sin(angle), torch.cos(angle), value_RC.unsqueeze(-1)], dim=-1)
        return self.cell(waves, missing_RC)


class SummaryEmbedding(nn.Module):
    """Relational summaries to tokens: a numeric embedding with a rectifier, so that small heads can be sharp."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.numeric = NumericEmbedding(features, width)

    def forward(self, value_BA: Tensor, missing_BA: Tensor) -> Tensor:
        """Tokens [B, A, E]."""
        return torch.relu(self.numeric(value_BA, missing_BA))


class TableEmbedding(nn.Module):
    """The columns of one table to tokens, in the order of the layout."""

    def __init__(self, layout: TableLayout, width: int) -> None:
        super().__init__()
        self.layout, self.width = layout, width
        starts = [0]
        for size in layout.cardinality:
            starts.append(starts[-1] + size)
        self.register_buffer("start_K", torch.tensor(starts[:-1], dtype=torch.int64), persistent=False)
        self.numeric = NumericEmbedding(len(layout.numeric), width) if layout.numeric else None
        self.categorical = nn.Embedding(starts[-1], width) if layout.categorical else None
        self.time = CellEmbedding(len(layout.timestamp), TIME_FEATURES, width) if layout.timestamp else None
        self.text = CellEmbedding(len(layout.text), TEXT_FEATURES, width) if layout.text else None
        if self.categorical is not None:
            nn.init.normal_(self.categorical.weight, std=0.3)

    def forward(self, rows: TableBatch, hide_RC: Tensor | None = None) -> Tensor:
        """Tokens [R, C, d]; cells in `hide_RC` are embedded as missing."""
        sizes = [len(c) for c in (self.layout.numeric, self.layout.categorical, self.layout.timestamp)]
        if hide_RC is None:
            hide_RC = torch.zeros(
                rows.rows, len(self.layout.columns), dtype=torch.bool, device=rows.row_R.device
            )
        hide = hide_RC.tensor_split([sizes[0], sum(sizes[:2]), sum(sizes)], dim=1)
        parts = []
        if self.numeric is not None:
            parts.append(self.numeric(rows.numeric_RN, rows.numeric_missing_RN | hide[0]))
        if self.categorical is not None:
            code = torch.where(hide[1], 0, rows.categorical_RK)
            parts.append(self.categorical(code + self.get_buffer("start_K")))
        if self.time is not None:
            parts.append(self.time(rows.time_RMF, rows.time_missing_RM | hide[2]))
        if self.text is not None:
            empty = (rows.text_RXF == 0).all(dim=-1)
            parts.append(self.text(rows.text_RXF, empty | hide[3]))
        if not parts:
            return torch.zeros(rows.rows, 0, self.width, device=rows.row_R.device)
        return torch.cat(parts, dim=1)
