"""What a search of settings may change: the configuration itself is always among it, and changes land where they are
named."""

import pytest

from nexusflow.config import (
    ArchitectureConfig,
    ConfigError,
    RunConfig,
    TrainingConfig,
    parse_config,
)
from nexusflow.train.space import ENCODER, Range, changes, make_space, rounded, settings_now, with_settings

CONFIG = RunConfig.model_validate(
    {
        "target": {"target_table": "people", "target_column": "left"},
        "datasets": [
            {"name": "people.csv", "transformer_type": "tabnet", "num_decision_steps": 4},
            {"name": "orders"},
        ],
    }
)
ODD = CONFIG.model_copy(
    update={
        "architecture": ArchitectureConfig(
            global_embed_dim=24, num_heads=3, rows_per_key=5, hops=3, dropout=0.7
        ),
        "training": TrainingConfig.model_validate(
            {"optimizer": {"lr": 0.5, "weight_decay": 0.0}, "masking": 0.123456, "distillation": 0.3}
        ),
    }
)


@pytest.mark.parametrize("config", [CONFIG, ODD])
@pytest.mark.parametrize("hops", [True, False])
def test_the_configuration_itself_is_in_its_space_and_comes_back_unchanged(config, hops):
    now, space = settings_now(config, "people"), make_space(config, "people", hops=hops)
    assert set(now) - set(space) == (set() if hops else {"architecture.hops"})
    for name, values in space.items():
        inside = values.low <= now[name] <= values.high if isinstance(values, Range) else now[name] in values
        assert inside, name
    assert with_settings(config, "people", now) == config


def test_every_setting_lands_where_it_is_named():
    wanted = {
        "training.optimizer.lr": 0.002,
        "training.masking": 0.0,
        "architecture.global_embed_dim": 128,
        "architecture.hops": 1,
        ENCODER: "standard",
    }
    found = with_settings(CONFIG, "people", wanted)
    assert found.training.optimizer.lr == 0.002 and found.training.masking == 0.0
    assert (found.architecture.global_embed_dim, found.architecture.hops) == (128, 1)
    people, orders = found.datasets
    assert (people.transformer_type, people.num_decision_steps) == ("standard", None)
    assert orders == CONFIG.datasets[1]
    assert changes(CONFIG, "people", settings_now(found, "people")) == wanted
    assert parse_config(found.model_dump(mode="json")) == found


def test_widths_that_the_heads_do_not_divide_are_not_tried():
    space = make_space(ODD, "people", hops=False)
    assert space["architecture.global_embed_dim"] == (24,)


def test_a_table_that_is_not_there_is_told():
    with pytest.raises(ConfigError, match="visits"):
        settings_now(CONFIG, "visits")


def test_numbers_are_rounded_and_the_rest_is_not():
    assert [rounded(value) for value in (0.00123456, 7, "tabnet")] == [0.00123, 7, "tabnet"]


def test_a_range_goes_from_end_to_end():
    assert [Range(1e-3, 1e-1, log=True).at(share) for share in (0, 0.5, 1)] == pytest.approx(
        [1e-3, 1e-2, 1e-1]
    )
    assert Range(1.0, 3.0).at(0.5) == 2.0
    assert Range(1e-3, 1.0, log=True).reaching(0.0) == Range(0.0, 1.0)
