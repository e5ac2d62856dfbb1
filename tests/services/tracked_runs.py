"""Runs of the small shop that are logged elsewhere."""

from small_shop import SCHEMA, SHORT, as_tables, shop_config, shop_frames, shop_task

from nexusflow.config import MlopsConfig
from nexusflow.services.runner import new_run, run_training
from nexusflow.train.events import Note

TABLES = as_tables(shop_frames())


SECRET_ENVIRONMENT = ("MLFLOW_TRACKING_URI", "WANDB_API_KEY", "WANDB_MODE")


def train(store, run_id, mlops, *, name="tiny", should_stop=lambda: False, experiment=None):
    config = shop_config(shop_task(), SHORT).model_copy(
        update={"mlops": MlopsConfig(experiment_name=experiment or "shop", **mlops)}
    )
    store.create(new_run(run_id, name=name, config=config, schema=SCHEMA, task=shop_task()))
    events = []
    run_training(
        config=config,
        tables=TABLES,
        schema=SCHEMA,
        task=shop_task(),
        store=store,
        run_id=run_id,
        on_event=events.append,
        should_stop=should_stop,
    )
    return store.load(run_id), events


def notes(store, run_id):
    return [event.message for event in store.events(run_id) if isinstance(event, Note)]
