from collections.abc import Callable

from hostile_shop import COLUMN, assert_only_text
from streamlit.testing.v1 import AppTest

from nexusflow.data.task import TaskKind
from nexusflow.services.workspace import Workspace

OpenPage = Callable[[str], AppTest]


def asked(page: AppTest, workspace: Workspace, table: str, column: str) -> AppTest:
    """The page with this target chosen."""
    page.selectbox(key="target_table").select(table).run()
    place = list(workspace.tables()).index(table)
    page.selectbox(key=f"target_column_{place}").select(column).run()
    return page


def test_a_question_is_stated_and_saved(open_page: OpenPage, shop: Workspace) -> None:
    page = asked(open_page("task"), shop, "people", "left")
    assert any("predict whether `left` is `yes` rather than `no`" in m.value for m in page.markdown)
    page.button(key="save_task").click().run()
    task = shop.task()
    assert task is not None
    assert (task.entity_table, task.target_column, task.kind) == ("people", "left", TaskKind.BINARY)
    assert page.title[0].value == "Model"


def test_what_was_saved_is_shown_again(open_page: OpenPage, shop: Workspace) -> None:
    page = asked(open_page("task"), shop, "people", "left")
    page.multiselect(key="hidden_columns").set_value([("people", "region")]).run()
    page.number_input(key="test_size").set_value(0.3).run()
    page.button(key="save_task").click().run()
    before = shop.task()
    page = open_page("task")
    assert page.multiselect(key="hidden_columns").value == [("people", "region")]
    assert any("Saved" in m.value for m in page.markdown)
    page.button(key="save_task").click().run()
    assert shop.task() == before


def test_a_target_that_cannot_be_asked_is_told(open_page: OpenPage, shop: Workspace) -> None:
    page = asked(open_page("task"), shop, "people", "joined")
    assert page.error
    assert not [b for b in page.button if b.key == "save_task"]


def test_a_cutoff_that_leaves_no_history_is_told(open_page: OpenPage, workspace: Workspace) -> None:
    people = [f"P{n:03d},2022-{n % 12 + 1:02d}-01,{'yes' if n % 4 == 0 else 'no'}" for n in range(120)]
    orders = [f"O{n},P{n % 120:03d},2023-{n % 12 + 1:02d}-02,{n % 7}" for n in range(360)]
    workspace.add_files(
        [
            ("people.csv", "\n".join(["person_id,joined,left", *people]).encode()),
            ("orders.csv", "\n".join(["order_id,person_id,placed,amount", *orders]).encode()),
        ]
    )
    page = asked(open_page("task"), workspace, "people", "left")
    place = list(workspace.tables()).index("people")
    page.selectbox(key=f"cutoff_{place}").select("joined").run()
    (told,) = [w.value.replace("\\", "") for w in page.warning if "by their cutoff" in w.value]
    assert "0% of the rows have any row of 'orders'" in told and "another cutoff column" in told
    page.selectbox(key=f"cutoff_{place}").select(None).run()
    assert not [w for w in page.warning if "by their cutoff" in w.value]


def test_hostile_names_are_only_text_in_the_question(open_page: OpenPage, hostile_shop: Workspace) -> None:
    table = next(name for name in hostile_shop.tables() if name != "orders")
    column = next(c.name for c in hostile_shop.schema()[table].columns if c.name.startswith(COLUMN[:3]))
    page = asked(open_page("task"), hostile_shop, table, column)
    assert_only_text(page)
    assert any("of 3 classes" in m.value for m in page.markdown)
