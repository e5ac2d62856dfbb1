"""Laws of the time that a training takes where nobody says."""

from hypothesis import given
from hypothesis import strategies as st
from stand_in import QUICK, fake_reader

from nexusflow.train.budget import MOST_EPOCHS, ROLE_ROWS, settle, usual_epochs

ROWS, ROLES = st.integers(0, 10**9), st.integers(1, 12)


@given(ROWS, ROLES)
def test_epochs_fall_with_the_work_and_stay_in_bounds(rows: int, roles: int) -> None:
    epochs = usual_epochs(rows, roles)
    assert 1 <= epochs <= MOST_EPOCHS
    assert usual_epochs(2 * rows, roles) <= epochs
    assert usual_epochs(rows, roles + 1) <= epochs


@given(st.integers(ROLE_ROWS // MOST_EPOCHS, ROLE_ROWS))
def test_between_the_bounds_the_work_is_the_same(rows: int) -> None:
    assert abs(rows * usual_epochs(rows, 1) - ROLE_ROWS) <= rows


def test_what_the_user_says_stands() -> None:
    reader = fake_reader(rows=50)
    assert settle(QUICK, reader).epochs == 3
    assert settle(QUICK.model_copy(update={"epochs": None}), reader).epochs == MOST_EPOCHS
