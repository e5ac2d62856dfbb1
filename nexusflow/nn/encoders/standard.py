"""The standard transformer (Vaswani et al. 2017, section 3.1) over columns: post-norm, mean pooling."""

from torch import Tensor, nn

from nexusflow.config import Complexity
from nexusflow.nn.attention import SelfAttention
from nexusflow.nn.encoders.base import TableEncoder
from nexusflow.nn.output import EncoderOutput


class StandardBlock(nn.Module):
    """Attention and a feed-forward layer, each followed by a normalisation."""

    def __init__(self, width: int, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads)
        self.norm_attention = nn.LayerNorm(width)
        self.forward_layer = nn.Sequential(
            nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )
        self.norm_forward = nn.LayerNorm(width)

    def forward(self, x_RCd: Tensor) -> Tensor:
        """[R, C, d] to [R, C, d]."""
        x_RCd = self.norm_attention(x_RCd + self.attention(x_RCd))
        return self.norm_forward(x_RCd + self.forward_layer(x_RCd))


class StandardEncoder(TableEncoder):
    """A row is the mean of its columns after attention; learned positions tell the columns apart."""

    def __init__(self, columns: int, complexity: Complexity = "small", dropout: float = 0.1) -> None:
        super().__init__(columns, complexity)
        size = self.size
        self.token_width = self.row_width = size.width // 2
        self.position = nn.Embedding(max(columns, 1), self.token_width)
        self.blocks = nn.Sequential(
            *(StandardBlock(self.token_width, size.width, size.heads, dropout) for _ in range(size.depth))
        )
        self._finish()

    def encode(self, token_RCd: Tensor) -> EncoderOutput:
        """Tokens [R, C, d] to rows [R, d]."""
        x = token_RCd + self.position.weight
        for block in self.blocks:
            x = self.layer(block, x)
        return EncoderOutput(row_RD=x.mean(dim=1))
