"""Cross-contextual attention on plain tensors, for models of one's own.

Axis letters: B rows, N contexts, T roles (the query, then its contexts), D width, H heads, E experts, P pair width.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nexusflow.errors import ConfigError
from nexusflow.nn.cross_attention import CrossContextualAttention as Attention
from nexusflow.nn.transition import MixtureOfExperts, Transition

PAIR_WIDTH = 16
# How two roles relate: to itself, the query to a context, a context to the query, one context to another.
ITSELF, TO_CONTEXT, TO_QUERY, BETWEEN = range(4)


class CrossContextualAttention(nn.Module):
    """Lets a representation read others of the same width: NexusFormer's attention between tables, by itself.

    With `top_k` the query looks at no more than so many representations, itself counted; with `num_experts` the
    transition that follows is a mixture of experts, two of them for each row. After a forward `gate_BE` holds their
    shares (None without experts) and `balance_loss` what to add to a loss so that all are used.
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int = 4,
        *,
        top_k: int | None = None,
        num_experts: int = 0,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if embed_dim % num_heads:
            raise ConfigError(f"num_heads ({num_heads}) must divide embed_dim ({embed_dim}).")
        if top_k is not None and top_k < 1:
            raise ConfigError(f"top_k is at least 1; found {top_k}.")
        if num_experts == 1 or num_experts < 0:
            raise ConfigError(f"num_experts is 0 or at least 2; found {num_experts}.")
        self.embed_dim = embed_dim
        self.attention = Attention(embed_dim, PAIR_WIDTH, num_heads, dropout, top_k)
        self.relation = nn.Embedding(4, PAIR_WIDTH)
        self.transition: Transition | MixtureOfExperts = (
            MixtureOfExperts(embed_dim, num_experts, dropout)
            if num_experts
            else Transition(embed_dim, dropout)
        )
        self.gate_BE: Tensor | None = None
        self.balance_loss = torch.zeros(())

    def forward(
        self,
        query_repr: Tensor,
        context_reprs: Sequence[Tensor] | Tensor,
        *,
        present: Tensor | None = None,
        return_weights: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """The query [B, D] after it has read its contexts, each [B, D], or all as [B, N, D].

        `present` [B, N] says which contexts are there. With `return_weights` also the weights [B, H, 1 + N], the
        query's own first, which sum to one. ConfigError where shapes do not fit.
        """
        context_BND = self._stacked(query_repr, context_reprs)
        rows, contexts = context_BND.shape[:2]
        everywhere = torch.ones(rows, contexts, dtype=torch.bool, device=query_repr.device)
        there = everywhere if present is None else present.bool()
        if there.shape != (rows, contexts):
            raise ConfigError(f"present must be [{rows}, {contexts}]; found {list(there.shape)}.")
        present_BT = torch.cat([there.new_ones(rows, 1), there], dim=1)
        m_BTD = torch.cat([query_repr.unsqueeze(1), context_BND], dim=1)
        change, weight_BHTT = self.attention(m_BTD, self._pairs(rows, 1 + contexts), present_BT)
        query = query_repr + change[:, 0]
        change, gate, self.balance_loss = self.transition(query.unsqueeze(1), present_BT[:, :1])
        self.gate_BE = None if gate is None else gate[:, 0]
        query = query + change[:, 0]
        return (query, weight_BHTT[:, :, 0]) if return_weights else query

    def _stacked(self, query_BD: Tensor, contexts: Sequence[Tensor] | Tensor) -> Tensor:
        wrong = query_BD.ndim != 2 or query_BD.shape[1] != self.embed_dim
        if wrong:
            raise ConfigError(f"query_repr must be [B, {self.embed_dim}]; found {list(query_BD.shape)}.")
        if not isinstance(contexts, Tensor):
            for number, context in enumerate(contexts):
                if context.shape != query_BD.shape:
                    raise ConfigError(
                        f"context_reprs[{number}] must be {list(query_BD.shape)} as the query is; "
                        f"found {list(context.shape)}."
                    )
            contexts = (
                torch.stack(list(contexts), dim=1)
                if len(contexts)
                else query_BD.new_zeros(len(query_BD), 0, self.embed_dim)
            )
        if contexts.ndim != 3 or (contexts.shape[0], contexts.shape[2]) != tuple(query_BD.shape):
            raise ConfigError(
                f"context_reprs must be [{len(query_BD)}, N, {self.embed_dim}]; found {list(contexts.shape)}."
            )
        return contexts

    def _pairs(self, rows: int, roles: int) -> Tensor:
        """How each pair of roles relates [B, T, T, P]."""
        kind_TT = torch.full((roles, roles), BETWEEN, device=self.relation.weight.device)
        kind_TT[0, :], kind_TT[:, 0] = TO_CONTEXT, TO_QUERY
        kind_TT.fill_diagonal_(ITSELF)
        return self.relation(kind_TT).expand(rows, -1, -1, -1)
