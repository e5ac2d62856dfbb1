"""One conformance test that every encoder passes, in every size."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nexusflow.config import DatasetConfig
from nexusflow.nn.encoders.registry import ENCODERS, build_encoder

NAMES = sorted(ENCODERS)
SIZES = ["small", "medium", "large"]


def _encoder(name: str, size: str = "small", columns: int = 5):
    torch.manual_seed(0)
    config = DatasetConfig.model_validate({"name": "t", "transformer_type": name, "complexity": size})
    return build_encoder(config, columns, dropout=0.0)


@pytest.mark.parametrize("columns", [2, 5])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_gradients_to_every_parameter(name: str, size: str, columns: int) -> None:
    encoder = _encoder(name, size, columns)
    output = encoder(torch.randn(13, columns, encoder.token_width))
    assert output.row_RD.shape == (13, encoder.row_width)
    loss = output.row_RD.square().sum() + (output.loss if output.loss is not None else 0)
    loss.backward()
    silent = [
        n
        for n, p in encoder.named_parameters()
        if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()
    ]
    assert silent == []


@pytest.mark.parametrize("columns", [0, 1, 2, 7])
@pytest.mark.parametrize("rows", [0, 1, 4])
@pytest.mark.parametrize("name", NAMES)
def test_no_rows_and_no_columns_are_legal(name: str, rows: int, columns: int) -> None:
    encoder = _encoder(name, columns=columns)
    output = encoder(torch.randn(rows, columns, encoder.token_width))
    assert output.row_RD.shape == (rows, encoder.row_width)
    assert output.row_RD.isfinite().all()
    if output.loss is not None:
        assert output.loss.isfinite()
    if columns == 0:
        output.row_RD.sum().backward()
        assert all(p.grad is not None for p in encoder.parameters())


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 100))
def test_a_row_depends_on_itself_alone(name: str, seed: int) -> None:
    encoder = _encoder(name).double().train()
    torch.manual_seed(seed)
    tokens = torch.randn(6, 5, encoder.token_width, dtype=torch.float64)
    order = torch.randperm(6)
    together = encoder(tokens).row_RD
    torch.testing.assert_close(encoder(tokens[order]).row_RD, together[order], atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(encoder(tokens[:1]).row_RD, together[:1], atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_tabnet_masks_are_shares_and_its_first_step_is_free_to_choose(steps: int) -> None:
    config = DatasetConfig(name="t", transformer_type="tabnet", num_decision_steps=steps)
    encoder = build_encoder(config, 6, dropout=0.0)
    output = encoder(3 * torch.randn(50, 6, encoder.token_width))
    assert output.mask_GRC is not None
    assert output.mask_GRC.shape == (steps, 50, 6)
    assert (output.mask_GRC >= 0).all()
    torch.testing.assert_close(output.mask_GRC.sum(-1), torch.ones(steps, 50), atol=1e-5, rtol=0)
    assert (output.mask_GRC == 0).any(), "sparsemax gives exact zeros"
