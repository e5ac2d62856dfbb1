"""NexusFormer as a user gets it: nothing is chosen here."""

import numpy as np

from benchmarks.relational.given import Given, Predictions
from nexusflow.artifact import build_model
from nexusflow.config import DatasetConfig, RunConfig, TargetConfig, TrainingConfig
from nexusflow.data.task import Part
from nexusflow.train.events import EpochEnded, Event
from nexusflow.train.loop import fit
from nexusflow.train.predictor import predict_logits
from nexusflow.train.runtime import seed_everything


def nexusformer(given: Given) -> Predictions:
    """The default settings, but for the seed and, where a run asks for few, the epochs."""
    task, reader = given.question.task, given.reader
    config = RunConfig(
        target=TargetConfig(target_table=task.entity_table, target_column=task.target_column),
        datasets=tuple(DatasetConfig(name=name) for name in reader.layout.tables),
        training=TrainingConfig(seed=given.seed, epochs=given.settings.epochs),
    )
    seed_everything(given.seed)
    model = build_model(config, reader.preprocessing)
    result = fit(
        model=model,
        reader=reader,
        training=config.training,
        on_event=_tell,
        should_stop=lambda: False,
        run_id=f"seed {given.seed}",
    )
    logits = {
        Part.VALIDATION: result.validation_logit_NO,
        Part.TEST: predict_logits(model, reader, given.rows(Part.TEST)),
    }
    return {part: np.asarray(reader.preprocessing.unscale(logit)) for part, logit in logits.items()}


def _tell(event: Event) -> None:
    if isinstance(event, EpochEnded):
        record = event.record
        scores = ", ".join(f"{name} {value:.4f}" for name, value in record.val_metrics.items())
        print(f"epoch {record.epoch}: {record.seconds:.1f} s, validation {scores}", flush=True)
