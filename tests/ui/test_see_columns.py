"""The view of columns names a strongest one only where its picture may be read as importance."""

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from nexusflow.explain.baseline import Baseline
from nexusflow.explain.explanation import DeletionCheck
from nexusflow.services.columns import ColumnTrust
from nexusflow.services.views import ColumnAttribution
from ui import see_columns

SCORES = pd.DataFrame({"role": ["books", "loans"], "column": ["year", "days"], "strength": [0.4, 0.1]})


def drawn() -> None:
    from types import SimpleNamespace

    from nexusflow.data.task import Part
    from ui import see_columns

    insight = SimpleNamespace(
        run_id="r", sampled_part=Part.TEST, trained=SimpleNamespace(preprocessing=SimpleNamespace(task=None))
    )
    see_columns.show_columns(insight)


def trusted(*, matters: bool, faithful: bool) -> ColumnTrust:
    empty: Any = pd.DataFrame({"name": [], "shown": [], "change": [], "cost": [], "cost_error": []})
    check = DeletionCheck(
        frame=empty,
        curves=pd.DataFrame(
            {
                name: [0.0, 1.0]
                for name in ("share", "deletion", "deletion_random", "insertion", "insertion_random")
            }
        ),
        agreement=0.0,
        comprehensiveness=0.0,
        sufficiency=0.0,
        matters=matters,
        rows=9,
        faithful=faithful,
        sentence="said",
    )
    return ColumnTrust(check=check, infidelity=0.1, infidelity_random=1.0, sensitivity=0.1)


@pytest.mark.parametrize(
    ("matters", "faithful", "named"), [(True, True, 1), (True, False, 0), (False, False, 0)]
)
def test_a_strongest_is_named_only_where_the_picture_can_be_trusted(
    monkeypatch: pytest.MonkeyPatch, matters: bool, faithful: bool, named: int
) -> None:
    found = ColumnAttribution(frame=SCORES, relative_gap=0.01, rows=9)
    monkeypatch.setattr(see_columns, "choose", lambda insight: (Baseline.MISSING, 64))
    monkeypatch.setattr(see_columns, "computed", lambda *given: found)
    monkeypatch.setattr(see_columns, "unit", lambda task: "the chance")
    monkeypatch.setattr(see_columns.state, "is_wanted", lambda wanted: True)
    told = trusted(matters=matters, faithful=faithful)
    monkeypatch.setattr(see_columns, "column_trust", lambda insight, **given: told)
    for name in ("show_chart", "csv_button"):
        monkeypatch.setattr(see_columns, name, lambda *given, **more: None)
    monkeypatch.setattr(see_columns, "show_check", lambda check, **given: SimpleNamespace())
    page = AppTest.from_function(drawn).run()
    assert not page.exception, [e.message for e in page.exception]
    assert sum("The strongest is `books: year`" in m.value for m in page.markdown) == named
