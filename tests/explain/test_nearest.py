"""Contribution vectors sum to the output, do not depend on batches, and the nearest are the nearest."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from random_database import SCHEMA, TASK, random_frames, table_set

from nexusflow.artifact import TrainedModel, build_model
from nexusflow.config import ArchitectureConfig, DatasetConfig, RunConfig, TargetConfig, TrainingConfig
from nexusflow.data.examples import make_examples
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.explain import nearest as module
from nexusflow.explain.nearest import ComparisonStopped, contribution_vectors, nearest
from nexusflow.train.run import Run, RunStatus


@pytest.fixture(scope="module")
def opened() -> tuple[TrainedModel, Reader]:
    """A network as it is before training: what is tested holds for any weights."""
    torch.manual_seed(0)
    tables = table_set(random_frames(2))
    examples = make_examples(tables, SCHEMA, TASK)
    fitted = fit_preprocessing(tables, SCHEMA, TASK, examples, hops=2, rows_per_key=3)
    config = RunConfig(
        target=TargetConfig(target_table="customers", target_column="left"),
        datasets=tuple(
            DatasetConfig.model_validate({"name": n, "transformer_type": "standard"}) for n in SCHEMA.tables
        ),
        architecture=ArchitectureConfig(global_embed_dim=16, num_heads=2, dropout=0.0),
        training=TrainingConfig(epochs=1),
    )
    run = Run(
        id="plain",
        name="plain",
        status=RunStatus.FINISHED,
        created="2026-01-01T00:00:00+00:00",
        config=config.model_dump(mode="json"),
        task=TASK.to_dict(),
        schema_fingerprint=SCHEMA.fingerprint(),
        data_sha256={},
        seed=0,
    )
    model = build_model(config, fitted).eval()
    trained = TrainedModel(model=model, preprocessing=fitted, config=config, run=run)
    return trained, Reader(fitted, tables, examples)


def test_contributions_sum_to_the_output_in_batches_of_any_size(
    opened: tuple[TrainedModel, Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, reader = opened
    index = np.arange(len(reader))
    whole, logit = contribution_vectors(trained, reader, index)
    with torch.inference_mode():
        output = trained.model(reader.batch(index))
    np.testing.assert_allclose(whole.sum(axis=1) + output.bias_O.numpy(), logit, atol=1e-5)
    np.testing.assert_array_equal(logit, output.logit_BO.numpy())
    monkeypatch.setattr(module, "BATCH", 7)
    shares: list[float] = []
    parts, _ = contribution_vectors(trained, reader, index, on_progress=shares.append)
    np.testing.assert_allclose(parts, whole, atol=1e-5)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_comparison_stops_when_asked(opened: tuple[TrainedModel, Reader]) -> None:
    with pytest.raises(ComparisonStopped):
        contribution_vectors(*opened, np.arange(4), should_stop=lambda: True)


@given(st.data())
def test_the_nearest_are_the_nearest(data: st.DataObject) -> None:
    others = data.draw(arrays(np.float32, (12, 3, 2), elements=st.floats(-8, 8, width=32)))
    one = data.draw(arrays(np.float32, (3, 2), elements=st.floats(-8, 8, width=32)))
    count = data.draw(st.integers(1, 15))
    place, distance = nearest(one, others, count)
    assert len(place) == len(set(place)) == min(count, 12)
    real = [float(np.linalg.norm((other.astype(float) - one).ravel())) for other in others]
    np.testing.assert_allclose(distance, sorted(real)[: len(place)], atol=1e-6)
    np.testing.assert_allclose(distance, [real[n] for n in place], atol=1e-6)


def test_one_among_the_others_is_at_no_distance() -> None:
    others = np.random.default_rng(0).normal(size=(9, 4, 1)).astype(np.float32)
    place, distance = nearest(others[6], others, 2)
    assert place[0] == 6
    assert distance[0] == 0
    assert distance[1] > 0
