"""A run whose settings are searched for within a time: trials that share what was read, then the best as any model."""

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import yaml

from nexusflow.config import RunConfig, TrainingConfig
from nexusflow.config_effects import effective
from nexusflow.errors import ConfigError, TrainingError
from nexusflow.services.learn import Given, Learn, Learnt, prepared, reached, record_data
from nexusflow.services.projects import EncoderChoice
from nexusflow.services.workspace import Workspace
from nexusflow.train.events import BatchDone, EpochEnded, Event, TrialEnded, TrialGoesOn
from nexusflow.train.run import Run, Trial
from nexusflow.train.space import OF_ONE_ENCODER, missing_library

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from nexusflow.data.reader import Reader
    from nexusflow.data.schema import Schema
    from nexusflow.train.search import Outcome, Report

# Where reading takes more than this share of the time, it is done once: the hops stay as they are.
READING_SHARE = 0.05
# A trial that takes this much longer than a few of its steps promised goes by the clock.
PATIENCE = 1.5
# However long scoring takes, the trials get this share of the time; however long teaching takes, a trial this of its.
LEAST_SHARE, LEAST_TRIAL = 0.5, 0.1


__all__ = ["chosen_yaml", "missing_library", "search_within", "use_settings"]


def chosen_yaml(text: str, run: Run) -> str:
    """The configuration in this YAML text with the settings that the run's search has chosen, the rest as it is."""
    data, chosen = yaml.safe_load(text), run.config
    for dataset, other in zip(data["datasets"], chosen["datasets"], strict=True):
        if other["transformer_type"] != dataset.get("transformer_type", "ft_transformer"):
            dataset["transformer_type"] = other["transformer_type"]
            for name in OF_ONE_ENCODER:
                dataset.pop(name, None)
    told = effective(RunConfig.model_validate(chosen))
    data |= {"architecture": told["architecture"], "training": told["training"]}
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def use_settings(workspace: Workspace, run_id: str) -> None:
    """Make the settings that a run was trained with those of the workspace."""
    config = RunConfig.model_validate(workspace.runs.load(run_id).config)
    choices = {dataset.table: EncoderChoice.of(dataset) for dataset in config.datasets}
    workspace.save_model_settings(
        encoders={**workspace.encoders(), **choices},
        architecture=config.architecture,
        training=config.training,
    )


def search_within(minutes: float) -> Learn:
    """Learning that looks for the settings of least validation loss and takes these minutes for the whole run.

    The test rows are not scored before the settings are chosen. TrainingError where Optuna is missing.
    """
    problem = missing_library()
    if problem is not None:
        raise TrainingError(problem)

    def learn(given: Given) -> Learnt:
        training = given.config.training.model_copy(update={"max_minutes": minutes})
        _must_be_alone(training)
        return _Search(replace(given, config=given.config.model_copy(update={"training": training}))).run()

    return learn


def _must_be_alone(training: TrainingConfig) -> None:
    from nexusflow.train.processes import processes

    if processes(training).several:
        raise ConfigError(
            "A search trains settings one after another, each by one process: leave training.devices and "
            "training.distributed_strategy out, and start it without torchrun."
        )


