"""Laws of the shape functions: a sum over features, each by its own role, and nothing else."""

import torch
from network_factory import tiny_layout

from nexusflow.nn.shape import ShapeFunctions

WIDTH, COLUMNS, TOKEN = 4, 6, 5


def _shape(outputs: int = 2) -> ShapeFunctions:
    torch.manual_seed(0)
    shape = ShapeFunctions(tiny_layout().roles, WIDTH, COLUMNS, TOKEN, outputs)
    for weight in shape.parameters():
        torch.nn.init.normal_(weight)
    return shape


def test_every_feature_adds_to_its_own_role_by_itself() -> None:
    roles, shape = tiny_layout().roles, _shape()
    summary, cells = torch.randn(3, roles[-1].summary_stop, WIDTH), torch.randn(4, COLUMNS, TOKEN)
    added = shape(summary, cells, torch.tensor([2, 0, 2]))
    for t, role in enumerate(roles):
        own = range(role.summary_start, role.summary_stop)
        expected = sum((summary[:, a] @ shape.summary[a] for a in own), torch.zeros(3, 2))
        if t == 0:
            seeds = cells[[2, 0, 2]].relu()
            expected = expected + sum(seeds[:, c] @ shape.cell[c] for c in range(COLUMNS))
        torch.testing.assert_close(added[:, t], expected)


def test_a_hidden_seed_says_nothing_of_its_own_cells() -> None:
    roles, shape = tiny_layout().roles, _shape()
    summary = torch.zeros(2, roles[-1].summary_stop, WIDTH)
    added = shape(summary, torch.randn(4, COLUMNS, TOKEN), torch.tensor([-1, 1]))
    assert not added[0].any()
    assert added[1, 0].any() and not added[1, 1:].any()


def test_at_first_it_says_nothing() -> None:
    fresh = ShapeFunctions(tiny_layout().roles, WIDTH, COLUMNS, TOKEN, 1)
    summary = torch.randn(2, tiny_layout().roles[-1].summary_stop, WIDTH)
    assert not fresh(summary, torch.randn(4, COLUMNS, TOKEN), torch.tensor([0, 3])).any()
