"""A small shop that has been trained on, with names that try to be more than text, for reports of it."""

from dataclasses import replace

from small_shop import SCHEMA, SMALL, as_files, ready_workspace, shop_frames, shop_task

from nexusflow.data.schema import Column, Kind
from nexusflow.services.jobs import JobManager
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src="http://evil.example/x.png" onerror=alert(2)> $x^2$ url(http://evil.example)'
TAIL = "]]></svg></style></script><svg onload=alert(3)>{{ 7*7 }}"
RENAMED = {"age": SCRIPT, "plan": IMAGE}
WAIT = 120.0


def hostile_frames() -> dict:
    """The shop's tables with columns, values and keys that are markup."""
    frames = shop_frames()
    customers = frames["customers"].rename(columns=RENAMED)
    customers["id"] = TAIL + customers["id"]
    customers[IMAGE] = SCRIPT + customers[IMAGE]
    frames["orders"]["customer"] = TAIL + frames["orders"]["customer"]
    return {"customers": customers, "orders": frames["orders"]}


def trained_shop(
    folder, column: str = "left", *, hostile: bool = False, baselines: bool = False, experts: int = 0
) -> tuple[Workspace, str]:
    """A workspace with one finished run, and the run's id; TabNet reads the orders."""
    shop, manager = ready_workspace("shop-0001", folder), JobManager()
    if hostile:
        shop.clear()
        shop.add_files(as_files(hostile_frames()))
        columns = tuple(
            Column(name=RENAMED.get(c.name, c.name), kind=Kind(c.kind)) for c in SCHEMA["customers"].columns
        )
        schema = SCHEMA.with_table(replace(SCHEMA["customers"], columns=columns))
        shop.save_schema(replace(schema, tables={n: t for n, t in schema.tables.items() if n != "holidays"}))
    encoders = shop.encoders()
    encoders["orders"] = replace(encoders["orders"], transformer_type="tabnet", num_decision_steps=2)
    training = shop.training().model_copy(update={"baselines": baselines})
    network = SMALL.model_copy(update={"use_moe": True, "num_experts": experts}) if experts else SMALL
    shop.save_model_settings(encoders=encoders, architecture=network, training=training)
    shop.save_task(shop_task(column))
    try:
        run_id = start_training(shop, manager)
        assert manager.wait(run_id, shop.id, WAIT).error is None
    finally:
        manager.shutdown()
    return shop, run_id
