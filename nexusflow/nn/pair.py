"""The pair state: what is known of every two roles, and how relations compose.

Axis letters: B seeds, T roles, S slots, D width, P pair width, c channels of the outer product.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nexusflow.data.layout import RoleLayout
from nexusflow.nn.joined import joined

FARTHEST = 7
CHANNELS = 8


class PairInit(nn.Module):
    """The pair state before any block: relation, distance in the role tree, and how much each role holds."""

    def __init__(self, roles: Sequence[RoleLayout], width: int) -> None:
        super().__init__()
        relations = max(r.relation for r in roles) + 1
        self.relation = nn.Embedding(2 * relations, width)
        self.distance = nn.Embedding(FARTHEST + 1, width)
        self.amount = nn.Linear(4, width)
        relation, distance = _tree(roles, relations)
        self.register_buffer("relation_TT", relation, persistent=False)
        self.register_buffer("distance_TT", distance, persistent=False)

    def forward(self, filled_BTS: Tensor, present_BT: Tensor) -> Tensor:
        """[B, T, T, P]."""
        count = torch.log1p(filled_BTS.sum(dim=-1).to(self.amount.weight.dtype))
        holds = torch.stack([count, present_BT.to(count.dtype)], dim=-1)
        roles = holds.shape[1]
        first = holds.unsqueeze(2).expand(-1, -1, roles, -1)
        second = holds.unsqueeze(1).expand(-1, roles, -1, -1)
        fixed = self.relation(self.get_buffer("relation_TT")) + self.distance(self.get_buffer("distance_TT"))
        return fixed + self.amount(torch.cat([first, second], dim=-1))


def _tree(roles: Sequence[RoleLayout], relations: int) -> tuple[Tensor, Tensor]:
    """Relation numbers between a role and its parent (0 elsewhere), both ways, and steps between any two roles."""
    count = len(roles)
    relation = torch.zeros(count, count, dtype=torch.int64)
    chains = []
    for t, role in enumerate(roles):
        chain, at = [t], t
        while at > 0:
            at = roles[at].parent
            chain.append(at)
        chains.append(chain)
        if t > 0:
            relation[t, role.parent] = role.relation
            relation[role.parent, t] = relations + role.relation
    distance = torch.zeros(count, count, dtype=torch.int64)
    for i, first in enumerate(chains):
        for j, second in enumerate(chains):
            meet = next(step for step in first if step in second)
            distance[i, j] = min(first.index(meet) + second.index(meet), FARTHEST)
    return relation, distance


class OuterProductMean(nn.Module):
    """Linked rows of a role and its parent role update their pair (Jumper et al. 2021, Algorithm 10).

    DEVIATION: only pairs of linked rows take part, because slots of two tables are not aligned.
    """

    def __init__(self, roles: Sequence[RoleLayout], width: int, pair_width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.child, self.parent = nn.Linear(width, CHANNELS), nn.Linear(width, CHANNELS)
        self.up, self.down = (nn.Linear(CHANNELS * CHANNELS, pair_width) for _ in range(2))
        parent = torch.tensor([max(r.parent, 0) for r in roles])
        adjacent = torch.zeros(len(roles), len(roles))
        for t, role in enumerate(roles[1:], start=1):
            adjacent[t, role.parent] = 1
        self.register_buffer("parent_T", parent, persistent=False)
        self.register_buffer("adjacent_TT", adjacent, persistent=False)

    def forward(self, m_BTD: Tensor, x_BTSD: Tensor, link_BTS: Tensor) -> Tensor:
        """The change of the pair state [B, T, T, P]; zero between roles that are not parent and child."""
        token = self.norm(x_BTSD + m_BTD.unsqueeze(2))
        child, parent = joined(token, (self.child, self.parent))
        parent = parent[:, self.get_buffer("parent_T")]
        at = link_BTS.clamp(min=0).unsqueeze(-1).expand(-1, -1, -1, CHANNELS)
        linked = (link_BTS >= 0).to(child.dtype).unsqueeze(-1)
        outer = torch.einsum("btsi,btsj->btij", child * linked, parent.gather(2, at)).flatten(2)
        mean = outer / linked.sum(dim=2).clamp(min=1)
        adjacent = self.get_buffer("adjacent_TT").unsqueeze(-1)
        there = linked.any(dim=2).unsqueeze(2)
        up = (self.up(mean).unsqueeze(2) * there) * adjacent
        down = (self.down(mean).unsqueeze(2) * there) * adjacent
        return up + down.transpose(1, 2)


class TriangleUpdate(nn.Module):
    """Relations compose: i with k and k with j say something of i with j (Jumper et al. 2021, Algorithms 11 and 12)."""

    def __init__(self, pair_width: int, *, outgoing: bool) -> None:
        super().__init__()
        self.outgoing = outgoing
        self.norm, self.norm_out = nn.LayerNorm(pair_width), nn.LayerNorm(pair_width)
        self.left, self.right = (nn.Linear(pair_width, pair_width) for _ in range(2))
        self.left_gate, self.right_gate, self.gate = (nn.Linear(pair_width, pair_width) for _ in range(3))
        self.out = nn.Linear(pair_width, pair_width)

    def forward(self, z_BTTP: Tensor, present_BT: Tensor) -> Tensor:
        """The change of the pair state [B, T, T, P]; absent roles stand in no triangle."""
        gates, sides = (self.left_gate, self.right_gate, self.gate), (self.left, self.right)
        *open_, left, right = joined(self.norm(z_BTTP), (*gates, *sides))
        left_gate, right_gate, gate = torch.sigmoid(torch.cat(open_, dim=-1)).chunk(3, dim=-1)
        both = (present_BT.unsqueeze(1) & present_BT.unsqueeze(2)).unsqueeze(-1)
        equation = "bikp,bjkp->bijp" if self.outgoing else "bkip,bkjp->bijp"
        composed = torch.einsum(equation, left_gate * left * both, right_gate * right * both)
        return gate * self.out(self.norm_out(composed))
