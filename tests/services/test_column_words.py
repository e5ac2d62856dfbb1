"""What is said of columns where hiding all of them costs nothing."""

import pandas as pd
import pytest

from nexusflow.explain.explanation import DeletionCheck
from nexusflow.services.columns import ROWS_THEMSELVES, of_columns

NOTHING = "Nothing that the model reads makes its answers better."


def check(matters: bool) -> DeletionCheck:
    return DeletionCheck(
        frame=pd.DataFrame(),
        curves=pd.DataFrame(),
        agreement=float("nan"),
        comprehensiveness=0.0,
        sufficiency=0.0,
        matters=matters,
        rows=10,
        faithful=matters,
        sentence="It costs 0.2." if matters else NOTHING,
    )


@pytest.mark.parametrize(
    ("columns_matter", "tables_matter", "sentence"),
    [
        (True, True, "It costs 0.2."),
        (False, True, ROWS_THEMSELVES),
        (False, False, NOTHING),
    ],
)
def test_that_nothing_matters_is_said_only_where_hiding_whole_tables_costs_nothing_either(
    columns_matter: bool, tables_matter: bool, sentence: str
) -> None:
    told = of_columns(check(columns_matter), lambda: tables_matter)
    assert (told.sentence, told.matters) == (sentence, columns_matter)


def test_tables_are_not_asked_where_columns_matter() -> None:
    def asked() -> bool:
        raise AssertionError("asked of the tables")

    assert of_columns(check(True), asked).matters
