"""A part that is taken away says nothing more, before and after training; effects are paired and larger is better."""

import clinic
import numpy as np
import pytest
import torch

from benchmarks.levers.ablation import effects, table
from benchmarks.levers.development import f1
from benchmarks.levers.parts import AS_IT_IS, LEVERS, with_past_labels
from benchmarks.levers.run import settings
from nexusflow.artifact import build_model
from nexusflow.data.examples import make_examples
from nexusflow.data.task import TaskKind
from nexusflow.train.loop import fit
from nexusflow.train.runtime import seed_everything

BY_NAME = {lever.name: lever for lever in LEVERS}
CHANGES = [lever.name for lever in LEVERS if lever.change]


def _said(lever, folder, *, train: bool):
    given = clinic.given(clinic.question(TaskKind.BINARY), folder, max_rows=120)
    config = settings(list(given.question.tables), ["training.epochs=1", *lever.settings])
    seed_everything(0)
    model = build_model(config, given.reader.preprocessing)
    if lever.change:
        lever.change(model)
    if train:
        quiet = {"on_event": lambda event: None, "should_stop": lambda: False, "run_id": "0"}
        fit(model=model, reader=given.reader, training=config.training, **quiet)
    model.eval()
    batch = given.reader.batch(np.arange(40))
    with torch.no_grad():
        return model, batch, model(batch)


def test_what_is_changed_stays_changed_through_training(tmp_path):
    for name in CHANGES:
        model, _, _ = _said(BY_NAME[name], tmp_path, train=True)
        still = [p for p in model.parameters() if not p.requires_grad]
        assert still and all((p == 0).all() for p in still), name


def test_without_summaries_or_rows_they_change_no_answer(tmp_path):
    model, batch, before = _said(BY_NAME["no relational summaries"], tmp_path, train=True)
    tokens = model.tokens(batch)
    tokens.summary_BAE.normal_()
    with torch.no_grad():
        torch.testing.assert_close(model(batch, tokens=tokens).logit_BO, before.logit_BO)
    model, batch, before = _said(BY_NAME["no rows in slots"], tmp_path, train=True)
    visits = model.tokens(batch)
    visits.tables["visits"].normal_()
    with torch.no_grad():
        torch.testing.assert_close(model(batch, tokens=visits).logit_BO, before.logit_BO)
    whole, batch, before = _said(BY_NAME[AS_IT_IS], tmp_path, train=True)
    visits = whole.tokens(batch)
    visits.tables["visits"].normal_()
    with torch.no_grad():
        assert (whole(batch, tokens=visits).logit_BO - before.logit_BO).abs().max() > 1e-4


def test_effects_are_paired_by_seed_and_larger_is_better():
    def one(lever, seed, predicted):
        target, said = [1.0, 2.0, 3.0], [value + predicted for value in (1.0, 2.0, 3.0)]
        scores = {
            "test": predicted,
            "validation": predicted,
            "seconds": 2.0,
            "metric": "mae",
            "higher": False,
        }
        made = {"lever": lever, "seed": seed, "dataset": "d", "kind": "regression"}
        return {**made, **scores, "target": target, "prediction": said}

    cells = [one(AS_IT_IS, 0, 3.0), one(AS_IT_IS, 1, 4.0), one("one pass", 0, 2.5), one("one pass", 1, 4.25)]
    found = effects([*cells, one("one pass", 2, 9.0)])
    changed = found["d"]["levers"]["one pass"]
    assert changed["effect"]["values"] == [0.5, -0.25]
    # Every row is off by as much, so that no draw of rows changes anything.
    assert changed["interval"] == [0.125, 0.125]
    assert "+0.1250 [+0.1250, +0.1250] (2 seeds)" in table(found)


def test_every_lever_says_why_and_what_became_of_it():
    assert all(lever.hypothesis and lever.verdict for lever in LEVERS[1:])


def test_past_labels_are_known_once_their_window_has_closed(shared_data):
    if not (shared_data / "rel-f1").is_dir():
        pytest.skip("there is no rel-f1 in the data folder")
    asked = f1("driver-top3/rolling", shared_data, 2010)
    changed = with_past_labels(asked)
    past, labels = changed.tables["past"].frame, asked.tables["labels"].frame
    assert (past["closed"] - labels["date"]).dt.days.eq(30).all()
    examples = make_examples(changed.tables, changed.schema, changed.task)
    assert len(examples) == len(make_examples(asked.tables, asked.schema, asked.task))
    assert with_past_labels(clinic.question(TaskKind.BINARY)) is None
