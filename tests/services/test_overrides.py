"""Settings from outside: what is wrong with one is told of it, and of no line of a file that lacks it."""

from pathlib import Path

import pytest
import yaml

from nexusflow.errors import ConfigError
from nexusflow.services.overrides import load_with

CONFIG = {
    "project_name": "shop",
    "target": {"target_table": "customers", "target_column": "left"},
    "datasets": [{"name": "customers"}, {"name": "orders"}],
    "training": {"epochs": 3, "patience": 2},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(CONFIG))
    return path


@pytest.mark.parametrize(
    ("settings", "blamed"),
    [
        (["training.epochs=many"], [["training.epochs=many"]]),
        (["training.epochs=4", "training.epohcs=3"], [["training.epohcs=3"]]),
        (["datasets.orders.complexity=huge", "training.epochs=4"], [["datasets.orders.complexity=huge"]]),
        (
            ["training.epochs=0", "datasets.orders.nonsense=1"],
            [["training.epochs=0"], ["datasets.orders.nonsense=1"]],
        ),
        (["training={epochs: no}"], [["training={epochs: no}"]]),
        # What stands in the file has no effect because of what was set.
        (
            ["training.early_stopping=false", "training.seed=2"],
            [["training.early_stopping=false", "training.seed=2"]],
        ),
    ],
)
def test_a_wrong_setting_is_told_by_its_expression(
    path: Path, settings: list[str], blamed: list[list[str]]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_with(path, settings)
    heads = [" ".join(f"--set {text}" for text in texts) + ": " for texts in blamed]
    told = sorted(str(problem) for problem in caught.value.problems)
    assert len(told) == len(heads)
    assert all(any(line.startswith(head) for line in told) for head in heads), told
    assert all(problem.line is None and problem.file is None for problem in caught.value.problems)


def test_what_is_wrong_in_the_file_itself_is_told_by_its_line(path: Path) -> None:
    path.write_text(yaml.safe_dump({**CONFIG, "trainin": {}}))
    with pytest.raises(ConfigError) as caught:
        load_with(path, ["training.epochs=4"])
    assert [problem.file for problem in caught.value.problems] == [str(path)]
    assert caught.value.problems[0].line
