"""A database, a workbook and a zip each reach a trained model, the way the app goes; secrets stay outside."""

import io
import logging
import sqlite3
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd
import pytest
import yaml
from small_shop import SHORT, SMALL, as_files, shop_frames, shop_task

from nexusflow.data.schema import Schema
from nexusflow.data.sources.database import Database
from nexusflow.errors import DataError, Severity
from nexusflow.services import tablefiles
from nexusflow.services.jobs import JobManager
from nexusflow.services.projects import load_project
from nexusflow.services.training import has_model, readiness, start_training
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import RunStatus

FRAMES = shop_frames()


def sqlite_shop(path: Path) -> bytes:
    """The shop as a SQLite database that declares its keys."""
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE customers (id TEXT PRIMARY KEY, age INT, plan TEXT, seen TEXT, left TEXT, spend REAL,"
            ' size TEXT); CREATE TABLE orders ("order" INTEGER PRIMARY KEY, customer TEXT REFERENCES customers(id),'
            " day TEXT, amount REAL)"
        )
        for name in ("customers", "orders"):
            FRAMES[name].to_sql(name, connection, if_exists="append", index=False)
    connection.close()
    return path.read_bytes()


def postgres_shop(address: str) -> None:
    import psycopg
    import sqlalchemy as sa

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        connection.execute(
            'CREATE TABLE customers (id TEXT PRIMARY KEY, age INT, plan TEXT, seen TIMESTAMP, "left" TEXT,'
            " spend DOUBLE PRECISION, size TEXT)"
        )
        connection.execute(
            'CREATE TABLE orders ("order" INT PRIMARY KEY, customer TEXT REFERENCES customers(id), day TIMESTAMP,'
            " amount NUMERIC(12, 2))"
        )
    engine = sa.create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    for name in ("customers", "orders"):
        FRAMES[name].to_sql(name, engine, if_exists="append", index=False)
    engine.dispose()


def workbook() -> bytes:
    buffer = io.BytesIO()
    with pd.ExcelWriter(buffer, engine="openpyxl") as book:
        for name in ("customers", "orders"):
            FRAMES[name].to_excel(book, sheet_name=name, index=False)
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("data/customers.csv", as_files(FRAMES)[0][1])
        made.writestr(
            "data/orders.jsonl", FRAMES["orders"].to_json(orient="records", lines=True, date_format="iso")
        )
    return buffer.getvalue()


def train(workspace: Workspace, manager: JobManager) -> Schema:
    """Accept what is proposed, ask who leaves, train: what a person does on the pages."""
    schema = workspace.proposal().schema
    workspace.save_schema(schema)
    workspace.save_task(shop_task())
    workspace.save_model_settings(encoders={}, architecture=SMALL, training=SHORT)
    assert not [p for p in readiness(workspace) if p.severity is Severity.ERROR]
    run_id = start_training(workspace, manager)
    assert manager.wait(run_id, workspace.id, 120)
    run = workspace.runs.load(run_id)
    assert run.status is RunStatus.FINISHED and has_model(workspace.runs, run_id), run.error
    assert run.metrics["test"]["auroc"] > 0.6
    return schema


@pytest.mark.parametrize("kind", ["sqlite", "workbook", "zip", "large"])
def test_files_of_every_kind_reach_a_model(
    kind: str, tmp_path: Path, manager: JobManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "sqlite": lambda: [("shop.sqlite", sqlite_shop(tmp_path / "made.sqlite"))],
        "workbook": lambda: [("shop.xlsx", workbook())],
        "zip": lambda: [("shop.zip", archive())],
        "large": lambda: as_files({name: FRAMES[name] for name in ("customers", "orders")}),
    }[kind]()
    if kind == "large":
        monkeypatch.setattr(tablefiles, "CELLS_IN_MEMORY", 100)
    workspace = Workspace.open("sources-0001", tmp_path)
    problems = workspace.add_files(files)
    assert not [p for p in problems if p.severity is Severity.ERROR]
    assert {n: len(t) for n, t in workspace.tables().items()} == {"customers": 240, "orders": 900}
    schema = train(workspace, manager)
    assert [str(key) for key in schema.foreign_keys] == ["orders(customer) → customers(id)"]
    facts = [e.facts for e in workspace.proposal().evidence if e.foreign_key]
    assert (facts == [("declared in the database",)]) == (kind == "sqlite")


def test_a_postgres_reaches_a_model_and_its_password_nothing(
    postgres: str, tmp_path: Path, manager: JobManager, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    postgres_shop(postgres)
    password = urlsplit(postgres).password or ""
    workspace = Workspace.open("sources-0002", tmp_path)
    assert workspace.add_database(Database(postgres)) == ()
    schema = train(workspace, manager)
    assert [str(key) for key in schema.foreign_keys] == ["orders(customer) → customers(id)"]
    with pytest.raises(DataError) as failure:
        workspace.add_database(Database(postgres.replace("/postgres?", "/nowhere?")))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 8
    for secret in (password, "analyst"):
        assert not [path for path in files if secret.encode() in path.read_bytes()]
    assert password not in caplog.text and password not in str(failure.value) + repr(failure.value)
    assert failure.value.__suppress_context__


def test_a_configuration_names_tables_within_files(tmp_path: Path) -> None:
    (tmp_path / "shop.xlsx").write_bytes(workbook())
    (tmp_path / "orders.jsonl").write_text(
        FRAMES["orders"].to_json(orient="records", lines=True, date_format="iso")
    )
    config = {
        "target": {"target_table": "people", "target_column": "left", "cutoff_column": "seen"},
        "datasets": [
            {"name": "people", "path": "shop.xlsx", "table_in_file": "customers"},
            {"name": "orders.jsonl"},
        ],
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    _, tables, schema, _ = load_project(tmp_path / "config.yaml")
    assert {name: len(table) for name, table in tables.items()} == {"people": 240, "orders": 900}
    assert [str(key) for key in schema.foreign_keys] == ["orders(customer) → people(id)"]
    config["datasets"][0].pop("table_in_file")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(DataError, match="several tables: customers, orders"):
        load_project(tmp_path / "config.yaml")


def test_declared_keys_hold_in_a_configuration(tmp_path: Path) -> None:
    sqlite_shop(tmp_path / "shop.sqlite")
    target = {"target_table": "customers", "target_column": "left", "cutoff_column": "seen"}
    named = [{"name": name, "path": "shop.sqlite"} for name in ("customers", "orders")]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"target": target, "datasets": named}))
    _, tables, schema, _ = load_project(tmp_path / "config.yaml")
    assert dict(tables.declared.primary_keys) == {"customers": ("id",), "orders": ("order",)}
    assert schema.foreign_keys == tables.declared.foreign_keys
