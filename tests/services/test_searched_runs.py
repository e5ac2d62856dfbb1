"""A run that searches for settings, end to end on a tiny shop: what it keeps, tells and leaves behind."""

import math

import pytest
import yaml
from small_shop import SCHEMA, SHORT, as_tables, ready_workspace, shop_config, shop_frames, shop_task

from nexusflow.config import RunConfig
from nexusflow.errors import TrainingError
from nexusflow.services import search
from nexusflow.services.jobs import JobState
from nexusflow.services.runner import has_model, new_run, predictions, run_training
from nexusflow.services.search import chosen_yaml, search_within, use_settings
from nexusflow.services.storage import RunStore
from nexusflow.services.training import cancel_training, progress, start_training
from nexusflow.train.events import EpochEnded, Note, TrialEnded, TrialGoesOn
from nexusflow.train.run import RunStatus

TABLES = as_tables(shop_frames())
OPEN = SHORT.model_copy(update={"epochs": 3, "distillation": 0.0})
WAIT = 60.0


def train(
    folder, training=OPEN, *, learn=None, should_stop=lambda: False, config=None, on_event=lambda e: None
):
    task = shop_task()
    config = config or shop_config(task, training)
    store, events = RunStore(folder), []
    store.create(new_run("r-01", name="tiny", config=config, schema=SCHEMA, task=task))

    def tell(event):
        events.append((event, store.load("r-01")))
        on_event(event)

    run_training(
        config=config,
        tables=TABLES,
        schema=SCHEMA,
        task=task,
        store=store,
        run_id="r-01",
        on_event=tell,
        should_stop=should_stop,
        learn=learn,
    )
    return store, events


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nexusflow.train.search.MOST_TRIALS", 5)
        read = []
        patch.setattr(search, "prepared", lambda *given: read.append(given) or PREPARED(*given))
        folder = tmp_path_factory.mktemp("runs")
        return *train(folder, learn=search_within(2.0)), read


PREPARED = search.prepared


def test_it_begins_with_the_settings_as_they_stand_and_keeps_the_best(searched):
    run = searched[0].load("r-01")
    assert run.status is RunStatus.FINISHED and has_model(searched[0], "r-01")
    assert len(run.trials) == 5 and run.trials[0].epochs == 3
    losses = [trial.loss for trial in run.trials if trial.loss is not None]
    best = run.trials[run.best_trial - 1]
    assert best.loss == min(losses) <= run.trials[0].loss
    assert run.history[run.best_epoch - 1].val_loss == pytest.approx(best.loss)
    assert set(run.metrics) == {"train", "validation", "test"}
    assert len(predictions(searched[0], "r-01")) == len(TABLES["customers"])


def test_the_record_is_of_the_chosen_settings(searched):
    run = searched[0].load("r-01")
    config = RunConfig.model_validate(run.config)
    best = run.trials[run.best_trial - 1].settings
    assert config.architecture.global_embed_dim == best["architecture.global_embed_dim"]
    assert config.training.optimizer.lr == best["training.optimizer.lr"]
    assert config.training.max_minutes is None and 1 <= config.training.epochs <= 3


def test_nothing_is_scored_on_test_rows_before_the_settings_are_chosen(searched):
    seen = [run.metrics for event, run in searched[1] if isinstance(event, TrialEnded)]
    assert seen == [{}] * 5


def test_trials_are_told_and_their_epochs_are_not_the_runs(searched):
    ended = [(event, run) for event, run in searched[1] if isinstance(event, TrialEnded)]
    assert [len(run.trials) for _, run in ended] == [1, 2, 3, 4, 5]
    assert not [event for event, _ in searched[1] if isinstance(event, EpochEnded)]
    kept = searched[0].events("r-01")
    assert [event.trial for event in kept if isinstance(event, TrialEnded)] == list(
        searched[0].load("r-01").trials
    )
    assert not [event for event in kept if isinstance(event, TrialGoesOn)]
    assert any(isinstance(event, Note) and "are chosen" in event.message for event in kept)


def test_tables_are_read_once_for_each_number_of_hops(searched):
    hops = [given[0].architecture.hops for given in searched[2]]
    tried = {t.settings.get("architecture.hops", 2) for t in searched[0].load("r-01").trials}
    assert sorted(hops) == sorted(set(hops)) and set(hops) == tried | {2}


