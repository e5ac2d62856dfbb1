"""What one row's tables are worth: kept with the run, told beside its contributions, the same wherever it is read."""

import base64
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from report_shop import trained_shop

from nexusflow.api import explain
from nexusflow.explain import shapley
from nexusflow.services.explained import explain_row
from nexusflow.services.insight import Insight
from nexusflow.services.report import gather
from nexusflow.services.report_html import charts, to_html
from nexusflow.services.shapley import agreement, method_words, row_shapley
from nexusflow.services.views import Contributions, RowShapley


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return trained_shop(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def insight(shop):
    return Insight.open(*shop)


def test_they_sum_to_the_output_and_are_kept_with_the_run(insight, monkeypatch):
    row = int(insight.sample(1)[0])
    found = row_shapley(insight, row)
    assert found.hidden + found.frame["value"].sum() == pytest.approx(found.output, abs=1e-6)
    assert found.output == pytest.approx(insight.contributions(row).output, abs=1e-5)
    assert tuple(found.frame["role"]) == insight.roles and found.orders == 0
    monkeypatch.setattr(shapley, "row_shapley", None)
    assert row_shapley(insight, row).frame.equals(found.frame)


def test_python_and_the_report_tell_them_too(shop, insight):
    row = int(insight.sample(1)[0])
    found, key = row_shapley(insight, row), explain_row(insight, row).key
    one = explain(shop[0].runs.folder(shop[1])).row(key)
    assert one.shapley.equals(found.frame) and one.hidden_output == found.hidden
    told = one.to_dict()
    assert [line["value"] for line in told["shapley"]] == found.frame["value"].tolist()
    assert told["agreement"] == one.agreement == agreement(insight.contributions(row), found).sentence
    labels = [label.get_text() for label in one.figure("shapley").axes[0].get_yticklabels()]
    assert labels[1:] == [*insight.roles[1:], "(all tables hidden)"]
    report = gather(insight, rows=(row,), worst=0, at_random=0)
    chart = next(chart for chart in charts(report) if chart.name == "shapley-0")
    kept = pd.read_csv(io.BytesIO(base64.b64decode(chart.csv)))
    assert kept["value"].sum() == pytest.approx(found.output, abs=1e-6)
    page = " ".join(to_html(report).decode().split())
    assert 'id="shapley-0-figure_1"' in page and method_words(found) in page


def _beside(adds, worth, error=0.0, orders=0):
    roles = [f"table {n}" for n in range(len(adds))]
    contributions = Contributions(
        frame=pd.DataFrame({"role": roles, "contribution": adds}), bias=0.1, output=sum(adds) + 0.1
    )
    frame = pd.DataFrame({"role": roles, "value": worth, "error": error})
    return contributions, RowShapley(
        frame=frame, hidden=0.2, output=0.2 + sum(worth), orders=orders, asked=40
    )


@pytest.mark.parametrize("worth", [0.000535, 0.2, -3.0, 417.0])
def test_an_error_is_told_where_it_reaches_the_digits_of_its_figure(worth):
    last = 10.0 ** (np.floor(np.log10(abs(worth))) - 2)
    for error, told in ((1e-4 * last, False), (0.4 * last, False), (0.6 * last, True), (30 * last, True)):
        pair = _beside([9000.0, 0.0], [9000.0, worth], error=error, orders=64)
        assert ("±" in agreement(*pair).sentence) == told
    assert "is below 0.00005." in method_words(_beside([1.0], [1.0], error=1e-9, orders=64)[1])
    assert "is 0.0021 at most." in method_words(_beside([1.0], [1.0], error=0.0021, orders=64)[1])


def test_what_agrees_is_told_to_agree():
    told = agreement(*_beside([1.0, -0.5, 0.2, 0.1, 0.0], [0.9, -0.6, 0.1, 0.3, 0.0]))
    assert told.agrees
    assert told.sentence == (
        "Both give most to table 0; they rank the 5 tables much alike (rank correlation 0.90); they are furthest apart "
        "on table 3, which adds +0.1 and is worth +0.3."
    )


def test_another_first_place_or_another_order_does_not_agree():
    first = agreement(*_beside([1.0, 0.2], [0.1, 0.8]), named=lambda name: f"<{name}>")
    assert not first.agrees and "rank" not in first.sentence
    assert "Contributions give most to <table 0>, Shapley values to <table 1>" in first.sentence
    turned = agreement(*_beside([1.0, 0.2], [-0.9, 0.1]))
    assert not turned.agrees and "Both give most to table 0, but with opposite signs;" in turned.sentence
    order = agreement(*_beside([1.0, 0.4, 0.3, 0.2, 0.1], [1.0, -0.4, -0.3, -0.2, 0.1]))
    assert not order.agrees and "much alike" not in order.sentence and "differently" in order.sentence


def test_places_that_chance_may_have_swapped_agree():
    pair = _beside([1.0, 0.7], [0.6, 0.7], error=0.05, orders=64)
    assert (
        agreement(*pair).agrees and "by no more than the orders drawn can tell" in agreement(*pair).sentence
    )
    assert " ±\N{NO-BREAK SPACE}0.05." in agreement(*pair).sentence
    small = agreement(*_beside([1.0, 0.00002], [1.0, 0.002], error=0.000085, orders=64)).sentence
    assert "adds +0.00002 and is worth +0.002 ±\N{NO-BREAK SPACE}0.000085." in small
    exact = replace(pair[1], orders=0, frame=pair[1].frame.assign(error=0.0))
    assert not agreement(pair[0], exact).agrees


@pytest.mark.parametrize(
    ("adds", "worth", "error"),
    [([1.0, 0.1], [0.0, 0.1], 0.05), ([1.0, 0.0], [0.01, 0.0], 0.0), ([0.01, 0.0], [1.0, 0.0], 0.0)],
)
def test_a_table_that_only_one_of_the_two_gives_something_is_no_agreement(adds, worth, error):
    told = agreement(*_beside(adds, worth, error=error, orders=64))
    assert not told.agrees and "Both" not in told.sentence


def test_where_nothing_moves_nothing_is_ranked():
    told = agreement(*_beside([0.01, -0.02, 0.0], [0.0, 0.01, 0.02]))
    assert told.agrees and told.sentence == "Both say that no table moves this answer by much."


def test_it_is_told_how_they_were_found():
    _, exact = _beside([1.0], [1.0])
    assert method_words(exact).startswith("Exact: every one of the 40 ways")
    _, drawn = _beside([1.0, 0.0], [1.0, 0.0], error=0.0123, orders=64)
    assert "64 random orders" in method_words(drawn) and "0.012 at most" in method_words(drawn)
