"""The laws of explanations hold for several classes and for numbers, as they do for yes and no."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from random_database import SCHEMA, TASK, random_frames, table_set

from nexusflow.artifact import TrainedModel, build_model
from nexusflow.config import ArchitectureConfig, DatasetConfig, RunConfig, TargetConfig, TrainingConfig
from nexusflow.data.examples import make_examples
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.explain.attention import attention_maps
from nexusflow.explain.attribution import SMALL_GAP, integrated_gradients, shapley
from nexusflow.explain.baseline import Baseline
from nexusflow.explain.flow import flow, reference
from nexusflow.explain.hiding import columns, relation_paths, roles, said
from nexusflow.explain.infidelity import infidelity, scores_of
from nexusflow.explain.shapley import row_shapley
from nexusflow.train.loop import fit
from nexusflow.train.predictor import predict_logits
from nexusflow.train.run import Run, RunStatus

INDEX = np.arange(0, 160, 17)
Opened = tuple[TrainedModel, Reader]
CLASSES = ("a", "b", "c")


@pytest.fixture(scope="module", params=[TaskKind.MULTICLASS, TaskKind.REGRESSION], ids=str)
def asked(request: pytest.FixtureRequest) -> Opened:
    torch.manual_seed(0)
    kind = request.param
    frames = random_frames(3, customers=160, orders=900)
    customers, orders = frames["customers"], frames["orders"]
    spent = customers["customer"].map(orders.groupby("customer")["amount"].sum()).fillna(0.0)
    rank = spent.rank(pct=True)
    if kind is TaskKind.MULTICLASS:
        target = np.array(CLASSES)[np.digitize(rank, [1 / 3, 2 / 3])]
        task = replace(TASK, kind=kind, classes=CLASSES)
    else:
        target, task = rank.to_numpy(), replace(TASK, kind=kind, classes=())
    frames["customers"] = customers.assign(left=target)
    tables = table_set(frames)
    examples = make_examples(tables, SCHEMA, task)
    fitted = fit_preprocessing(tables, SCHEMA, task, examples, hops=2, rows_per_key=3)
    config = RunConfig(
        target=TargetConfig(target_table="customers", target_column="left"),
        datasets=tuple(DatasetConfig(name=name) for name in SCHEMA.tables),
        architecture=ArchitectureConfig(global_embed_dim=16, num_heads=2, dropout=0.0),
        training=TrainingConfig(epochs=4, batch_size=32),
    )
    model, reader = build_model(config, fitted), Reader(fitted, tables, examples)
    fit(
        model=model,
        reader=reader,
        training=config.training,
        on_event=lambda event: None,
        should_stop=lambda: False,
        run_id="kinds",
    )
    model.eval()
    run = Run(
        id="kinds",
        name="kinds",
        status=RunStatus.FINISHED,
        created="2026-01-01T00:00:00+00:00",
        config=config.model_dump(mode="json"),
        task=task.to_dict(),
        schema_fingerprint=SCHEMA.fingerprint(),
        data_sha256={},
        seed=0,
    )
    return TrainedModel(model=model, preprocessing=fitted, config=config, run=run), reader


def _named(asked: Opened) -> tuple[np.ndarray, np.ndarray]:
    logit_NO = predict_logits(asked[0].model, asked[1], INDEX)
    named = logit_NO.argmax(axis=1) if logit_NO.shape[1] > 1 else np.zeros(len(INDEX), dtype=int)
    return logit_NO, logit_NO[np.arange(len(INDEX)), named]


@pytest.mark.parametrize("baseline", list(Baseline))
def test_scores_sum_to_the_difference_of_what_is_predicted(asked: Opened, baseline: Baseline) -> None:
    found = integrated_gradients(*asked, INDEX, baseline=baseline)
    np.testing.assert_allclose(found.output, _named(asked)[1], atol=1e-5)
    total = found.frame.groupby("example")["score"].sum().to_numpy()
    np.testing.assert_allclose(np.abs(total - (found.output - found.baseline_output)), found.gap, atol=1e-5)
    assert np.median(found.relative_gap) <= SMALL_GAP


def test_contributions_sum_to_every_output(asked: Opened) -> None:
    maps = attention_maps(*asked, INDEX)
    np.testing.assert_allclose(maps.bias_O + maps.contribution_BTO.sum(axis=1), maps.logit_BO, atol=1e-5)
    np.testing.assert_allclose(maps.logit_BO, _named(asked)[0], atol=1e-5)


def test_hiding_nothing_moves_nothing_and_hiding_something_does(asked: Opened) -> None:
    plain = _named(asked)[0]
    for groups in (roles(asked[1]), columns(asked[1]), relation_paths(asked[1])):
        count = len(groups.keys)
        nothing, everything = said(*asked, INDEX, groups, np.array([[False] * count, [True] * count]))
        np.testing.assert_allclose(nothing, plain, atol=1e-5)
        assert np.abs(everything - plain).max() > 1e-3


def test_a_relation_takes_all_that_is_reached_through_it(asked: Opened) -> None:
    reader = asked[1]
    paths, single, layout = relation_paths(reader), roles(reader), reader.layout.roles
    assert paths.names == tuple(role.name for role in layout[1:]) and not paths.hides_GT[:, 0].any()
    assert paths.hides_GT.sum(axis=1).max() > 1
    for g, hides_T in enumerate(paths.hides_GT):
        for t in np.flatnonzero(hides_T):
            assert t == g + 1 or hides_T[layout[t].parent]
        by_path = said(*asked, INDEX, paths, np.eye(len(paths.names), dtype=bool)[g : g + 1])
        by_roles = said(*asked, INDEX, single, hides_T[None])
        np.testing.assert_allclose(by_path, by_roles, atol=1e-6)


def test_scores_of_zero_have_an_infidelity_of_one(asked: Opened) -> None:
    groups = columns(asked[1])
    zeros = np.zeros((len(INDEX), len(groups.keys)))
    assert infidelity(*asked, INDEX, groups, zeros) == pytest.approx((1.0, 1.0))
    scores = scores_of(integrated_gradients(*asked, INDEX), groups)
    mine, dealt = infidelity(*asked, INDEX, groups, scores)
    assert 0 <= mine < dealt


def test_shapley_values_share_out_what_hiding_everything_takes(asked: Opened) -> None:
    groups = roles(asked[1])
    everything = said(*asked, INDEX, groups, np.ones((1, len(groups.names)), dtype=bool))[0]
    logit_NO, output = _named(asked)
    named = logit_NO.argmax(axis=1) if logit_NO.shape[1] > 1 else np.zeros(len(INDEX), dtype=int)
    values = shapley(*asked, INDEX, orders=2)
    np.testing.assert_allclose(
        values.sum(axis=1), output - everything[np.arange(len(INDEX)), named], atol=1e-4
    )


def test_shapley_values_of_a_row_are_of_the_predicted_class_or_the_value(asked: Opened) -> None:
    _, output = _named(asked)
    groups = roles(asked[1])
    everything = said(*asked, INDEX, groups, np.ones((1, len(groups.names)), dtype=bool))[0]
    named = _named(asked)[0].argmax(axis=1)
    for place in (0, len(INDEX) - 1):
        found = row_shapley(*asked, int(INDEX[place]))
        assert found.output == pytest.approx(output[place], abs=1e-5)
        assert found.hidden == pytest.approx(everything[place, named[place]], abs=1e-5)
        assert found.value_T.sum() == pytest.approx(found.output - found.hidden, abs=1e-9)


def test_flow_is_no_less_than_nothing_and_rows_that_are_alike_draw_on_nothing(asked: Opened) -> None:
    found = flow(*asked, INDEX, reference(*asked, INDEX))
    assert (found.drawn_BT >= 0).all() and found.drawn_BT.any()
    assert found.roles == tuple(role.name for role in asked[1].layout.roles)
    alone = flow(*asked, INDEX[:1], reference(*asked, INDEX[:1]))
    assert np.abs(alone.drawn_BT).max() < 1e-8
