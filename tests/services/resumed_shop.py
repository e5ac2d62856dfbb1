"""The shop as a run that is cut off and resumed: teacher, epochs, steps with the validation rows, and baselines."""

from small_shop import SCHEMA, as_tables, shop_config, shop_frames, shop_task

from nexusflow.config import TrainingConfig
from nexusflow.services.runner import new_run, run_training
from nexusflow.services.storage import RunStore
from nexusflow.train.trees import SETTINGS

TRAINING = TrainingConfig(epochs=4, batch_size=48, device="cpu", refit=True, early_stopping=False)
TABLES = as_tables(shop_frames())


def asked(training=TRAINING):
    """What `run_training` takes of the shop."""
    task = shop_task()
    return {"config": shop_config(task, training), "tables": TABLES, "schema": SCHEMA, "task": task}


def begin(folder, training=TRAINING, **more):
    """Train it as a run of this folder of runs."""
    SETTINGS["n_estimators"] = 20
    store, given = RunStore(folder), {**asked(training), **more}
    named = {name: given[name] for name in ("config", "schema", "task")}
    store.create(new_run("r-01", name="tiny", **named))
    return go_on(store, **given)


def resume(folder, training=TRAINING, **more):
    """Go on with the run of this folder."""
    SETTINGS["n_estimators"] = 20
    return go_on(RunStore(folder), **{**asked(training), **more}, resume=True)


def go_on(store, on_event=lambda event: None, should_stop=lambda: False, **given):
    """`run_training` of that run, quietly."""
    return run_training(store=store, run_id="r-01", on_event=on_event, should_stop=should_stop, **given)


def remains(folder):
    """All numbers of a run: weights to the bit, predictions to the bit, scores, and curves without their seconds."""
    run = RunStore(folder).load("r-01")
    files = ("model.nxf", "predictions.parquet")
    bits = {name: (folder / "r-01" / name).read_bytes() for name in files}
    curves = [{k: v for k, v in e.to_dict().items() if k != "seconds"} for e in run.history]
    return bits, curves, run.best_epoch, run.metrics, run.baselines, run.calibration, run.status
