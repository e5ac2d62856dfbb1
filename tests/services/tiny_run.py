"""The tiny shop trained once into a folder."""

from small_shop import SCHEMA, SHORT, as_tables, shop_config, shop_frames, shop_task

from nexusflow.services.runner import new_run, run_training
from nexusflow.services.storage import RunStore


def trained_store(folder, column="left", *, frames=None, schema=SCHEMA, **changes):
    """A store with the run r-01, which asks who leaves, of what size a customer is, or what they spend.

    `changes` are those of its task.
    """
    task, store = shop_task(column, **changes), RunStore(folder)
    config = shop_config(task, SHORT, schema)
    store.create(new_run("r-01", name="tiny", config=config, schema=schema, task=task))
    run_training(
        config=config,
        tables=as_tables(frames or shop_frames()),
        schema=schema,
        task=task,
        store=store,
        run_id="r-01",
        on_event=lambda event: None,
        should_stop=lambda: False,
    )
    return store
