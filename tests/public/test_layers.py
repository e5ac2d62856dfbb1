"""Laws of cross-contextual attention on plain tensors."""

import pytest
import torch

from nexusflow import CrossContextualAttention
from nexusflow.errors import ConfigError

ROWS, WIDTH = 6, 16


def layer(**settings):
    torch.manual_seed(0)
    made = CrossContextualAttention(WIDTH, 4, **settings).eval()
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    return made


@pytest.fixture
def given():
    torch.manual_seed(1)
    return torch.randn(ROWS, WIDTH), [torch.randn(ROWS, WIDTH) for _ in range(4)]


@pytest.mark.parametrize("settings", [{}, {"top_k": 2}, {"num_experts": 4}])
def test_weights_sum_to_one_and_the_order_of_contexts_does_not_matter(given, settings):
    query, contexts = given
    attend = layer(**settings)
    answer, weights = attend(query, contexts, return_weights=True)
    assert answer.shape == query.shape and weights.shape == (ROWS, 4, 5)
    assert torch.allclose(weights.sum(-1), torch.ones(ROWS, 4))
    turned = attend(query, torch.stack(contexts[::-1], dim=1))
    assert torch.allclose(turned, answer, atol=1e-5)


def test_what_is_absent_changes_nothing(given):
    query, contexts = given
    attend = layer()
    present = torch.ones(ROWS, 4, dtype=torch.bool)
    present[:, 2] = False
    without, weights = attend(query, contexts, present=present, return_weights=True)
    assert (weights[:, :, 3] == 0).all()
    other = [*contexts[:2], torch.full_like(contexts[2], 9.0), contexts[3]]
    assert torch.equal(attend(query, other, present=present), without)
    assert torch.allclose(attend(query, [*contexts[:2], contexts[3]]), without, atol=1e-5)


def test_only_the_best_contexts_are_looked_at(given):
    query, contexts = given
    _, whole = layer()(query, contexts, return_weights=True)
    _, best = layer(top_k=2)(query, contexts, return_weights=True)
    assert ((best > 0).any(dim=1).sum(-1) == 2).all()
    assert ((whole > 0).any(dim=1).sum(-1) == 5).all()
    assert torch.equal(layer(top_k=5)(query, contexts), layer()(query, contexts))


def test_experts_share_every_row_between_two(given):
    attend = layer(num_experts=4)
    attend(*given)
    assert ((attend.gate_BE > 0).sum(-1) == 2).all()
    assert torch.allclose(attend.gate_BE.sum(-1), torch.ones(ROWS)) and attend.balance_loss > 0
    assert layer()(*given) is not None and layer().gate_BE is None


@pytest.mark.parametrize("experts", [0, 4])
def test_every_weight_learns(given, experts):
    attend = layer(num_experts=experts).train()
    (attend(*given).square().sum() + attend.balance_loss).backward()
    assert [name for name, p in attend.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_query_may_have_no_context(given):
    assert layer()(given[0], []).shape == (ROWS, WIDTH)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda q, c: CrossContextualAttention(10, 4), "must divide"),
        (lambda q, c: CrossContextualAttention(8, 4, top_k=0), "top_k"),
        (lambda q, c: CrossContextualAttention(8, 4, num_experts=1), "num_experts"),
        (lambda q, c: layer()(q[:, :3], c), "query_repr"),
        (lambda q, c: layer()(q, [c[0][:2]]), r"context_reprs\[0\]"),
        (lambda q, c: layer()(q, c[0]), "context_reprs must be"),
        (lambda q, c: layer()(q, c, present=torch.ones(ROWS, 2)), "present must be"),
    ],
)
def test_shapes_that_do_not_fit_are_told(given, call, words):
    with pytest.raises(ConfigError, match=words):
        call(*given)
