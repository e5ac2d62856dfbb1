"""Smaller model files: int8 weights and pruning, with size, score, latency and memory before and after."""

from nexusflow.optimise.optimizer import (
    LARGEST_AMOUNT,
    MOST_LOSS,
    Optimised,
    TargetOutOfReach,
    optimize_model,
)

__all__ = ["LARGEST_AMOUNT", "MOST_LOSS", "Optimised", "TargetOutOfReach", "optimize_model"]
