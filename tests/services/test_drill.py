"""From a cell of the attention map down to columns and rows, and whether a map ranks tables as hiding them does."""

import numpy as np
import pandas as pd
import pytest
from report_shop import trained_shop

from nexusflow.errors import DataError
from nexusflow.explain.baseline import Baseline
from nexusflow.services.drill import moved_by_column, moved_by_row, role_path
from nexusflow.services.insight import Insight
from nexusflow.services.map_trust import MUCH, ROUGHLY, map_agreement, map_sentence


@pytest.fixture(scope="module")
def insight(tmp_path_factory):
    return Insight.open(*trained_shop(tmp_path_factory.mktemp("home")))


def test_a_role_is_reached_by_the_keys_on_its_path(insight):
    assert role_path(insight, insight.roles[0]) == ()
    assert role_path(insight, "orders") == ("orders.customer → customers.id",)
    for name, role in zip(insight.roles, insight.reader.roles, strict=True):
        assert len(role_path(insight, name)) == role.hops
    with pytest.raises(DataError, match="no table role"):
        role_path(insight, "nothing")


@pytest.mark.parametrize("baseline", [Baseline.MISSING, Baseline.MEAN])
def test_columns_and_rows_sum_to_what_the_role_moved(insight, baseline):
    row = int(insight.sample(1)[0])
    scores = insight.attribution(row, baseline=baseline).frame
    for role in insight.roles:
        of_role = scores[scores["role"] == role]
        columns = moved_by_column(insight, row, role, baseline=baseline)
        assert columns["column"].is_unique and columns["score"].abs().is_monotonic_decreasing
        assert columns["score"].sum() == pytest.approx(of_role["score"].sum(), abs=1e-9)
        rows, read = moved_by_row(insight, row, role, baseline=baseline), insight.related(row, role)
        cells = of_role.loc[of_role["slot"] >= 0, "score"].sum()
        assert rows["score"].sum() == pytest.approx(cells, abs=1e-9)
        assert rows.drop(columns="score").equals(read)


def test_a_map_made_of_the_changes_themselves_can_be_read_as_importance(insight):
    change = insight.faithfulness().frame.set_index("name")["change"].reindex(insight.roles)
    names = list(insight.roles)
    as_hiding = pd.DataFrame(np.tile(change, (len(names), 1)), index=names, columns=names)
    if len(names) < 3:
        assert np.isnan(map_agreement(insight, as_hiding))
    else:
        assert map_agreement(insight, as_hiding) == pytest.approx(1.0)
        assert map_agreement(insight, 1 - as_hiding) == pytest.approx(-1.0)
    # Columns are compared, whatever their lines hold where a role is absent.
    holes = as_hiding.mask(np.eye(len(names), dtype=bool))
    assert map_agreement(insight, holes) == pytest.approx(map_agreement(insight, as_hiding), nan_ok=True)


def test_the_sentence_says_what_the_figure_allows():
    said = [map_sentence(figure, 9) for figure in (-0.3, ROUGHLY, MUCH, 1.0)]
    assert ["do not read" in one for one in said] == [True, False, False, False]
    assert ["can be read as importance" in one for one in said] == [False, False, True, True]
    assert "with care" in said[1] and "-0.30" in said[0]
    assert "importance" not in map_sentence(0.9, 9, is_importance=False)
    assert "cannot be told" in map_sentence(float("nan"), 9)
    assert "no map" in map_sentence(1.0, 9, matters=False)
    assert "by chance" in map_sentence(1.0, 3) and "with care" in map_sentence(1.0, 3)
    assert "by chance" not in map_sentence(-1.0, 3)