def test_the_chosen_settings_train_the_same_model_again(searched, tmp_path):
    run = searched[0].load("r-01")
    again, _ = train(tmp_path, config=RunConfig.model_validate(run.config))
    assert again.load("r-01").metrics == run.metrics
    assert again.load("r-01").parameters == run.parameters


def test_the_yaml_keeps_what_the_search_does_not_touch(searched):
    run = searched[0].load("r-01")
    given = {
        "target": {"target_table": "customers", "target_column": "left"},
        "datasets": [{"name": d["name"], "path": "elsewhere.csv"} for d in run.config["datasets"]],
    }
    data = yaml.safe_load(chosen_yaml(yaml.safe_dump(given), run))
    assert data["target"] == given["target"]
    assert [set(d) - {"transformer_type"} for d in data["datasets"]] == [{"name", "path"}] * len(
        data["datasets"]
    )
    settings = RunConfig.model_validate(data)
    assert settings.training.model_dump(mode="json") == run.config["training"]
    assert settings.architecture.model_dump(mode="json") == run.config["architecture"]
    found = [d.transformer_type for d in settings.datasets]
    assert found == [d["transformer_type"] for d in run.config["datasets"]]


def test_taught_trials_share_the_teacher(tmp_path, monkeypatch):
    from nexusflow.train import teacher

    monkeypatch.setattr("nexusflow.train.search.MOST_TRIALS", 4)
    monkeypatch.setattr("nexusflow.train.space.HOPS", (2,))
    monkeypatch.setattr(teacher, "FEWEST_ROWS", 20)
    monkeypatch.setattr(teacher, "MOST_DRAWS", 1)
    taught, plain = [], teacher.teach
    monkeypatch.setattr(teacher, "teach", lambda *a, **k: taught.append(1) or plain(*a, **k))
    taught_settings = OPEN.model_copy(update={"distillation": 0.5, "epochs": 1})
    store, _ = train(tmp_path, taught_settings, learn=search_within(2.0))
    assert len(store.load("r-01").trials) == 4 and len(taught) == 1
    again, _ = train(tmp_path / "again", config=RunConfig.model_validate(store.load("r-01").config))
    assert again.load("r-01").metrics == store.load("r-01").metrics


def test_cancelled_the_best_so_far_is_kept(tmp_path):
    ended = []
    store, events = train(
        tmp_path,
        learn=search_within(5.0),
        should_stop=lambda: len(ended) >= 2,
        on_event=lambda e: ended.append(e) if isinstance(e, TrialEnded) else None,
    )
    run = store.load("r-01")
    assert run.status is RunStatus.CANCELLED and has_model(store, "r-01") and len(run.trials) == 2
    assert set(run.metrics) == {"validation"} and run.best_trial in (1, 2)


def test_cancelled_at_once_there_is_no_model(tmp_path):
    store, _ = train(tmp_path, learn=search_within(5.0), should_stop=lambda: True)
    run = store.load("r-01")
    assert run.status is RunStatus.CANCELLED and not has_model(store, "r-01")
    assert all(trial.loss is None or math.isfinite(trial.loss) for trial in run.trials)


def test_without_optuna_nothing_is_queued(tmp_path, manager, monkeypatch):
    shop = ready_workspace("shop-0001", tmp_path, OPEN)
    monkeypatch.setattr("nexusflow.train.space.find_spec", lambda name: None)
    with pytest.raises(TrainingError, match="nexusflow\\[search\\]"):
        start_training(shop, manager, search_minutes=1)
    assert shop.runs.list() == () and manager.views(shop.id) == ()


def test_in_the_background_it_is_followed_cancelled_and_taken_over(tmp_path, manager):
    shop = ready_workspace("shop-0001", tmp_path, OPEN)
    run_id = start_training(shop, manager, search_minutes=5)
    seen = []
    while not (now := progress(shop, manager, run_id)).trials:
        seen.append(now)
        assert not now.ended, now.message
    assert now.searches and any(each.trial is not None and each.trial.number == 1 for each in (*seen, now))
    assert 0 <= now.fraction < 1 and 0 < now.seconds_left <= 300
    cancel_training(shop, manager, run_id)
    assert manager.wait(run_id, shop.id, WAIT).state is JobState.CANCELLED
    use_settings(shop, run_id)
    run = shop.runs.load(run_id)
    assert shop.config().model_dump(mode="json") == run.config
