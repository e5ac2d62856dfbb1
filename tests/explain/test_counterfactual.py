"""Laws of the smallest change: it crosses when made by hand, nothing of it can be left out, and it stays plausible."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import DataError
from nexusflow.explain.copies import Copies
from nexusflow.explain.counterfactual import SearchStopped, _Line, _Search, smallest_changes
from nexusflow.explain.cut_down import cut_down
from nexusflow.explain.domains import domain, value_of
from nexusflow.explain.explanation import CellChange, Edit, Flips, Wish
from nexusflow.explain.what_if import what_if
from nexusflow.train.predictor import predict_logits

ALLOWED = {"customers": ("age", "plan"), "orders": ("amount", "channel"), "items": ("price", "kind")}
Opened = tuple[TrainedModel, Reader]


def by_hand(opened: Opened, index: int, changes: tuple[CellChange, ...]) -> float:
    """The probability of class 1, predicted of whole tables in which the cells were overwritten."""
    trained, reader = opened
    frames = {name: table.frame.copy() for name, table in reader.tables.items()}
    for change in changes:
        assert frames[change.table][change.column].iloc[change.row] == change.before or pd.isna(change.before)
        frames[change.table].loc[change.row, change.column] = change.after
    tables = TableSet(tables={name: Table(name=name, frame=frame) for name, frame in frames.items()})
    whole = Reader(reader.preprocessing, tables, reader.examples)
    return float(trained.preprocessing.unscale(predict_logits(trained.model, whole, np.array([index])))[0])


@pytest.fixture(scope="module")
def said(opened: Opened) -> np.ndarray:
    trained, reader = opened
    return trained.preprocessing.unscale(predict_logits(trained.model, reader, np.arange(len(reader))))


@pytest.fixture(scope="module")
def searched(opened: Opened, said: np.ndarray) -> list[tuple[int, Wish, Flips]]:
    """A few rows on either side, each to be taken across."""
    rows = [*np.flatnonzero((said > 0.5) & (said < 0.9))[:3], *np.flatnonzero(said < 0.5)[:3]]
    asked = [(int(row), Wish(output=int(said[row] < 0.5))) for row in rows]
    return [(row, wish, smallest_changes(*opened, row, wish, ALLOWED)) for row, wish in asked]


def crosses(wish: Wish, probability: float) -> bool:
    return (probability if wish.output else 1 - probability) > wish.line


def test_copies_say_what_edited_tables_say(opened: Opened) -> None:
    """Rows without a key among them, whose order is that of what they hold."""
    trained, reader = opened
    rng, names = np.random.default_rng(1), list(reader.roles)
    for index in range(0, 40, 5):
        read = reader.context(np.array([index])).row_BTS[0]
        states = []
        for _ in range(9):
            state = {}
            for role, rows in zip(names, read, strict=True):
                for row in rows[rows >= 0]:
                    for column in ALLOWED.get(role.table, ()):
                        held = domain(reader, role.table, column)
                        if rng.random() < 0.3:
                            state[role.table, int(row), column] = held.values[rng.integers(len(held.values))]
            states.append(state)
        logits = Copies(trained, reader.tables, cut_down(reader, index)).logits(states)
        for state, logit in zip(states, logits, strict=True):
            edits: dict[str, dict] = {}
            for (table, row, column), value in state.items():
                edits.setdefault(table, {}).setdefault(row, {})[column] = value.held
            edits = {table: Edit(changed=changed) for table, changed in edits.items()}
            _, alone = what_if(trained, reader, index, edits)
            np.testing.assert_allclose(logit, alone.logit_O, atol=2e-6)


def test_every_change_crosses_when_it_is_made_by_hand(opened: Opened, searched) -> None:
    assert sum(len(flips.found) for _, _, flips in searched) >= 6
    for row, wish, flips in searched:
        for flip in flips.found:
            probability = by_hand(opened, row, flip.changes)
            assert crosses(wish, probability)
            assert flip.value == pytest.approx(probability if wish.output else 1 - probability, abs=1e-5)
            assert flip.says == wish.output


def test_no_changed_cell_can_be_left_as_it_was(opened: Opened, searched) -> None:
    for row, wish, flips in searched:
        assert not crosses(wish, by_hand(opened, row, ()))
        for flip in flips.found:
            for left in range(len(flip.changes)):
                rest = flip.changes[:left] + flip.changes[left + 1 :]
                assert not crosses(wish, by_hand(opened, row, rest))


def test_only_allowed_cells_of_rows_that_are_read_change_and_within_what_was_seen(
    opened: Opened, searched
) -> None:
    _, reader = opened
    for row, _, flips in searched:
        context = reader.context(np.array([row])).row_BTS[0]
        for flip in flips.found:
            for change in flip.changes:
                assert change.column in ALLOWED[change.table]
                roles = [t for t, role in enumerate(reader.roles) if role.table == change.table]
                assert change.row in context[roles]
                values = reader.tables[change.table].column(change.column)
                if pd.api.types.is_numeric_dtype(values):
                    seen = values[np.isfinite(values)]
                    assert seen.min() <= change.after <= seen.max()
                else:
                    assert change.after in set(values)
                if change.column == "age":
                    assert float(change.after).is_integer()


def test_answers_are_of_different_columns_and_the_fewest_cells_come_first(searched) -> None:
    assert max(len(flips.found) for _, _, flips in searched) >= 2
    for _, _, flips in searched:
        columns = [flip.columns for flip in flips.found]
        assert not any(a <= b for i, a in enumerate(columns) for j, b in enumerate(columns) if i != j)
        sizes = [(len(flip.changes), flip.distance) for flip in flips.found]
        assert sizes == sorted(sizes) and len(flips.found) <= 3


def test_a_number_is_drawn_back_as_far_as_the_line_allows(opened: Opened, searched) -> None:
    """A fiftieth of the way back, or a step of the search, and the answer is on its old side."""
    seen = 0
    for row, wish, flips in searched:
        search = _Search(
            *opened, row, _Line(opened[0], wish), ALLOWED, 4000, lambda: False, lambda share: None
        )
        for flip in flips.found:
            change = flip.changes[0]
            if len(flip.changes) == 1 and change.column == "amount" and np.isfinite(change.before):
                way = change.after - change.before
                step = search.domains[change.table, change.row, change.column].step
                back = max(0.02 * abs(way), 1.01 * step)
                if back >= abs(way):
                    continue
                less = replace(change, after=change.after - np.sign(way) * back)
                seen += 1
                assert not crosses(wish, by_hand(opened, row, (less,)))
    assert seen


def test_what_is_not_needed_is_left_out(opened: Opened, searched) -> None:
    """A flip of one cell beside others that do next to nothing."""
    row, wish, flips = next(one for one in searched if one[2].found and len(one[2].found[0].changes) == 1)
    search = _Search(*opened, row, _Line(opened[0], wish), ALLOWED, 4000, lambda: False, lambda share: None)
    (change,) = flips.found[0].changes
    needed = (change.table, change.row, change.column)
    furthest = max(search.domains[needed].values, key=lambda value: search.over([{needed: value}])[0])
    others = [cell for cell in search.before if cell[2] in ("channel", "kind") and cell != needed][:3]
    wide = {needed: furthest}
    for cell in others:
        values = [v for v in search.domains[cell].values if v.read != search.before[cell].read]
        wide[cell] = max(
            values, key=lambda value, cell=cell: search.over([{needed: furthest, cell: value}])[0]
        )
    assert len(wide) > 2 and search.over([wide])[0] > 0
    assert len(search._drawn_back(wide)) == 1


def test_the_same_is_found_every_time(opened: Opened, searched) -> None:
    row, wish, flips = searched[0]
    assert smallest_changes(*opened, row, wish, ALLOWED) == flips


def test_a_row_beyond_the_line_needs_no_change(opened: Opened, said: np.ndarray) -> None:
    row = int(np.flatnonzero(said > 0.5)[0])
    flips = smallest_changes(*opened, row, Wish(output=1, line=0.5), ALLOWED)
    assert flips.already and not flips.found and flips.nearest is None and flips.asked == 0
    assert flips.value == pytest.approx(said[row], abs=1e-6)


def test_where_nothing_crosses_the_nearest_is_told(opened: Opened, said: np.ndarray) -> None:
    row = int(said.argmin())
    flips = smallest_changes(*opened, row, Wish(output=1, line=0.999999), {"customers": ("age", "plan")})
    assert not flips.found and not flips.already and not flips.spent
    assert flips.nearest is not None and flips.value < flips.nearest.value < 0.999999
    assert by_hand(opened, row, flips.nearest.changes) == pytest.approx(flips.nearest.value, abs=1e-5)
    nothing = smallest_changes(*opened, row, Wish(output=1), {"customers": ()})
    assert nothing.cells == 0 and nothing.nearest is None and not nothing.found


def test_the_budget_is_kept_and_said(opened: Opened, said: np.ndarray) -> None:
    row = int(said.argmin())
    shares: list[float] = []
    flips = smallest_changes(
        *opened, row, Wish(output=1, line=0.9999999), ALLOWED, budget=100, on_progress=shares.append
    )
    assert flips.spent and not flips.found and flips.asked < 100 + 600
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_it_stops_when_asked_to(opened: Opened, said: np.ndarray) -> None:
    asked = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(SearchStopped):
        smallest_changes(*opened, int(said.argmin()), Wish(output=1, line=0.9999), ALLOWED, should_stop=stop)
    assert len(asked) == 3


@pytest.mark.parametrize("wish", [Wish(output=2), Wish(output=1, line=1.0), Wish(output=0, line=0.0)])
def test_a_line_that_nothing_can_cross_is_refused(opened: Opened, wish: Wish) -> None:
    with pytest.raises(DataError):
        smallest_changes(*opened, 0, wish, ALLOWED)


def test_keys_and_times_have_no_values_to_choose_from(opened: Opened) -> None:
    _, reader = opened
    assert domain(reader, "orders", "when") is None and domain(reader, "orders", "customer") is None
    age = domain(reader, "customers", "age")
    ages = set(reader.tables["customers"].column("age").dropna())
    assert age.step == 1.0 and {value.held for value in age.values} <= ages
    between = age.between(age.values[0], age.values[-1], np.arange(1, 12) / 12)
    assert between and all(float(value.held).is_integer() for value in between)
    cell = reader.tables["customers"].column("plan").iloc[[0]]
    assert value_of(reader, "customers", "plan", cell) in domain(reader, "customers", "plan").values
