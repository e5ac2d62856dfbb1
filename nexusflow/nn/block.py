"""One block of NexusFormer: slots, the pair state, roles, transition.

Axis letters: B seeds, T roles, S slots, D width, P pair width, H heads, E experts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from nexusflow.config import ArchitectureConfig
from nexusflow.data.layout import RoleLayout
from nexusflow.nn.cross_attention import CrossContextualAttention, NoCrossAttention
from nexusflow.nn.pair import OuterProductMean, TriangleUpdate
from nexusflow.nn.slots import SlotAttention
from nexusflow.nn.transition import MixtureOfExperts, Transition


@dataclass(frozen=True, kw_only=True)
class Given:
    """What stays the same through all blocks and passes: slots [B, T, S, D] with their ages [B, T, S], which are
    filled, the links to the parent role's slots, which roles are present [B, T], and what the shape functions add
    [B, T, O]."""

    x_BTSD: Tensor
    age_BTS: Tensor
    filled_BTS: Tensor
    link_BTS: Tensor
    present_BT: Tensor
    shape_BTO: Tensor


@dataclass(frozen=True, kw_only=True)
class BlockTrace:
    """What a block looked at: attention [B, H, T, T], slot attention [B, T, H, S], gates [B, T, E] or None."""

    attention_BHTT: Tensor
    slot_attention_BTHS: Tensor
    gate_BTE: Tensor | None


class Block(nn.Module):
    """The Evoformer's work (Jumper et al. 2021, Algorithm 6), with tables in the place of sequences.

    DEVIATION: the pair state is brought up to date before the attention that reads it, not after. What the last block
    does to it would else reach the prediction through the next pass alone, and so never get a gradient.
    """

    def __init__(self, roles: Sequence[RoleLayout], config: ArchitectureConfig, pair_width: int) -> None:
        super().__init__()
        width, heads, dropout = config.global_embed_dim, config.num_heads, config.dropout
        self.slots = SlotAttention(width, heads, dropout)
        self.cross: CrossContextualAttention | NoCrossAttention = (
            CrossContextualAttention(width, pair_width, heads, dropout, config.top_k_contexts)
            if config.cross_attention
            else NoCrossAttention(heads)
        )
        self.transition: Transition | MixtureOfExperts = (
            MixtureOfExperts(width, config.num_experts, dropout)
            if config.use_moe
            else Transition(width, dropout)
        )
        self.outer = OuterProductMean(roles, width, pair_width)
        self.outgoing = TriangleUpdate(pair_width, outgoing=True)
        self.incoming = TriangleUpdate(pair_width, outgoing=False)

    def forward(
        self, m_BTD: Tensor, z_BTTP: Tensor, given: Given
    ) -> tuple[Tensor, Tensor, Tensor, BlockTrace]:
        """The new summaries and pair state, the auxiliary loss, and the trace."""
        change, slot_weight = self.slots(m_BTD, given.x_BTSD, given.age_BTS, given.filled_BTS)
        m_BTD = m_BTD + change
        z_BTTP = z_BTTP + self.outer(m_BTD, given.x_BTSD, given.link_BTS)
        z_BTTP = z_BTTP + self.outgoing(z_BTTP, given.present_BT)
        z_BTTP = z_BTTP + self.incoming(z_BTTP, given.present_BT)
        change, weight = self.cross(m_BTD, z_BTTP, given.present_BT)
        m_BTD = m_BTD + change
        change, gate, loss = self.transition(m_BTD, given.present_BT)
        m_BTD = m_BTD + change
        trace = BlockTrace(attention_BHTT=weight, slot_attention_BTHS=slot_weight, gate_BTE=gate)
        return m_BTD, z_BTTP, loss, trace
