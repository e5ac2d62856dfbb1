"""Development data end before the benchmarks' own test rows begin, and what is set is set."""

import pandas as pd
import pytest

from benchmarks.levers.development import f1
from benchmarks.levers.run import main, settings
from benchmarks.relational.datasets import F1_TEST_FROM
from nexusflow.config import TrainingConfig
from nexusflow.data.examples import make_examples
from nexusflow.data.task import PARTS, Part
from nexusflow.errors import ConfigError


@pytest.mark.parametrize("name", ["driver-top3/rolling", "driver-position/frozen"])
def test_no_row_is_one_of_the_benchmarks_own_test_rows(name, shared_data):
    if not (shared_data / "rel-f1").is_dir():
        pytest.skip("there is no rel-f1 in the data folder")
    asked = f1(name, shared_data, 2010)
    examples = make_examples(asked.tables, asked.schema, asked.task)
    assert examples.cutoff_N.max() < pd.Timestamp(F1_TEST_FROM).value
    begins = [examples.part(part).cutoff_N.min() for part in PARTS]
    assert begins == sorted(begins) and pd.Timestamp(begins[2]).year == 2005
    assert len(examples.part(Part.TEST)) > 300


def test_later_years_are_refused():
    with pytest.raises(SystemExit):
        main(["driver-top3/rolling", "--until", "2015"])


def test_what_is_set_is_set_and_the_rest_stays():
    config = settings(["a"], ["training.masking=0.05", "training.optimizer.lr=3e-4"])
    assert (config.training.masking, config.training.optimizer.lr) == (0.05, 3e-4)
    assert config.training.patience == TrainingConfig().patience
    for wrong in ("training.no_such=1", "no_such"):
        with pytest.raises(ConfigError, match="no_such"):
            settings(["a"], [wrong])
