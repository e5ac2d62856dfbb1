"""FT-Transformer (Gorishniy et al. 2021, section 3.3): pre-norm attention over columns, read from a [CLS] token."""

import torch
from torch import Tensor, nn

from nexusflow.config import Complexity
from nexusflow.nn.attention import SelfAttention
from nexusflow.nn.encoders.base import TableEncoder
from nexusflow.nn.output import EncoderOutput


class ReGLU(nn.Module):
    """A gated rectifier: half of the input times the rectified other half (Shazeer 2020)."""

    def forward(self, x: Tensor) -> Tensor:
        """[..., 2h] to [..., h]."""
        value, gate = x.chunk(2, dim=-1)
        return value * torch.relu(gate)


class FTBlock(nn.Module):
    """Attention and a gated feed-forward layer, each behind a normalisation and beside a shortcut.

    As in the paper, the very first normalisation is left out: the tokens come normalised from the embedding.
    """

    def __init__(self, width: int, hidden: int, heads: int, dropout: float, *, first: bool) -> None:
        super().__init__()
        self.norm_attention = nn.Identity() if first else nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.norm_forward = nn.LayerNorm(width)
        self.forward_layer = nn.Sequential(
            nn.Linear(width, 2 * hidden), ReGLU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )

    def forward(self, x_RCd: Tensor, asking: int | None = None) -> Tensor:
        """[R, C, d] to [R, C, d]; of the first `asking` columns alone where only these are read afterwards."""
        x_RAd = x_RCd[:, :asking] + self.attention(self.norm_attention(x_RCd), asking)
        return x_RAd + self.forward_layer(self.norm_forward(x_RAd))


class FTTransformerEncoder(TableEncoder):
    """A row is what a learned [CLS] token has gathered from the row's columns."""

    def __init__(self, columns: int, complexity: Complexity = "small", dropout: float = 0.1) -> None:
        super().__init__(columns, complexity)
        size = self.size
        self.token_width = self.row_width = size.width // 2
        self.cls = nn.Embedding(1, self.token_width)
        self.blocks = nn.Sequential(
            *(
                FTBlock(self.token_width, size.width, size.heads, dropout, first=i == 0)
                for i in range(size.depth)
            )
        )
        self.norm = nn.LayerNorm(self.token_width)
        self._finish()

    def encode(self, token_RCd: Tensor) -> EncoderOutput:
        """Tokens [R, C, d] to rows [R, d]."""
        cls = self.cls.weight.expand(token_RCd.shape[0], 1, -1)
        x = torch.cat([cls.to(token_RCd.dtype), token_RCd], dim=1)
        for block in self.blocks[:-1]:
            x = self.layer(block, x)
        # Of the last block nothing but the [CLS] token is read.
        x = self.layer(self.blocks[-1], x, 1)
        return EncoderOutput(row_RD=torch.relu(self.norm(x[:, 0])))
