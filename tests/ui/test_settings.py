import pytest

from nexusflow.config import ArchitectureConfig, OptimizerConfig, TrainingConfig
from nexusflow.errors import ConfigError
from ui.settings import checked


def test_values_are_put_in_place_and_the_rest_is_kept() -> None:
    before = TrainingConfig(epochs=5, optimizer=OptimizerConfig(lr=0.5))
    after = checked(TrainingConfig, before, {"epochs": 9})
    assert after == before.model_copy(update={"epochs": 9})


def test_values_that_do_not_go_together_are_told_in_words() -> None:
    with pytest.raises(ConfigError, match="num_heads .5. must divide global_embed_dim") as caught:
        checked(ArchitectureConfig, ArchitectureConfig(), {"num_heads": 5})
    assert "Value error" not in str(caught.value)
