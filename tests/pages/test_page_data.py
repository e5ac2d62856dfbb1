import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_shop import assert_only_text, shop_files
from shop_database import SHOP
from streamlit.testing.v1 import AppTest

from nexusflow.data.schema import Kind
from nexusflow.services import connect
from nexusflow.services.workspace import Workspace

OpenPage = Callable[[str], AppTest]


def test_one_click_opens_the_sample(open_page: OpenPage, workspace: Workspace) -> None:
    page = open_page("data")
    page.button(key="sample_churn").click().run()
    assert not page.exception
    assert "customers" in workspace.tables()
    assert [toast.value for toast in page.toast] == ["Customer churn is open."]
    assert page.selectbox(key="data_table").value in workspace.tables()


def test_uploaded_files_become_tables_once_and_bad_ones_are_told(
    open_page: OpenPage, workspace: Workspace
) -> None:
    page = open_page("data")
    files = [(name, content, "text/csv") for name, content in shop_files("people", "region")]
    page.file_uploader[0].set_value(
        [*files, ("broken.parquet", b"no parquet", "application/octet-stream")]
    ).run()
    assert not page.exception
    assert set(workspace.tables()) == {"people", "orders"}
    assert any("`broken.parquet`" in box.value for box in page.error)
    assert not page.file_uploader[0].value


def test_a_table_is_removed_after_being_asked_for(open_page: OpenPage, shop: Workspace) -> None:
    page = open_page("data")
    page.selectbox(key="data_table").select("orders").run()
    page.button(key="remove_table").click().run()
    assert set(shop.tables()) == {"people"}
    assert not page.exception


def test_hostile_names_are_only_text(open_page: OpenPage, hostile_shop: Workspace) -> None:
    page = open_page("data")
    for name in hostile_shop.tables():
        page.selectbox(key="data_table").select(name).run()
        assert_only_text(page)


def press(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def test_a_table_is_renamed_and_looked_at(open_page: OpenPage, shop: Workspace) -> None:
    page = open_page("data")
    page.selectbox(key="data_table").select("orders").run()
    page.text_input(key="new_name_orders").input("purchases").run()
    page.button(key="rename_table").click().run()
    assert not page.exception and set(shop.tables()) == {"people", "purchases"}
    assert page.selectbox(key="data_table").value == "purchases"


def test_every_column_is_profiled_and_kinds_can_be_changed(open_page: OpenPage, shop: Workspace) -> None:
    page = open_page("data")
    page.selectbox(key="data_table").select("people").run()
    told = next(frame.value for frame in page.dataframe if "Distribution" in frame.value)
    assert told["Column"].tolist() == ["person_id", "age", "region", "joined", "left"]
    assert told["Kind"].tolist() == ["Key", "Number", "Category", "Time", "Category"]
    assert told["Different"].tolist()[:3] == ["120", "50", "3"] and len(told["Distribution"].iloc[1]) == 20
    assert not shop.schema_accepted()
    shop.set_kind("people", "age", Kind.IGNORED)
    assert shop.schema()["people"]["age"].kind is Kind.IGNORED and not shop.schema_accepted()
    shop.save_schema(shop.schema())
    shop.set_kind("people", "age", Kind.NUMERIC)
    assert shop.schema_accepted()


def test_a_database_is_opened_its_tables_chosen_and_its_address_forgotten(
    open_page: OpenPage, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    with sqlite3.connect(folder / "shop.db") as connection:
        connection.executescript(SHOP)
    connection.close()
    monkeypatch.setenv("NEXUSFLOW_DATA_FOLDER", str(folder))
    page = open_page("data")
    next(c for c in page.segmented_control if "way" in str(c.key)).set_value("Address").run()
    field = next(f for f in page.text_input if "address" in str(f.key))
    for address in (
        "sqlite:////etc/passwd",
        "sqlite:///../shop.db",
        "postgresql://a:hush-tiger@127.0.0.1:1/x",
    ):
        field.input(address)
        page = press(page, "Connect")
        assert page.error and not any("hush-tiger" in box.value for box in page.error)
        field = next(f for f in page.text_input if "address" in str(f.key))
    field.input("sqlite:///shop.db?cache=hush-tiger")
    page = press(page, "Connect")
    page.multiselect(key="database_tables").set_value(["customer", "region"]).run()
    page = press(page, "Read 2 tables")
    assert not page.exception and set(workspace.tables()) == {"customer", "region"}
    assert len(workspace.schema().foreign_keys) == 3
    assert "hush-tiger" not in repr(page.session_state)
    assert any(button.label == "Connect" for button in page.button)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and b"hush-tiger" in p.read_bytes()]


def test_files_of_the_server_are_opened_by_name(
    open_page: OpenPage, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "big.csv").write_text("a,b\n1,2\n")
    monkeypatch.setenv("NEXUSFLOW_DATA_FOLDER", str(tmp_path / "served"))
    assert any("open them from the server folder" in c.value for c in open_page("data").caption)
    monkeypatch.delenv("NEXUSFLOW_DATA_FOLDER")
    assert any("NEXUSFLOW_DATA_FOLDER" in c.value for c in open_page("data").caption)
    monkeypatch.setenv("NEXUSFLOW_DATA_FOLDER", str(tmp_path / "served"))
    page = open_page("data")
    page.multiselect(key="folder_files").set_value(["big.csv"]).run()
    page.button(key="open_folder").click().run()
    assert not page.exception and list(workspace.tables()) == ["big"]


def test_the_form_says_what_is_missing_and_what_is_not_tested(
    open_page: OpenPage, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "find_spec", lambda name: None if name == "pymysql" else object())
    page = open_page("data")
    kind = next(s for s in page.selectbox if "kind" in str(s.key))
    assert kind.options == ["PostgreSQL", "MySQL or MariaDB"]
    assert not any("not installed" in c.value or "is tested with" in c.value for c in page.caption)
    kind.select("MySQL or MariaDB").run()
    told = " ".join(caption.value for caption in page.caption)
    assert "needs the package pymysql" in told and "tested with PostgreSQL and SQLite, not with MySQL" in told
    assert [n.value for n in page.number_input if "port" in str(n.key)] == [3306]
    monkeypatch.setattr(connect, "find_spec", lambda name: None)
    assert connect.caveats("PostgreSQL") == (
        "PostgreSQL needs the package psycopg, which is not installed where NexusFlow runs.",
    )


def test_the_form_makes_an_address_of_its_fields() -> None:
    made = connect.database_with(
        "MySQL or MariaDB", host=" db.example ", port=3307, database="shop", user="ann", password="p@ss:/word"
    )
    assert made.label == "mysql://db.example:3307/shop"
    assert "p@ss" not in repr(made)
