"""Sparsemax against its definition."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.optimize import brentq

from nexusflow.nn.sparsemax import sparsemax

_scores = arrays(
    np.float64, array_shapes(min_dims=1, max_dims=1, max_side=8), elements=st.floats(-5, 5, width=32)
)


@given(_scores)
def test_it_is_the_projection_onto_the_simplex(scores: np.ndarray) -> None:
    """The projection is max(score - t, 0) with the t that makes it sum to one (Duchi et al. 2008)."""
    threshold = brentq(lambda t: np.maximum(scores - t, 0).sum() - 1, scores.min() - 2, scores.max())
    expected = np.maximum(scores - threshold, 0)
    np.testing.assert_allclose(sparsemax(torch.from_numpy(scores)).numpy(), expected, atol=1e-6)


@given(_scores, st.floats(-100, 100))
def test_a_shift_changes_nothing(scores: np.ndarray, shift: float) -> None:
    plain = sparsemax(torch.from_numpy(scores))
    torch.testing.assert_close(sparsemax(torch.from_numpy(scores + shift)), plain, atol=1e-6, rtol=0)


def test_its_gradient_is_right() -> None:
    torch.manual_seed(0)
    scores = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(sparsemax, (scores,))
