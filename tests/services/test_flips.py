"""The smallest change as a service: of every kind of question, what may change, and how it gets into the editor."""

import numpy as np
import pandas as pd
import pytest
from small_shop import shop_task
from test_insight import trained

from nexusflow.explain.explanation import Wish
from nexusflow.services.counterfactual import changeable, find_flips, flip_frame, usual_wish
from nexusflow.services.what_if import ask, edit_of, editable, fixed_columns, with_changes


@pytest.fixture(scope="module", params=["left", "size", "spend"])
def insight(tmp_path_factory, request):
    return trained(tmp_path_factory.mktemp("shop"), shop_task(request.param))


@pytest.fixture(scope="module")
def row(insight):
    """An example that reads two orders at least."""
    return next(
        int(r) for r in insight.rows()["row"] if len(editable(insight, int(r), insight.roles[1])) >= 2
    )


def value(insight, row: int, edits, output: int) -> float:
    """The probability of a class, or the value."""
    from nexusflow.explain.what_if import what_if

    said = what_if(insight.trained, insight.reader, row, edits)[1].value_O
    if len(insight.reader.preprocessing.task.classes) == 2:
        return float(said[0] if output else 1 - said[0])
    return float(said[output])


def nearby(insight, row: int) -> Wish:
    """A line that orders can be changed to cross: barely beyond what is said, or the class that is next."""
    task = insight.reader.preprocessing.task
    wish = usual_wish(insight, row)
    if task.kind == "multiclass":
        return wish
    now = value(insight, row, {}, wish.output)
    return Wish(output=wish.output, line=now + (0.001 if task.classes else 0.01))


def test_what_may_change_is_no_key_no_target_and_is_read(insight, row):
    may = changeable(insight, row)
    task, own = insight.reader.preprocessing.task, may[insight.roles[0]]
    assert list(may)[0] == insight.roles[0] and own[:2] == ("age", "plan")
    assert task.target_column not in own and not {"id", "seen"} & set(own)
    assert "amount" in may[insight.roles[1]]
    for role, columns in may.items():
        assert not set(columns) & set(fixed_columns(insight, role))


def test_the_usual_wish_is_not_granted_already(insight, row):
    flips = find_flips(insight, row, usual_wish(insight, row), {insight.roles[0]: ()})
    assert not flips.already and flips.cells == 0


def test_what_is_found_goes_through_the_editor_and_crosses(insight, row):
    wish = nearby(insight, row)
    flips = find_flips(insight, row, wish, changeable(insight, row))
    kind = insight.reader.preprocessing.task.kind
    assert flips.found or kind == "multiclass"
    for flip in flips.found or ([flips.nearest] if flips.nearest else []):
        edits = {}
        for role in insight.roles:
            table = insight.reader.layout.roles[insight.role_number(role)].table
            shown = editable(insight, row, role)
            start = with_changes(shown, table, flip.changes)
            assert (start.dtypes == shown.dtypes).all()
            edit = edit_of(shown, start, fixed_columns(insight, role))
            if edit:
                edits[table] = edit
        assert {t: dict(e.changed) for t, e in edits.items()} == {
            t: dict(e.changed) for t, e in flip.edits.items()
        }
        assert value(insight, row, edits, wish.output) == pytest.approx(flip.value, abs=1e-6)
        frame = flip_frame(flip)
        assert list(frame.columns) == ["table", "row", "column", "from", "to"]
        assert len(frame) == len(flip.changes) and (frame["row"] >= 1).all()
        if flips.found and kind == "multiclass":
            assert flip.says == wish.output
        elif flips.found:
            assert flip.value > wish.line
    assert ask(insight, row, {}).frame["before"].notna().all()


def test_below_is_the_other_side_of_a_value(insight, row):
    if insight.reader.preprocessing.task.kind != "regression":
        pytest.skip("only a value has two sides")
    now = value(insight, row, {}, 0)
    flips = find_flips(insight, row, Wish(line=now - 0.01, above=False), changeable(insight, row))
    assert flips.found and all(flip.value < now - 0.01 for flip in flips.found)
    assert find_flips(insight, row, Wish(line=now + 1, above=False), changeable(insight, row)).already


def test_a_category_that_the_shown_rows_lack_can_be_put_in():
    shown = pd.DataFrame({"row": [3, 8], "x": pd.Categorical(["a", "a"]), "n": np.array([1, 2])})
    from nexusflow.explain.explanation import CellChange

    changes = [
        CellChange(table="t", row=7, column="x", before="a", after="b"),
        CellChange(table="t", row=7, column="n", before=2, after=9),
        CellChange(table="other", row=2, column="n", before=1, after=5),
    ]
    frame = with_changes(shown, "t", changes)
    assert frame["x"].tolist() == ["a", "b"] and frame["n"].tolist() == [1, 9]
    assert shown["n"].tolist() == [1, 2]
