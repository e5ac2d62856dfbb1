"""One product in the place of several says what they say."""

import pytest
import torch
from torch import nn

from nexusflow.nn.encoders.ft_transformer import FTTransformerEncoder
from nexusflow.nn.joined import joined
from nexusflow.nn.slots import SlotAttention


@pytest.mark.parametrize("biases", [(True, True), (True, False), (False, False)])
def test_maps_that_are_joined_say_what_each_says(biases):
    maps = [nn.Linear(4, 3 + i, bias=bias).double() for i, bias in enumerate(biases)]
    x = torch.randn(2, 5, 4, dtype=torch.float64)
    for one, linear in zip(joined(x, maps), maps, strict=True):
        torch.testing.assert_close(one, linear(x), rtol=1e-12, atol=1e-12)


def test_slots_are_weighed_as_by_keys_and_values_of_each():
    """The textbook's way round: a key and a value per slot, then the weighted sum of the values."""
    layer = SlotAttention(8, 2, 0.0).double()
    m, x = torch.randn(3, 2, 8).double(), torch.randn(3, 2, 5, 8).double()
    age, filled = 10 * torch.rand(3, 2, 5).double(), torch.rand(3, 2, 5) < 0.6
    filled[0, 0] = False
    change, weight = layer(m, x, age, filled)
    normed = layer.norm(m)
    q = layer.query(normed).view(3, 2, 2, 4)
    k, v = (f(x).view(3, 2, 5, 2, 4) for f in (layer.key, layer.value))
    score = torch.einsum("bthd,btshd->bths", q, k) / 2
    score = score - nn.functional.softplus(layer.recency.weight)[0, :, None] * torch.log1p(age).unsqueeze(2)
    expected = torch.softmax(score.masked_fill(~filled.unsqueeze(2), -1e300), -1) * filled.unsqueeze(2)
    mixed = torch.einsum("bths,btshd->bthd", expected, v).reshape(3, 2, 8)
    taken = layer.out(torch.sigmoid(layer.gate(normed)) * mixed) * filled.any(-1, keepdim=True)
    torch.testing.assert_close(weight, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(change, taken, rtol=1e-10, atol=1e-12)
    assert not change[0, 0].any() and not weight[0, 0].any()


@pytest.mark.parametrize("complexity", ["small", "medium"])
def test_the_last_block_works_out_nothing_but_what_is_read(complexity):
    encoder = FTTransformerEncoder(3, complexity).double().eval()
    tokens = torch.randn(7, 3, encoder.token_width).double()
    x = torch.cat([encoder.cls.weight.expand(7, 1, -1), tokens], dim=1)
    for block in encoder.blocks:
        x = block(x)
    expected = torch.relu(encoder.norm(x[:, 0]))
    torch.testing.assert_close(encoder(tokens).row_RD, expected, rtol=1e-10, atol=1e-12)
