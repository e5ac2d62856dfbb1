import torch
from network_factory import tiny_batch, tiny_layout

from nexusflow.nn.masking import HIDING_STEPS, draw_hidden, nothing_hidden


def parts(hidden):
    return [*hidden.cells.values(), hidden.slots_BTS, hidden.summaries_BA, hidden.seed_B]


def test_a_share_of_the_draws_hides_and_the_others_hide_nothing():
    torch.manual_seed(0)
    batch, roles = tiny_batch(), tiny_layout().roles
    drawn = [any(bool(part.any()) for part in parts(draw_hidden(batch, 0.9, roles))) for _ in range(400)]
    assert abs(sum(drawn) / len(drawn) - HIDING_STEPS) < 0.08


def test_the_seeds_own_row_is_never_drawn():
    torch.manual_seed(0)
    batch, roles = tiny_batch(), tiny_layout().roles
    for _ in range(50):
        hidden = draw_hidden(batch, 0.9, roles)
        assert not hidden.slots_BTS[:, 0].any() and not hidden.seed_B.any()


def test_without_a_chance_nothing_is_hidden():
    batch, roles = tiny_batch(), tiny_layout().roles
    for hidden in (nothing_hidden(batch), draw_hidden(batch, 0.0, roles)):
        assert not any(bool(part.any()) for part in parts(hidden))
