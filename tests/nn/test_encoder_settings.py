"""What a dataset may say of its encoder: each setting changes what it says it changes, and nothing else."""

import pytest
import torch
from network_factory import tiny_batch, tiny_model
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.memory import saved
from nexusflow.config import DatasetConfig
from nexusflow.nn.attention import SelfAttention
from nexusflow.nn.cross_attention import CrossContextualAttention
from nexusflow.nn.encoders.base import TableEncoder
from nexusflow.nn.encoders.registry import ENCODERS, build_encoder

NAMES, ATTENDING = sorted(ENCODERS), ["ft_transformer", "standard"]
ROWS, COLUMNS = 9, 6


def made(name: str, *, dropout: float = 0.1, seed: int = 0, **settings: object) -> TableEncoder:
    torch.manual_seed(seed)
    config = DatasetConfig.model_validate({"name": "t", "transformer_type": name, **settings})
    return build_encoder(config, COLUMNS, dropout)


def tokens(encoder: TableEncoder, rows: int = ROWS) -> Tensor:
    return torch.randn(rows, COLUMNS, encoder.token_width, generator=torch.Generator().manual_seed(1))


def gradients(encoder: TableEncoder) -> dict[str, Tensor]:
    """Those of one training step with dropout drawn from a fixed seed."""
    encoder.zero_grad()
    torch.manual_seed(5)
    output = encoder.train()(tokens(encoder))
    (output.row_RD.square().sum() + (0 if output.loss is None else output.loss)).backward()
    return {name: p.grad.clone() for name, p in encoder.named_parameters() if p.grad is not None}


def saved_bytes(encoder: TableEncoder, rows: int = 64) -> int:
    """What a training step keeps for its gradient, weights left out; each storage once."""
    held: dict[int, int] = {}
    own = {p.untyped_storage().data_ptr() for p in encoder.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = encoder.train()(tokens(encoder, rows).requires_grad_())
    del output
    return sum(held.values())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("complexity", ["small", "medium"])
def test_checkpointing_gives_the_same_gradients_and_keeps_less_than_half(name: str, complexity: str) -> None:
    plain, spared = made(name, complexity=complexity), made(name, complexity=complexity)
    spared.checkpointing = True
    ours, theirs = gradients(spared), gradients(plain)
    assert ours.keys() == theirs.keys() and any(g.any() for g in ours.values())
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value, rtol=0, atol=0)
    assert saved_bytes(spared) < 0.5 * saved_bytes(plain)


def test_checkpointing_is_what_the_dataset_asks_for() -> None:
    assert made("standard", gradient_checkpointing=True).checkpointing
    assert not made("standard").checkpointing


@pytest.mark.parametrize("name", ATTENDING)
def test_both_ways_of_attention_give_the_same_numbers_and_gradients(name: str) -> None:
    fused, weighed = (
        made(name, dropout=0.0, flash_attention=flash, complexity="large") for flash in (True, False)
    )
    given = tokens(fused)
    torch.testing.assert_close(fused(given).row_RD, weighed(given).row_RD, rtol=1e-5, atol=1e-5)
    for one, other in zip(gradients(fused).values(), gradients(weighed).values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("length", [64, 256])
def test_flash_attention_holds_no_weights_and_plain_attention_does(length: int) -> None:
    torch.manual_seed(0)
    attention, heads = SelfAttention(16, 2), 2
    given = torch.randn(1, length, 16, requires_grad=True)

    def largest() -> int:
        found: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: (found.append(t.numel()), t)[1], lambda t: t):
            attention(given)
        return max(found)

    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        assert largest() <= 16 * length
    attention.fused = False
    assert largest() == heads * length * length


@pytest.mark.parametrize(
    ("said", "default", "fused"), [(None, True, True), (None, False, False), (False, True, False)]
)
def test_a_dataset_goes_before_the_architecture(said: bool | None, default: bool, fused: bool) -> None:
    config = DatasetConfig(name="t", flash_attention=said)
    encoder = build_encoder(config, COLUMNS, 0.0, fused=default)
    ways = {m.fused for m in encoder.modules() if isinstance(m, SelfAttention)}
    assert ways == {fused}


def test_the_architecture_reaches_the_encoders() -> None:
    for flash in (True, False):
        model = tiny_model(use_flash_attn=flash)
        assert {m.fused for m in model.modules() if isinstance(m, SelfAttention)} == {flash}


@pytest.mark.parametrize("name", NAMES)
def test_experts_change_the_rows_and_learn(name: str) -> None:
    plain, mixed = made(name, dropout=0.0), made(name, dropout=0.0, use_moe=True)
    # The encoder's own weights are those that it would have without experts.
    for key, value in plain.state_dict().items():
        assert torch.equal(mixed.state_dict()[key], value)
    given = tokens(plain)
    assert not torch.allclose(plain(given).row_RD, mixed(given).row_RD)
    found = gradients(mixed)
    # The loss of balance reaches the chances of all experts, the rows' own loss those that were chosen.
    assert found["experts.router.weight"].any(dim=1).all() and found["experts.into"].any()
    assert mixed(given).loss > 0


