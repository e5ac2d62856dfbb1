"""What attention carried: it sums to what attention changed, and its first order is a derivative."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from network_factory import tiny_model
from torch import Tensor

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.explain import flow as flow_module
from nexusflow.explain.flow import FlowStopped, Pieces, flow, reference
from nexusflow.train.predictor import predict_logits

INDEX = np.arange(0, 400, 9)


def test_what_roles_took_sums_to_what_attention_changed() -> None:
    cross = tiny_model().blocks[0].cross
    batch, roles, width = 5, 5, 24
    draw = torch.Generator().manual_seed(0)
    m, z = (
        torch.randn(batch, roles, width, generator=draw),
        torch.randn(batch, roles, roles, 16, generator=draw),
    )
    present = torch.rand(batch, roles, generator=draw) < 0.7
    present[:, 0] = True
    change, weight = cross(m, z, present)
    carried = cross.carried(m, z, present, weight)
    torch.testing.assert_close(carried.sum(dim=2) + cross.out.bias, change)
    assert not carried[(~present).unsqueeze(1).expand(-1, roles, -1)].any()


def test_the_planted_table_is_drawn_on_most(opened: tuple[TrainedModel, Reader]) -> None:
    found = flow(*opened, INDEX, reference(*opened, INDEX))
    assert (found.drawn_BT >= 0).all()
    share = found.drawn_BT.sum(axis=0) / found.drawn_BT.sum()
    assert found.roles[int(share.argmax())] == "orders"
    assert share.max() > 0.5


def test_how_many_rows_go_at_once_does_not_matter(
    opened: tuple[TrainedModel, Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole_mean = reference(*opened, INDEX)
    whole = flow(*opened, INDEX, whole_mean)
    monkeypatch.setattr(flow_module, "MOST_ROWS", 7)
    parts = flow(*opened, INDEX, reference(*opened, INDEX))
    np.testing.assert_allclose(parts.drawn_BT, whole.drawn_BT, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(parts.moved_PLBTT, whole.moved_PLBTT, atol=1e-4)


def test_what_is_alike_in_every_row_is_drawn_from_nowhere(opened: tuple[TrainedModel, Reader]) -> None:
    one = INDEX[:1]
    found = flow(*opened, one, reference(*opened, one))
    assert np.abs(found.drawn_BT).max() < 1e-9
    assert np.abs(found.moved_PLBTT).max() < 1e-9


def test_what_a_look_moved_is_the_derivative_of_the_logit(opened: tuple[TrainedModel, Reader]) -> None:
    trained, reader = opened
    index, mean = INDEX[:6], reference(*opened, INDEX)
    found = flow(trained, reader, index, mean)
    blocks, step = len(trained.model.blocks), 1e-2
    toward = 0.0
    cross, calls = trained.model.blocks[0].cross, []
    i, j = 0, [role.name for role in reader.layout.roles].index("orders")

    def less(module, given, answer):
        calls.append(None)
        if len(calls) > 1:
            return answer
        taken = module.carried(*given, answer[1])[:, i, j] - mean.carried[0][i, j]
        change = answer[0].clone()
        change[:, i] -= toward * taken
        return change, answer[1]

    said = []
    for sign in (1, -1):
        calls.clear()
        toward = sign * step
        hook = cross.register_forward_hook(less)
        with torch.inference_mode():
            passes = torch.from_numpy(np.full(len(index), trained.config.architecture.refinement_iterations))
            said.append(trained.model(reader.batch(index), passes_B=passes).logit_BO[:, 0].double().numpy())
        hook.remove()
    slope = (said[1] - said[0]) / (2 * step)
    used = found.moved_PLBTT[1:].any(axis=(0, 1, 3, 4))
    np.testing.assert_allclose(found.moved_PLBTT[0, 0, :, i, j][used], slope[used], rtol=0.05, atol=2e-3)
    assert used.any() and blocks >= 1


def test_what_the_row_scales_comes_from_the_row() -> None:
    draw = torch.Generator().manual_seed(0)
    alike, differing = torch.ones(6, 3, 4), torch.randn(6, 3, 4, generator=draw)
    same, scales = torch.full((6, 4), 0.5), torch.randn(6, 4, generator=draw)
    own = torch.eye(3).expand(6, 3, 3)

    def came_from(said: Tensor, scale: Tensor) -> Tensor:
        rest = {name: said[None] for name in ("start", "kept", "carried")}
        pieces = Pieces(said=said, scale=scale, read=said, shape=said, turns=scale, turned=said, **rest)
        return flow_module._modulated(pieces, pieces.mean(), own)

    torch.testing.assert_close(came_from(differing, same), own)
    by_row = came_from(alike, scales)
    torch.testing.assert_close(by_row[:, 1:, 0], torch.ones(6, 2))
    torch.testing.assert_close(by_row[:, 0], own[:, 0])
    both = came_from(differing, scales)
    torch.testing.assert_close(both.sum(dim=2), torch.ones(6, 3))
    assert ((both[:, 1:, 0] > 0) & (both[:, 1:, 0] < 1)).all()


def test_looking_moves_no_bit_of_a_prediction(opened: tuple[TrainedModel, Reader]) -> None:
    before = predict_logits(opened[0].model, opened[1], INDEX)
    flow(*opened, INDEX, reference(*opened, INDEX))
    np.testing.assert_array_equal(predict_logits(opened[0].model, opened[1], INDEX), before)


def test_it_stops_when_asked(opened: tuple[TrainedModel, Reader]) -> None:
    with pytest.raises(FlowStopped):
        reference(*opened, INDEX, should_stop=lambda: True)
    with pytest.raises(ValueError, match="no example"):
        reference(*opened, INDEX[:0])


def test_what_the_row_turns_up_in_what_rows_say_comes_from_the_row() -> None:
    draw = torch.Generator().manual_seed(0)
    said, some = torch.randn(6, 3, 1, generator=draw), torch.randn(6, 3, 1, generator=draw)
    some[:, 0] = 0

    def came_from(turned: Tensor) -> Tensor:
        rest = {name: said[None] for name in ("start", "kept", "carried")}
        pieces = Pieces(
            said=said, scale=said, read=said, shape=said + turned, turns=said, turned=turned, **rest
        )
        mean = replace(pieces.mean(), shape=said.mean(dim=0))
        return flow_module._by_themselves(pieces, mean)

    own = came_from(torch.zeros(6, 3, 1))
    torch.testing.assert_close(own, ((said - said.mean(dim=0)) ** 2).sum(dim=-1))
    split = came_from(some)
    whole = ((said + some - said.mean(dim=0)) ** 2).sum(dim=-1)
    torch.testing.assert_close(split.sum(dim=1), whole.sum(dim=1))
    assert (split[:, 1:] < whole[:, 1:]).all() and (split[:, 0] > whole[:, 0]).all()
