"""Runs logged elsewhere: what each place is told, for real, and that its failures harm no training."""

import re

import pytest
from small_shop import ready_workspace, shop_config, shop_task
from tracked_runs import TABLES, notes, train

from nexusflow.config import MlopsConfig, parse_config, read_config
from nexusflow.errors import ConfigError, Severity
from nexusflow.services.storage import RunStore
from nexusflow.services.tracking import watch
from nexusflow.services.tracking.tracker import safe_name, without_password
from nexusflow.services.training import readiness
from nexusflow.train.events import Note
from nexusflow.train.run import RunStatus


def test_a_provider_that_is_not_installed_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "find_spec", lambda name: None)
    store = RunStore(tmp_path)
    for provider in ("mlflow", "wandb"):
        with pytest.raises(ConfigError, match=re.escape(f"pip install 'nexusflow[{provider}]'")):
            train(store, "r-1", {"logging_provider": provider})
    assert store.list() == ()
    train(store, "r-2", {"logging_provider": "stdout"})


def test_keys_without_effect_are_refused():
    data = shop_config(shop_task()).model_dump(mode="json")
    for wrong in (
        {"model_registry": True},
        {"logging_provider": "wandb", "model_registry": True},
        {"logging_provider": "elsewhere"},
        {"log_everything": True},
        {"experiment_name": ""},
    ):
        with pytest.raises(ConfigError, match="mlops"):
            parse_config({**data, "mlops": wrong})
    assert parse_config({**data, "mlops": {"logging_provider": "mlflow"}}).mlops.logging_provider == "mlflow"
    assert parse_config({k: v for k, v in data.items() if k != "mlops"}).mlops is None


def test_standard_output_gets_a_line_per_epoch_and_every_figure(tmp_path, capsys):
    mlops = {"log_attention_patterns": True, "performance_monitoring": True}
    run, _ = train(RunStore(tmp_path), "r-1", mlops, experiment="my shop")
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("my shop run=r-1 ") for line in lines)
    epochs = [line for line in lines if " step=" in line]
    assert len(epochs) == len(run.history) == 2
    assert all(f"val_loss={r.val_loss:.6g}" in line for r, line in zip(run.history, epochs, strict=True))
    assert all("system/peak_memory_mb=" in line and "system/epoch_seconds=" in line for line in epochs)
    end = next(line for line in lines if " status=finished " in line)
    assert f"test/auroc={run.metrics['test']['auroc']:.6g}" in end
    assert any("setting training.epochs='2'" in line for line in lines)
    looks = [re.findall(r"=([\d.]+)(?= |$)", line) for line in lines if " attention from=" in line]
    assert len(looks) == 2 and all(sum(map(float, shares)) == pytest.approx(1, abs=0.01) for shares in looks)


def test_without_mlops_nothing_is_logged_anywhere(tmp_path, capsys):
    config = shop_config(shop_task())
    told = print
    assert watch.tracked(config, TABLES, RunStore(tmp_path), "r-1", told) is told


def test_a_workspace_keeps_where_its_runs_are_logged_through_its_file_and_back(tmp_path, monkeypatch):
    workspace = ready_workspace("logging-tests-01", tmp_path)
    assert workspace.config().mlops is None
    mlops = MlopsConfig(logging_provider="mlflow", experiment_name="shop", model_registry=True)
    workspace.adopt(workspace.config().model_copy(update={"mlops": mlops}))
    assert workspace.config().mlops == mlops
    assert read_config(workspace.config().to_yaml(), source="x").mlops == mlops
    monkeypatch.setattr(watch, "find_spec", lambda name: None)
    (problem,) = [p for p in readiness(workspace) if p.severity is Severity.ERROR]
    assert "pip install 'nexusflow[mlflow]'" in problem.message and "Model page" in problem.fix
    workspace.adopt(workspace.config().model_copy(update={"mlops": None}))
    assert workspace.config().mlops is None


class Failing:
    """A place that answers until it does not."""

    def __init__(self, answers):
        self.answers = answers

    def _answer(self):
        self.answers -= 1
        if self.answers < 0:
            raise ConnectionError("the line is dead\nsecond line")
        return "there"

    def begin(self):
        return self._answer()

    def settings(self, settings):
        self._answer()

    def step(self, metrics, step):
        self._answer()

    def end(self, outcome):
        return self._answer()


@pytest.mark.parametrize("answers", range(5))
def test_a_place_that_fails_at_any_moment_harms_no_run_and_is_told_once(tmp_path, monkeypatch, answers):
    monkeypatch.setattr(watch, "make_tracker", lambda subject: Failing(answers))
    run, events = train(RunStore(tmp_path), "r-1", {})
    assert run.status is RunStatus.FINISHED
    told = [m for m in notes(RunStore(tmp_path), "r-1") if "failed" in m]
    assert len(told) == 1 and "the line is dead" in told[0] and "second line" not in told[0]
    assert [e.message for e in events if isinstance(e, Note) and "failed" in e.message] == told


def test_a_cancelled_run_is_logged_as_cancelled(tmp_path, capsys):
    asked = iter([False] * 9)
    run, _ = train(RunStore(tmp_path), "r-1", {}, should_stop=lambda: next(asked, True))
    assert run.status is RunStatus.CANCELLED
    assert "status=cancelled" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["a[x]=`b`", "", "\n", "ü.ß-_ /", "x\u202ey"])
def test_names_are_made_such_as_mlflow_takes(text):
    assert re.fullmatch(r"[\w\-. /]+", safe_name(text))


def test_no_password_of_an_address_is_written_down():
    assert without_password("https://me:secret@host:5000/a@b") == "https://host:5000/a@b"
    assert without_password("sqlite:////home/a@b/mlflow.db") == "sqlite:////home/a@b/mlflow.db"