@pytest.mark.parametrize("name", ATTENDING)
def test_a_closed_gate_hides_its_column_and_an_open_one_changes_nothing(name: str) -> None:
    plain, gated = made(name, dropout=0.0), made(name, dropout=0.0, feature_selection=True)
    given = tokens(plain)
    torch.testing.assert_close(gated(given).row_RD, plain(given).row_RD, rtol=0, atol=0)
    assert gradients(gated)["gate.score"].any()
    with torch.no_grad():
        gated.gate.score[2] = -1.0
    weights = gated.gate.weights.detach()
    assert weights[2] == 0 and float(weights.sum()) == pytest.approx(COLUMNS)
    other = given.clone()
    other[:, 2] = 7.0
    torch.testing.assert_close(gated(other).row_RD, gated(given).row_RD, rtol=0, atol=0)
    assert not torch.allclose(plain(other).row_RD, plain(given).row_RD)


def test_the_gate_closes_on_noise_in_training() -> None:
    torch.manual_seed(0)
    encoder = made("ft_transformer", dropout=0.0, feature_selection=True)
    head = torch.nn.Linear(encoder.row_width, 1)
    optimizer = torch.optim.Adam([*encoder.parameters(), *head.parameters()], lr=0.01)
    for _ in range(60):
        given = torch.randn(64, COLUMNS, encoder.token_width)
        loss = (head(encoder(given).row_RD)[:, 0] - 3 * given[:, 1, 0]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    weights = encoder.gate.weights
    assert int(weights.argmax()) == 1 and weights[1] > 1 and (weights < 1).sum() == COLUMNS - 1


def attention(contexts: int | None) -> CrossContextualAttention:
    torch.manual_seed(3)
    return CrossContextualAttention(16, 4, 2, 0.0, contexts)


def looked(contexts: int | None, roles: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(2)
    m, z = torch.randn(3, roles, 16, generator=draw), torch.randn(3, roles, roles, 4, generator=draw)
    present = torch.tensor([[True] * 5, [True, False, True, True, False], [True, False, False, False, False]])
    change, weight = attention(contexts)(m, z, present[:, :roles])
    return change, weight, present


@pytest.mark.parametrize("contexts", [1, 2, 4])
def test_a_role_looks_at_no_more_than_its_best_contexts(contexts: int) -> None:
    _, weight, present = looked(contexts)
    _, exact, _ = looked(None)
    seen = (weight > 0).any(dim=1)
    assert (seen.sum(dim=-1) == torch.minimum(present.sum(dim=1), torch.tensor(contexts))[:, None]).all()
    torch.testing.assert_close(weight.sum(dim=-1), torch.ones_like(weight.sum(dim=-1)))
    assert not (seen & ~present[:, None, :]).any()
    # What is kept keeps its proportions.
    kept = exact * seen[:, None]
    torch.testing.assert_close(weight, kept / kept.sum(dim=-1, keepdim=True))


@pytest.mark.parametrize("contexts", [5, 9])
def test_as_many_contexts_as_roles_are_exact_attention_to_the_bit(contexts: int) -> None:
    assert all(torch.equal(one, other) for one, other in zip(looked(contexts), looked(None), strict=True))


def test_contexts_reach_the_whole_model_and_change_its_answer() -> None:
    batch = tiny_batch()
    one, all_of_them = tiny_model(top_k_contexts=1), tiny_model()
    output = one(batch, record=True)
    assert ((output.evidence.attention_PLBHTT > 0).any(dim=3).sum(dim=-1) <= 1).all()
    assert not torch.allclose(output.logit_BO, all_of_them(batch).logit_BO)


def test_a_whole_network_that_spares_memory_learns_the_same() -> None:
    found = []
    for spare in (False, True):
        model = tiny_model().train()
        for encoder in model.encoders:
            encoder.checkpointing = spare
        torch.manual_seed(4)
        output = model(tiny_batch())
        (output.logit_BO.sum() + output.loss).backward()
        found.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    plain, spared = found
    assert plain.keys() == spared.keys()
    for name, value in plain.items():
        torch.testing.assert_close(spared[name], value, rtol=0, atol=0, msg=name)


def test_a_small_network_that_spares_memory_keeps_less_than_half() -> None:
    model, batch, kept = tiny_model(global_embed_dim=64).train(), tiny_batch(64), []
    for spare in (False, True):
        for encoder in model.encoders:
            encoder.checkpointing = spare
        torch.manual_seed(4)
        kept.append(saved.saved_bytes(lambda: model(batch).logit_BO.sum(), model.parameters()))
        assert model.checkpointing is spare
    assert kept[1] < 0.5 * kept[0]
    model.encoders[0].checkpointing = False
    assert not model.checkpointing


def test_without_cross_attention_every_role_looks_at_itself_alone() -> None:
    batch = tiny_batch()
    apart, together = tiny_model(cross_attention=False), tiny_model()
    output = apart(batch, record=True)
    weights = output.evidence.attention_PLBHTT
    assert torch.equal(weights, torch.eye(weights.shape[-1]).expand_as(weights))
    assert not any("cross" in name for name, _ in apart.named_parameters())
    assert any("cross" in name for name, _ in together.named_parameters())
    assert not torch.allclose(output.logit_BO, together(batch).logit_BO)
