"""A run logged to MLflow: on the server that MLFLOW_TRACKING_URI names, else in a SQLite file beside the runs.

Everything goes through a client of its own: MLflow's current run and address belong to the whole process.
"""

import os
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nexusflow
from nexusflow.services.prediction import safe_csv
from nexusflow.services.registry import Stage
from nexusflow.services.storage import RunStore, read_json, write_json
from nexusflow.services.tracking.tracker import Outcome, Subject, safe_name, without_password

# Read by MLflow at its import. It tells its makers nothing, and an address that does not answer holds up no training.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

TRACKING_FILE = "tracking.json"
SCRIPT = Path(__file__).with_name("pyfunc_model.py")
LONGEST_VALUE, LONGEST_KEY, AT_ONCE = 6000, 250, 100
STATUSES = {"finished": "FINISHED", "failed": "FAILED"}
RUN_TAG = "nexusflow.run_id"


def tracking_uri(store: RunStore) -> str:
    """Where runs of this store are logged."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(_local(store) / 'mlflow.db').resolve()}"


def _local(store: RunStore) -> Path:
    return store.root / "mlflow"


class MlflowTracker:
    """One run in MLflow: parameters, metrics per epoch, final figures, the model, and the registry where asked."""

    def __init__(self, subject: Subject) -> None:
        from mlflow import MlflowClient

        self.subject, self.uri = subject, tracking_uri(subject.store)
        if self.uri.startswith("sqlite:") and not os.environ.get("MLFLOW_TRACKING_URI"):
            _local(subject.store).mkdir(parents=True, exist_ok=True)
        self.client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        self.file = subject.store.folder(subject.run_id) / TRACKING_FILE
        self.run_id = ""

    def begin(self) -> str:
        """Open a run, or go on with the one of before."""
        kept = read_json(self.file) or {}
        if kept.get("uri") == without_password(self.uri):
            self.run_id = kept["run_id"]
            self.client.update_run(self.run_id, status="RUNNING")
        else:
            tags = {RUN_TAG: self.subject.run_id, "nexusflow.question": self.subject.question}
            made = self.client.create_run(self._experiment(), run_name=self.subject.name, tags=tags)
            self.run_id = made.info.run_id
            self._keep()
        return f"{without_password(self.uri)}, experiment {self.subject.experiment!r}, run {self.run_id}"

    def settings(self, settings: Mapping[str, str]) -> None:
        """Parameters; MLflow takes them once."""
        from mlflow.entities import Param

        known = self.client.get_run(self.run_id).data.params
        named: dict[str, str] = {}
        for place, value in settings.items():
            name = safe_name(place)[:LONGEST_KEY]
            while name in named:
                name = f"{name[: LONGEST_KEY - 2]}_2"
            named[name] = value[:LONGEST_VALUE]
        rest = [Param(name, value) for name, value in named.items() if name not in known]
        for start in range(0, len(rest), AT_ONCE):
            self.client.log_batch(self.run_id, params=rest[start : start + AT_ONCE])

    def step(self, metrics: Mapping[str, float], step: int) -> None:
        """Metrics of an epoch."""
        self._metrics(metrics, step)

    def end(self, outcome: Outcome) -> str:
        """Final metrics, the model as an artifact that MLflow loads, the attention, and the registered version."""
        self._metrics(outcome.metrics, 0)
        said = ""
        with tempfile.TemporaryDirectory(prefix="nexusflow-mlflow-") as work:
            if outcome.attention is not None and outcome.picture is not None:
                self._attention(Path(work) / "attention", outcome)
            if outcome.model is not None:
                _save_pyfunc(Path(work) / "model", outcome.model)
                self.client.log_artifacts(self.run_id, str(Path(work) / "model"), "model")
                if self.subject.mlops.model_registry:
                    said = self._register()
        self.client.set_terminated(self.run_id, STATUSES.get(outcome.status, "KILLED"))
        return said

    def _metrics(self, metrics: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entities = [Metric(safe_name(name), float(value), now, step) for name, value in metrics.items()]
        self.client.log_batch(self.run_id, metrics=entities)

    def _attention(self, folder: Path, outcome: Outcome) -> None:
        folder.mkdir()
        assert outcome.attention is not None and outcome.picture is not None
        frame = outcome.attention.rename_axis("looks from").reset_index()
        (folder / "attention.csv").write_bytes(safe_csv(frame))
        (folder / "attention.png").write_bytes(outcome.picture)
        self.client.log_artifacts(self.run_id, str(folder), "attention")

    def _register(self) -> str:
        from mlflow.exceptions import MlflowException

        name = self.subject.registered_name
        try:
            self.client.get_registered_model(name)
        except MlflowException:
            self.client.create_registered_model(name)
        source = f"{self.client.get_run(self.run_id).info.artifact_uri}/model"
        tags = {RUN_TAG: self.subject.run_id, "nexusflow.stage": str(Stage.CANDIDATE)}
        version = self.client.create_model_version(name, source=source, run_id=self.run_id, tags=tags)
        self._keep(model=name, version=str(version.version))
        return f"Registered with MLflow as version {version.version} of {name!r}"

    def _experiment(self) -> str:
        found = self.client.get_experiment_by_name(self.subject.experiment)
        if found is not None:
            return str(found.experiment_id)
        local = self.uri.startswith("sqlite:") and not os.environ.get("MLFLOW_TRACKING_URI")
        place = (_local(self.subject.store) / "artifacts").resolve().as_uri() if local else None
        return str(self.client.create_experiment(self.subject.experiment, artifact_location=place))

    def _keep(self, **more: str) -> None:
        kept = read_json(self.file) or {}
        place = {"provider": "mlflow", "uri": without_password(self.uri), "run_id": self.run_id}
        write_json(self.file, {**kept, **place, **more})


def follow_stage(store: RunStore, run_id: str, stage: Stage) -> str:
    """Bring a registered version's alias and tag up to date; gives the words for it, empty where none is registered."""
    kept: dict[str, Any] = read_json(store.folder(run_id) / TRACKING_FILE) or {}
    if "version" not in kept:
        return ""
    from mlflow import MlflowClient

    now_used = tracking_uri(store)
    uri = now_used if without_password(now_used) == kept["uri"] else kept["uri"]
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    name, version = kept["model"], kept["version"]
    client.set_model_version_tag(name, version, "nexusflow.stage", str(stage))
    now = client.get_registered_model(name).aliases.get("champion")
    if stage is Stage.CHAMPION:
        client.set_registered_model_alias(name, "champion", version)
    elif str(now) == version:
        client.delete_registered_model_alias(name, "champion")
    return f"MLflow follows: version {version} of {name!r}"


def _save_pyfunc(folder: Path, model: Path) -> None:
    """The model with the script that MLflow loads it by: nothing is pickled."""
    import mlflow.pyfunc

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            path=str(folder),
            python_model=str(SCRIPT),
            artifacts={"model": str(model)},
            pip_requirements=[f"nexusflow=={nexusflow.__version__}"],
        )
