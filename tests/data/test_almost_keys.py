"""Keys that a few copies spoil are told, with the row at which to look."""

import pandas as pd
import pytest

from nexusflow.data.checks import check_schema
from nexusflow.data.infer import propose
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import Problem

BOOKS = [f"978-{n:04}" for n in range(40)]


def told(isbns: list[str | None], lent: list[str]) -> list[Problem]:
    frames = {
        "books": pd.DataFrame({"isbn": isbns, "shelf": [n % 5 for n in range(len(isbns))]}),
        "loans": pd.DataFrame({"loan_id": range(len(lent)), "book": lent}),
    }
    tables = TableSet(tables={name: Table(name=name, frame=frame) for name, frame in frames.items()})
    found = check_schema(tables, propose(tables).schema)
    return [problem for problem in found if problem.code == "almost-key"]


def test_copies_that_keep_two_tables_apart_are_told() -> None:
    [problem] = told([*BOOKS, BOOKS[3], BOOKS[3]], BOOKS * 3)
    assert (problem.table, problem.column, problem.row) == ("books", "isbn", 41)
    assert "loans.book refers to" in problem.message
    assert "2 rows repeat that of an earlier row, the first '978-0003'" in problem.message


def test_gaps_are_told_as_well() -> None:
    [problem] = told([*BOOKS, None], BOOKS * 3)
    assert "1 row has none" in problem.message and problem.row == 41


@pytest.mark.parametrize(
    ("isbns", "lent"),
    [
        (BOOKS, BOOKS * 3),
        (BOOKS + BOOKS, BOOKS * 3),
        ([*BOOKS, BOOKS[3]], [f"other-{n}" for n in range(120)]),
    ],
    ids=["unique", "no key at all", "nobody refers to it"],
)
def test_nothing_is_told_of_sound_keys_and_of_what_is_none(isbns: list[str | None], lent: list[str]) -> None:
    assert told(isbns, lent) == []
