"""Blocks of time: rows of one time share its luck, so that many rows may say as little as few.

A storm delays every flight of its day. How sure a mean over rows is, is therefore told by how its blocks differ, as if
each were one draw (a cluster-robust standard error, Liang and Zeger 1986).
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Blocks = npt.NDArray[np.int64]
BLOCKS, FEWEST = 10, 5


def time_blocks(cutoff_N: npt.NDArray[np.int64]) -> Blocks:
    """About ten blocks of rows that follow each other in time, drawn at random where too few times differ."""
    edges = np.unique(np.quantile(cutoff_N.astype(np.float64), np.linspace(0, 1, BLOCKS + 1)[1:-1]))
    block_N = np.unique(np.searchsorted(edges, cutoff_N, side="right"), return_inverse=True)[1]
    if block_N.max() >= FEWEST - 1:
        return np.asarray(block_N, dtype=np.int64)
    return np.random.default_rng(0).permutation(len(cutoff_N)) % BLOCKS


def error_of_mean(value_N: Floats, block_N: Blocks) -> float:
    """The standard error of the mean of values [N], whose blocks are each one draw; needs two blocks."""
    by_block = np.bincount(block_N, weights=value_N - value_N.mean())
    return math.sqrt((by_block**2).sum() * len(by_block) / (len(by_block) - 1)) / len(value_N)
