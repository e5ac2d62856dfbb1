"""Training from a program: the same run as on the command line, kept in a folder or only in memory."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexusflow.config import RunConfig, load_config, parse_config
from nexusflow.data.task import Part
from nexusflow.errors import TrainingError
from nexusflow.models import TrainedModel, load_model
from nexusflow.public.artifact import NexusFlowModelArtifact, optimize_model
from nexusflow.public.data import Loader, RelationalData
from nexusflow.public.model import NexusFormer
from nexusflow.services.runner import has_model, model_path, new_run, refuse_processes, run_training
from nexusflow.services.storage import RunStore, new_run_id
from nexusflow.services.together import end_if_following
from nexusflow.train.events import Event, OnEvent
from nexusflow.train.run import Run

# A question, so that the settings of a training can be checked by themselves.
_ANY = {"target": {"target_table": "table", "target_column": "target"}, "datasets": [{"name": "table"}]}


def quiet(event: Event) -> None:
    """Nobody looks at the progress."""


@dataclass(kw_only=True)
class NexusFlowTrainer:
    """Trains a model on the rows of a loader and chooses its epoch on those of another.

    `config` (a YAML file, its content, or a RunConfig) gives the settings of the training; without it those of the
    loaders' data hold. `use_early_stopping`, `patience` and `precision` override it; `convergence_threshold` is the
    change of a prediction below which a row needs no further refinement pass. `folder` keeps the run's record,
    its model and predictions; without it only the artifact is left. ConfigError where a setting cannot be met.

    With `devices=2` (a count, a list such as [0, 1], or `auto`) so many processes train the model together, and
    `distributed_strategy` says how: `ddp`, or on GPUs `fsdp` and `deepspeed`. `strategy` is another name for it; given
    together they are refused. In a program that torchrun started the first process gets the artifact, and the others
    end within `train`.
    """

    model: NexusFormer
    config: RunConfig | Mapping[str, Any] | Path | str | None = None
    use_early_stopping: bool | None = None
    patience: int | None = None
    convergence_threshold: float | None = None
    distributed_strategy: str | None = None
    strategy: str | None = None
    devices: int | list[int] | str | None = None
    num_nodes: int | None = None
    precision: str | None = None
    folder: Path | str | None = None
    name: str = ""
    on_event: OnEvent = quiet

    def __post_init__(self) -> None:
        self.run: Run | None = None
        # What no machine could do, or this one cannot, is refused before anything is read.
        training = parse_config(
            {**_ANY, "training": {**self._processes(), "device": self._device()}}, source="NexusFlowTrainer"
        ).training
        refuse_processes(training)

    def _processes(self) -> dict[str, Any]:
        """Those settings of several processes that are given."""
        names = ("distributed_strategy", "strategy", "devices", "num_nodes")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _device(self) -> str:
        given = self._config()
        return given.training.device if given is not None else "auto"

    def train(
        self,
        train_loader: Loader,
        val_loader: Loader,
        *,
        auto_optimize: bool = False,
        target_size_mb: float | None = None,
    ) -> NexusFlowModelArtifact:
        """Train, score every row, train the baselines, and give the artifact; the model holds its weights then.

        The batch size of the training loader is that of the steps. TrainingError where the loaders do not belong
        together or no epoch ended.

        With `auto_optimize` its weights become int8 when they are trained, and with `target_size_mb` (millions of
        bytes) whatever loses least makes its file that small; the artifact's `optimization_metadata` has the figures,
        and TargetOutOfReach names the closest size. The model itself keeps the weights as they were trained.
        """
        data = self._data(train_loader, val_loader)
        with tempfile.TemporaryDirectory(prefix="nexusflow-train-") as scratch:
            trained = self._trained(data, Path(self.folder or scratch))
        self.model.network, self.model.trained = trained.model, trained
        if auto_optimize or target_size_mb is not None:
            return optimize_model(trained, target_size_mb=target_size_mb, tables=data.tables)
        return NexusFlowModelArtifact(model=trained)

    def settings(self, data: RelationalData, batch_size: int | None = None) -> RunConfig:
        """The configuration of the run that these arguments give."""
        given = self._config()
        config = self.model.configure(data.config if given is None else given)
        if self.convergence_threshold is not None:
            threshold = {"convergence_threshold": self.convergence_threshold}
            config = _changed(config, "architecture", threshold)
        update: dict[str, Any] = {
            "early_stopping": self.use_early_stopping,
            "patience": self.patience,
            "precision": self.precision,
            "batch_size": batch_size,
            **self._processes(),
        }
        return _changed(config, "training", {k: v for k, v in update.items() if v is not None})

    def _config(self) -> RunConfig | None:
        if self.config is None or isinstance(self.config, RunConfig):
            return self.config
        if isinstance(self.config, str | Path):
            return load_config(Path(self.config))
        return parse_config(self.config)

    def _data(self, train_loader: Loader, val_loader: Loader) -> RelationalData:
        if train_loader.data is not val_loader.data:
            raise TrainingError("Both loaders must be of the same data: data.loaders() gives them.")
        parts = train_loader.part, val_loader.part
        if parts != (Part.TRAIN, Part.VALIDATION):
            raise TrainingError(
                f"train takes a loader of training rows and one of validation rows; found {', '.join(parts)}."
            )
        data = train_loader.data
        config = self.settings(data, train_loader.batch_size)
        if config.target != data.config.target:
            raise TrainingError("The trainer's config asks another question than the loaders' data.")
        return data.with_settings(**{name: getattr(config, name) for name in RunConfig.model_fields})

    def _trained(self, data: RelationalData, folder: Path) -> TrainedModel:
        end_if_following(data.config, data.tables, data.schema, data.task)
        store, run_id = RunStore(folder), new_run_id()
        named = self.name or data.config.project_name
        store.create(new_run(run_id, name=named, config=data.config, schema=data.schema, task=data.task))
        self.run = run_training(
            config=data.config,
            tables=data.tables,
            schema=data.schema,
            task=data.task,
            store=store,
            run_id=run_id,
            on_event=self.on_event,
            should_stop=lambda: False,
        )
        if not has_model(store, run_id):
            raise TrainingError("No epoch ended, so there is no model. Give it more time.")
        return load_model(model_path(store, run_id))


def _changed(config: RunConfig, part: str, update: Mapping[str, Any]) -> RunConfig:
    """The configuration with some settings of a part changed and checked."""
    before = getattr(config, part)
    given = {**before.model_dump(exclude_unset=True), **update}
    if "strategy" in update:
        given.pop("distributed_strategy", None)
    checked = parse_config({**_ANY, part: given}, source=part)
    return config.model_copy(update={part: getattr(checked, part)})