class _Search:
    def __init__(self, given: Given) -> None:
        self.given, self.record = given, given.record
        # Trials go by epochs, not by the clock, so that the one chosen can be trained again.
        training = given.config.training.model_copy(update={"max_minutes": None})
        self.config = given.config.model_copy(update={"training": training})
        target = self.config.target
        self.entity = target.question.entity_table if target.question else str(target.target_table)
        self.readers: dict[int, Reader] = {}
        self.answers: dict[tuple[int, float], tuple[npt.NDArray[np.float32], ...] | None] = {}
        self.paces: dict[str, float] = {}

    def run(self) -> Learnt:
        from nexusflow.train.search import search
        from nexusflow.train.space import make_space, settings_now

        began = time.monotonic()
        self._reader(self.config)
        hops = time.monotonic() - began < READING_SHARE * self.given.limit
        space, now = make_space(self.config, self.entity, hops=hops), settings_now(self.config, self.entity)
        seconds = self._seconds()
        self.started, self.seconds = time.monotonic(), seconds
        found = search(
            self._attempt,
            first={name: now[name] for name in space},
            space=space,
            seconds=seconds,
            seed=self.config.training.seed,
            should_stop=self.given.should_stop,
            on_trial=self._ended,
        )
        chosen = found.kept
        record_data(self.given, self._seen(chosen.config))
        self.record.update(
            config=chosen.config.model_dump(mode="json"),
            parameters=sum(p.numel() for p in chosen.model.parameters()),
        )
        self.record.say(f"The settings of trial {found.best} of {len(found.trials)} are chosen")
        return replace(chosen, result=replace(chosen.result, stopped=self.given.should_stop()))

    def fraction(self) -> float:
        """How much of the search's time is gone."""
        return min(1.0, (time.monotonic() - self.started) / self.seconds)

    def _seconds(self) -> float:
        """For all trials: what is left when the rows have been scored afterwards."""
        from nexusflow.train.budget import FORWARD_SHARE, settle

        training = settle(self.config.training, self._reader(self.config))
        step = self._seconds_per_step(self.config.model_copy(update={"training": training}))
        rows = len(self.given.tables[self.given.task.entity_table])
        left, scoring = self.given.seconds_left(), FORWARD_SHARE * step * rows / (training.batch_size or 1)
        return max(LEAST_SHARE * left, left - scoring)

    def _attempt(
        self, number: int, settings: Mapping[str, float | int | str], seconds: float, report: "Report"
    ) -> "Outcome[Learnt]":
        """Train these settings for about so many seconds, in as many epochs as that allows."""
        from nexusflow.artifact import build_model
        from nexusflow.train.loop import fit
        from nexusflow.train.predictor import Stopped
        from nexusflow.train.runtime import seed_everything
        from nexusflow.train.search import Outcome
        from nexusflow.train.space import with_settings

        until = time.monotonic() + seconds
        config = with_settings(self.config, self.entity, settings)
        reader = self._reader(config)
        taught = self._taught(config, reader)
        config = self._settled(config, until - time.monotonic())
        follow = _Follow(self, number, config.training.epochs or 1, report)
        left = until - time.monotonic()
        whole = self.started + self.seconds - time.monotonic()
        guard = max(LEAST_TRIAL * seconds, min(PATIENCE * left, whole))
        seed_everything(config.training.seed)
        model = build_model(config, reader.preprocessing)
        result = fit(
            model=model,
            reader=reader,
            training=config.training.model_copy(update={"max_minutes": guard / 60}),
            on_event=follow.tell,
            should_stop=follow.should_stop,
            run_id=self.record.run.id,
            teacher=lambda *given, **more: taught,
        )
        if not result.history and number > 1:
            raise Stopped
        loss = min((record.val_loss for record in result.history), default=math.inf)
        kept = Learnt(config=config, reader=reader, model=model, result=result)
        return Outcome(loss=loss, epochs=len(result.history), kept=kept)

    def _settled(self, config: RunConfig, seconds: float) -> RunConfig:
        """With what was left open filled in, and no more epochs than there is time for."""
        from nexusflow.train.budget import MOST_EPOCHS, settle
        from nexusflow.train.timing import steps_per_epoch

        reader = self._reader(config)
        training = settle(config.training, reader)
        config = config.model_copy(update={"training": training})
        epoch = self._seconds_per_step(config) * steps_per_epoch(reader, training)
        most = self.config.training.epochs or MOST_EPOCHS
        epochs = max(1, min(most, int(seconds / max(epoch, 1e-9))))
        return config.model_copy(update={"training": training.model_copy(update={"epochs": epochs})})

    def _seconds_per_step(self, config: RunConfig) -> float:
        from nexusflow.artifact import build_model
        from nexusflow.train.timing import seconds_per_step

        key = f"{config.architecture} {config.dataset(self.entity)} {config.training.batch_size}"
        if key not in self.paces:
            reader = self._reader(config)
            model = build_model(config, reader.preprocessing)
            self.paces[key] = seconds_per_step(reader, model, config.training, self.given.should_stop)
        return self.paces[key]

    def _seen(self, config: RunConfig) -> "Schema":
        return reached(self.given.schema, self.given.task, hops=config.architecture.hops)

    def _reader(self, config: RunConfig) -> "Reader":
        """Reading is done once for each number of hops; the rows per key only say how much of it is looked at."""
        network = config.architecture
        if network.hops not in self.readers:
            given = self.given
            reader, _ = prepared(config, given.tables, self._seen(config), given.task, given.cache)
            self.readers[network.hops] = reader
        return self.readers[network.hops].with_slots(network.rows_per_key)

    def _taught(self, config: RunConfig, reader: "Reader") -> "tuple[npt.NDArray[np.float32], ...] | None":
        """The teacher's answers, which hang on nothing that trials change but the hops and the share."""
        from nexusflow.train.loop import TEACHING, TEACHING_SHARE
        from nexusflow.train.predictor import Stopped
        from nexusflow.train.readings import readings
        from nexusflow.train.teacher import teach

        share = config.training.distillation
        key = (config.architecture.hops, share)
        if share and key not in self.answers:
            try:
                self.answers[key] = teach(
                    readings(reader, config.training.seed),
                    share,
                    seed=config.training.seed,
                    should_stop=self.given.should_stop,
                    until=time.monotonic() + TEACHING_SHARE * self.seconds,
                    on_draw=lambda draw, of: self.record.say(f"{TEACHING}: {draw} of {of}"),
                )
            except Stopped:
                return None
        return self.answers.get(key)

    def _ended(self, trial: Trial, best: Trial, seconds_left: float) -> None:
        self.record.pass_on(
            TrialEnded(trial=trial, best=best.number, best_loss=best.loss, seconds_left=seconds_left)
        )


class _Follow:
    """Passes on how a trial goes, and stops it where it is given up."""

    def __init__(self, search: _Search, number: int, epochs: int, report: "Report") -> None:
        self.search, self.number, self.epochs, self.report = search, number, epochs, report
        self.given_up = False

    def should_stop(self) -> bool:
        """Whether it was given up, or the whole search was stopped."""
        return self.given_up or self.search.given.should_stop()

    def tell(self, event: Event) -> None:
        """What a search says of a training's event."""
        if isinstance(event, EpochEnded):
            self.given_up = self.report(event.record.epoch, event.record.val_loss)
        if isinstance(event, BatchDone):
            self.search.record.pass_on(
                TrialGoesOn(
                    number=self.number,
                    epoch=event.epoch,
                    epochs=self.epochs,
                    fraction=self.search.fraction(),
                )
            )
