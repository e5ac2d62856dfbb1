import json

import numpy as np
import pandas as pd

from ui.grid import grid_options, printable

FRAME = pd.DataFrame(
    {
        "number": [1.5, np.nan],
        "whole": pd.array([1, None], dtype="Int64"),
        "flag": [True, False],
        "category": pd.Categorical(["a", None]),
        "list": [[1, 2], [3]],
        "day": pd.to_datetime(["2024-01-01", None]),
        "moment": pd.to_datetime(["2024-01-01 10:30", "2024-01-02 00:00"]),
        "text": ["x" * 1000, None],
    }
)


def test_every_column_becomes_something_json_can_hold() -> None:
    shown = printable(FRAME)
    assert list(shown.columns) == list(FRAME.columns)
    assert shown["category"].tolist()[0] == "a"
    assert shown["list"].tolist() == ["[1, 2]", "[3]"]
    assert shown["day"].tolist()[0] == "2024-01-01"
    assert shown["moment"].tolist() == ["2024-01-01 10:30:00", "2024-01-02"]
    assert len(shown["text"].iloc[0]) == 300
    assert shown[["category", "day", "text"]].iloc[1].isna().all()
    assert not any(isinstance(dtype, pd.CategoricalDtype) for dtype in shown.dtypes)
    json.loads(shown.to_json(orient="records"))


def test_names_stay_apart_and_dots_are_no_paths() -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=["a.b", "a.b", 7])
    shown = printable(frame)
    assert list(shown.columns) == ["a.b", "a.b (2)", "7"]
    options = grid_options(shown)
    assert options["suppressFieldDotNotation"] is True
    assert [column["field"] for column in options["columnDefs"]] == list(shown.columns)


def test_a_table_without_columns_is_drawn_empty() -> None:
    assert printable(pd.DataFrame(index=range(3))).shape == (3, 0)


def test_columns_share_the_width_of_a_grid_that_is_drawn_hidden() -> None:
    usual = grid_options(FRAME[["number"]])["defaultColDef"]
    assert isinstance(usual, dict) and usual["flex"] == 1 and usual["minWidth"] >= 100
