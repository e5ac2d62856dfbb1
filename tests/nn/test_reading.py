"""What the rows say by themselves: additive by role, blind to empty slots and to their order, silent where asked."""

import torch

from nexusflow.nn.reading import RowReading

B, T, S, D, OUT = 3, 4, 5, 8, 2


def _given():
    torch.manual_seed(0)
    x, filled = torch.randn(B, T, S, D), torch.rand(B, T, S) < 0.6
    filled[:, 0] = torch.tensor([True] + [False] * (S - 1))
    filled[1, 2] = False
    reading = RowReading(T, D, OUT, 0.0).eval()
    torch.nn.init.normal_(reading.scale.weight)
    return reading, x, filled


def test_what_roles_add_sums_with_the_bias_to_the_answer():
    reading, x, filled = _given()
    said, added = reading(x, filled)
    torch.testing.assert_close(said, reading.bias.weight[0] + added.sum(dim=1))
    assert (added[1, 2] == 0).all() and (added[0, 2] != 0).any()


def test_empty_slots_and_the_order_of_rows_change_nothing():
    reading, x, filled = _given()
    said, _ = reading(x, filled)
    other = torch.where(filled.unsqueeze(-1), x, torch.full_like(x, 9.0))
    torch.testing.assert_close(reading(other, filled)[0], said)
    order = torch.randperm(S)
    turned, there = x.clone(), filled.clone()
    turned[:, 1:], there[:, 1:] = x[:, 1:, order], filled[:, 1:, order]
    torch.testing.assert_close(reading(turned, there)[0], said)


def test_the_seeds_own_row_scales_what_other_roles_add():
    reading, x, filled = _given()
    _, added = reading(x, filled)
    other = x.clone()
    other[:, 0, 0] += 1.0
    _, changed = reading(other, filled)
    here = filled[:, 1:].any(dim=-1)
    assert ((changed - added)[:, 1:][here].abs().amax(dim=-1) > 1e-6).all()


def test_without_a_share_it_says_nothing():
    reading, x, filled = _given()
    reading.make_silent()
    said, added = reading(x, filled)
    assert float(reading.share) == 0 and not said.any() and not added.any()
