"""TabNet (Arik & Pfister 2019, section 3): sequential attention that chooses columns, and shows which.

DEVIATION: layer normalisation stands in place of (ghost) batch normalisation, so that a row's vector never depends on
the rest of the batch, and training under differential privacy stays possible. A mask entry is one column, whose whole
token it weighs, so that masks speak of columns and not of embedding dimensions.

Axis letters: R rows, C columns, d token width, G decision steps, W width of decision and attention parts.
"""

from functools import partial

import torch
from torch import Tensor, nn

from nexusflow.config import Complexity
from nexusflow.nn.encoders.base import TableEncoder
from nexusflow.nn.output import EncoderOutput
from nexusflow.nn.sparsemax import sparsemax

STEPS = 3
RELAXATION = 1.5
SPARSITY_WEIGHT = 1e-3
HALF = 0.5**0.5


class GLUBlock(nn.Module):
    """Linear, normalisation, gated linear unit (Figure 4c)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width_in, 2 * width_out, bias=False)
        self.norm = nn.LayerNorm(2 * width_out)

    def forward(self, x: Tensor) -> Tensor:
        """[R, width_in] to [R, width_out]."""
        return nn.functional.glu(self.norm(self.linear(x)), dim=-1)


class FeatureTransformer(nn.Module):
    """Two GLU blocks shared by all steps and two of the step's own; shortcuts are scaled by sqrt(0.5)."""

    def __init__(self, shared: nn.ModuleList, width: int) -> None:
        super().__init__()
        self.shared = shared
        self.own = nn.ModuleList([GLUBlock(width, width), GLUBlock(width, width)])

    def forward(self, x: Tensor) -> Tensor:
        """[R, C * d] to [R, 2 W]."""
        x = self.shared[0](x)
        for block in (self.shared[1], *self.own):
            x = HALF * (x + block(x))
        return x


class TabNetEncoder(TableEncoder):
    """A row is the sum of the decisions of all steps, each taken from the columns that the step's mask lets through."""

    def __init__(self, columns: int, complexity: Complexity = "small", steps: int | None = None) -> None:
        super().__init__(columns, complexity)
        self.token_width, half = max(8, self.size.width // 8), self.size.width // 4
        self.row_width, self.steps = half, steps or STEPS
        shared = nn.ModuleList(
            [GLUBlock(max(columns, 1) * self.token_width, 2 * half), GLUBlock(2 * half, 2 * half)]
        )
        self.norm = nn.LayerNorm(self.token_width)
        self.first = FeatureTransformer(shared, 2 * half)
        self.transformers = nn.ModuleList(FeatureTransformer(shared, 2 * half) for _ in range(self.steps))
        self.attentive = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(half), nn.Linear(half, columns, bias=False))
            if columns > 1
            else nn.Identity()
            for _ in range(self.steps)
        )
        self._finish()

    def encode(self, token_RCd: Tensor) -> EncoderOutput:
        """Tokens [R, C, d] to rows [R, W] with masks [G, R, C]."""
        token = self.norm(token_RCd)
        _, attention = self.layer(self.first, token.flatten(1)).chunk(2, dim=-1)
        prior = torch.ones(token.shape[:2], dtype=token.dtype, device=token.device)
        row, masks, weights, entropies = 0.0, [], [], []
        for transformer, attentive in zip(self.transformers, self.attentive, strict=True):
            step = partial(self._step, transformer, attentive)
            mask, prior, decision, attention = self.layer(step, token, prior, attention)
            row = row + decision
            masks.append(mask)
            weights.append(decision.sum(dim=-1))
            entropies.append(-(mask * torch.log(mask + 1e-15)).sum(dim=-1))
        entropy = torch.stack(entropies)
        return EncoderOutput(
            row_RD=row,
            mask_GRC=torch.stack(masks),
            step_weight_GR=torch.stack(weights),
            loss=SPARSITY_WEIGHT * entropy.sum() / max(entropy.numel(), 1),
        )

    def _step(
        self, transformer: nn.Module, attentive: nn.Module, token: Tensor, prior: Tensor, attention: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The mask of a step, how free the next one is to choose, the decision, and what the next one attends by."""
        mask = sparsemax(prior * attentive(attention)) if self.columns > 1 else torch.ones_like(prior)
        prior = prior * (RELAXATION - mask)
        decision, attention = transformer((token * mask.unsqueeze(-1)).flatten(1)).chunk(2, dim=-1)
        return mask, prior, torch.relu(decision), attention
