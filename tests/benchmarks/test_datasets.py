"""The datasets are what is published of them, and the two regimes read what they may."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.relational.datasets import DATASETS, F1_TEST_FROM
from benchmarks.relational.given import Given, Settings
from nexusflow.data.index import STATIC
from nexusflow.data.task import PARTS, Part

PUBLISHED = {
    "driver-dnf": (11_411, 566, 702),
    "driver-top3": (1_353, 588, 726),
    "driver-position": (7_453, 499, 760),
}
LIMIT = pd.Timestamp(F1_TEST_FROM).value


def given(name, folder, tmp_path, **settings):
    dataset = DATASETS[name]
    if why := dataset.missing(folder):
        pytest.skip(why)
    asked = dataset.ask(folder, 0)
    assert asked.task.regime == dataset.regime
    return Given(asked, entity=dataset.entity, seed=0, settings=Settings(**settings), folder=tmp_path)


@pytest.mark.parametrize("regime", ["frozen", "rolling"])
@pytest.mark.parametrize("task", PUBLISHED)
def test_rel_f1_has_the_published_rows(task, regime, shared_data, tmp_path):
    examples = given(f"rel-f1/{task}/{regime}", shared_data, tmp_path).examples
    assert tuple(len(examples.part(part)) for part in PARTS) == PUBLISHED[task]


@pytest.mark.parametrize("regime", ["frozen", "rolling"])
def test_a_regime_reads_what_it_may_and_no_more(regime, shared_data, tmp_path):
    found = given(f"rel-f1/driver-dnf/{regime}", shared_data, tmp_path, max_rows=600)
    test = found.rows(Part.TEST)
    context = found.reader.context(test)
    timed = (context.row_BTS >= 0) & (context.known_BTS != STATIC)
    timed[:, 0] = False
    known = np.where(timed, context.known_BTS, 0)
    cutoff = found.examples.cutoff_N[test]
    assert (known <= cutoff[:, None, None]).all()
    late = known.max(axis=(1, 2)) > LIMIT
    assert not late.any() if regime == "frozen" else late.mean() > 0.8


def test_sf_food_has_the_split_that_comes_with_it(shared_data, tmp_path):
    found = given("sf-food", shared_data, tmp_path)
    assert tuple(len(found.examples.part(part)) for part in PARTS) == (4_188, 1_189, 3_095)
    assert found.target(Part.TEST).mean() == pytest.approx(0.228, abs=5e-4)


@pytest.mark.parametrize("name", ["churn", "flights"])
def test_the_bundled_samples_are_always_there(name, tmp_path):
    found = given(name, tmp_path, tmp_path)
    assert all(len(found.rows(part)) > 500 for part in PARTS)


def test_other_files_have_another_fingerprint(tmp_path):
    (tmp_path / "sf-food").mkdir()
    prints = set()
    for content in (b"one", b"two"):
        (tmp_path / "sf-food" / "split.parquet").write_bytes(content)
        prints.add(DATASETS["sf-food"].fingerprint(tmp_path))
    assert len(prints) == 2
