"""How a schema is drawn and how it came about, on disk."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from small_shop import SCHEMA, as_files, shop_frames

from nexusflow.data.schema import Schema
from nexusflow.services.drawing import DRAWING_FILE, Drawing
from nexusflow.services.history import Sheet
from nexusflow.services.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open("drawing-tests-01", tmp_path)
    workspace.add_files(as_files(shop_frames()))
    workspace.save_schema(SCHEMA)
    return workspace


def undo(workspace: Workspace) -> None:
    def back(schema: Schema, drawing: Drawing) -> tuple[Schema, Drawing]:
        history, sheet = drawing.history.undo(drawing.sheet(schema))
        return sheet.schema, replace(drawing.with_sheet(sheet), history=history)

    workspace.redraw(back)


def test_whatever_saves_a_schema_can_be_taken_back(workspace: Workspace) -> None:
    without = replace(SCHEMA, foreign_keys=())
    workspace.save_schema(without)
    assert workspace.schema() == without
    undo(workspace)
    assert workspace.schema() == SCHEMA


def test_saving_what_is_already_said_is_no_step(workspace: Workspace) -> None:
    before = workspace.drawing()
    workspace.save_schema(SCHEMA)
    assert workspace.drawing() == before


def test_undo_leaves_out_what_is_gone_since(workspace: Workspace) -> None:
    workspace.save_schema(replace(SCHEMA, foreign_keys=()))
    workspace.remove_table("customers")
    undo(workspace)
    assert workspace.schema().foreign_keys == ()
    assert "customers" not in workspace.schema().tables


def test_another_sample_begins_a_new_drawing(workspace: Workspace) -> None:
    workspace.redraw(lambda schema, drawing: (schema, replace(drawing, places={"orders": (1.0, 2.0)})))
    workspace.open_sample("churn")
    assert workspace.drawing() == Drawing()


def test_a_broken_drawing_is_begun_anew(workspace: Workspace) -> None:
    (workspace.folder / DRAWING_FILE).write_text('{"places": 3}')
    assert workspace.drawing() == Drawing()


def test_looking_does_not_accept_a_proposal(tmp_path: Path) -> None:
    workspace = Workspace.open("drawing-tests-02", tmp_path)
    workspace.add_files(as_files(shop_frames()))
    workspace.redraw(lambda schema, drawing: (schema, replace(drawing, view=(0.0, 0.0, 1.0))))
    assert workspace.drawing().view == (0.0, 0.0, 1.0)
    assert not workspace.schema_accepted()


def test_tabs_that_draw_at_the_same_time_lose_nothing(workspace: Workspace) -> None:
    def place(number: int) -> None:
        workspace.redraw(lambda s, d: (s, replace(d, places={**d.places, f"t{number}": (number, number)})))

    with ThreadPoolExecutor(8) as tabs:
        list(tabs.map(place, range(40)))
    assert len(workspace.drawing().places) == 40


def test_a_step_taken_twice_is_taken_once(workspace: Workspace) -> None:
    before, after = Sheet(schema=SCHEMA), Sheet(schema=replace(SCHEMA, foreign_keys=()))
    from nexusflow.services.history import applied, difference

    step = difference(before, after)
    assert applied(applied(before, step), step) == applied(before, step) == after
