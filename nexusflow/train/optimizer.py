"""The optimizer of a training."""

from typing import Any

import torch
from torch import nn

from nexusflow.config import OptimizerConfig
from nexusflow.nn.embed import SummaryEmbedding, TableEmbedding


def make_optimizer(model: nn.Module, config: OptimizerConfig, *, fused: bool = True) -> torch.optim.Optimizer:
    """The optimizer; weights decay, while biases, normalisations and embeddings do not.

    `fused`, all weights are brought up to date in one call of a kernel. Not so where gradients are scaled: a fused
    optimizer takes the scale off by itself, too late for clipping.
    """
    spared = (nn.LayerNorm, nn.Embedding, TableEmbedding, SummaryEmbedding)
    kept = {id(p) for m in model.modules() if isinstance(m, spared) for p in m.parameters()}
    kept |= {id(p) for p in model.parameters() if p.ndim < 2}
    groups: list[dict[str, Any]] = [
        {"params": [p for p in model.parameters() if id(p) not in kept], "weight_decay": config.weight_decay},
        {"params": [p for p in model.parameters() if id(p) in kept], "weight_decay": 0.0},
    ]
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, fused=fused)
    kind = torch.optim.AdamW if config.name == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.lr, fused=fused)
