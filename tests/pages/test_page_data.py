from collections.abc import Callable

from hostile_shop import assert_only_text, shop_files
from streamlit.testing.v1 import AppTest

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
