"""The row scales what its related tables say, and not itself."""

import torch

from nexusflow.nn.modulation import RowModulation


def test_a_neutral_modulation_changes_nothing():
    modulation = RowModulation(8)
    modulation.make_neutral()
    m, row = torch.randn(3, 4, 8), torch.randn(3, 8)
    scaled, scale = modulation(m, row)
    assert torch.equal(scaled, m) and not scale.any()


def test_the_row_itself_is_not_scaled_and_its_tables_are_each_alike():
    modulation = RowModulation(8)
    m, row = torch.randn(3, 4, 8), torch.randn(3, 8)
    scaled, scale = modulation(m, row)
    assert torch.equal(scaled[:, 0], m[:, 0])
    for role in (1, 2, 3):
        torch.testing.assert_close(scaled[:, role], m[:, role] * (1 + scale))
    other, _ = modulation(m[:, [0, 2, 1, 3]], row)
    assert torch.equal(other, scaled[:, [0, 2, 1, 3]])
