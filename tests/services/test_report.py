"""A report of a run loads nothing, lets no name be more than text, and is the same every time but for its date."""

import base64
import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser

import numpy as np
import pytest
from report_shop import IMAGE, SCRIPT, TAIL, trained_shop

from nexusflow.services.insight import Insight
from nexusflow.services.prediction import safe_csv
from nexusflow.services.report import ReportStopped, gather
from nexusflow.services.report_html import charts, to_html
from nexusflow.services.words import plain

NOW = datetime(2026, 3, 4, 5, 6)
LOADING = ("src", "href", "xlink:href", "action", "data", "poster", "srcset", "formaction", "background")


class Page(HTMLParser):
    """The tags, addresses, styles and texts of a page."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.tags, self.addresses, self.handlers, self.styles = [], [], [], []
        self.texts, self.labels, self._open = [], [], []
        self.feed(content.decode("utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self._open.append(tag)
        for name, value in attributes:
            if name in LOADING:
                self.addresses.append(value)
            if name.startswith("on"):
                self.handlers.append((tag, name))
            if name in ("style", "clip-path", "fill", "filter", "mask"):
                self.styles.append(value)
            if name == "aria-label":
                self.labels.append(value)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if self._open and self._open[-1] == "style":
            self.styles.append(data)
        elif not self._open or self._open[-1] != "script":
            self.texts.append(data)


@pytest.fixture(scope="module")
def insight(tmp_path_factory):
    return Insight.open(*trained_shop(tmp_path_factory.mktemp("shop"), hostile=True, baselines=True))


@pytest.fixture(scope="module")
def report(insight):
    return gather(insight, now=NOW)


@pytest.fixture(scope="module")
def html(report):
    """It takes seconds to draw all charts."""
    return to_html(report)


@pytest.fixture(scope="module")
def parsed(html):
    return Page(html)


def test_nothing_is_loaded_from_anywhere(html, parsed):
    assert parsed.addresses
    assert all(address.startswith(("#", "data:text/csv;")) for address in parsed.addresses)
    for style in parsed.styles:
        assert "@import" not in style
        assert all(target.startswith("#") for target in re.findall(r"url\(\s*['\"]?([^)]*)", style))
    assert not {"link", "iframe", "object", "embed", "img", "base", "form", "image", "audio", "video"} & {
        *parsed.tags
    }
    assert b"default-src 'none'" in html


def test_hostile_names_stay_text(parsed):
    assert parsed.tags.count("script") == 1 and not parsed.handlers
    said = "".join(parsed.texts)
    for name in (SCRIPT, IMAGE, TAIL):
        assert plain(name) in said
    assert any(text.startswith(plain(f"customers: {SCRIPT}")[:30]) for text in parsed.texts), "within a chart"
    assert "49" not in {text.strip() for text in parsed.texts if "svg onload" in text}


def test_two_reports_of_a_run_are_the_same_but_for_the_date(insight, report, html):
    later = gather(insight, now=datetime(2027, 1, 2, 3, 4))
    assert later.made != report.made
    assert to_html(later).replace(later.made.encode(), report.made.encode()) == html


def test_every_chart_has_its_figures_as_csv(report, html):
    page = html.decode()
    drawn = {chart.name: chart for chart in charts(report)}
    assert {"schema", "history", "reliability", "attention", "rollout", "columns", "masks-0"} <= set(drawn)
    for name, chart in drawn.items():
        assert chart.csv in page and f'id="{name}-figure_1"' in page, name
    assert base64.b64decode(drawn["columns"].csv) == safe_csv(report.columns.frame)


def test_it_tells_what_interpret_tells(insight, report, parsed):
    said = " ".join("".join(parsed.texts).split())
    for told in (
        report.verdict,
        report.check.sentence,
        insight.run_id,
        report.made,
        "LightGBM on aggregates",
    ):
        assert " ".join(told.split()) in said
    assert report.rollout.equals(insight.rollout())
    assert report.columns.frame.equals(insight.global_attribution().frame)
    for _, one in report.rows:
        assert plain(one.key) in said and "Above 0 speaks for yes." in said
        total = one.contributions.frame["contribution"].sum() + one.contributions.bias
        assert total == pytest.approx(one.contributions.output, abs=1e-5)


def test_rows_are_the_worst_some_at_random_and_those_asked_for(insight):
    asked = int(insight.rows(part="train")["row"].iloc[0])
    rows = gather(insight, rows=(asked,), worst=2, at_random=2).rows
    assert [why.split()[0] for why, _ in rows] == ["Asked", "One", "One", "Drawn", "Drawn"]
    numbers = [one.row for _, one in rows]
    assert numbers[0] == asked and len(set(numbers)) == 5
    worst = insight.rows(part="test", order="error")["error"].head(2)
    assert np.array_equal([one.outcome["error"] for _, one in rows[1:3]], worst)


def test_experts_are_told_only_where_there_are_some_and_passes_where_there_are_several(report, html):
    drawn = {chart.name for chart in charts(report)}
    assert "experts" not in drawn and b'id="experts"' not in html
    assert {"passes", "movement"} <= drawn and b'id="passes"' in html
    histogram = report.passes.histogram
    assert histogram["rows"].sum() == len(report.passes.rows) == report.attention.rows
    once = to_html(replace(report, passes=None))
    assert b'id="passes"' not in once and b'href="#passes"' not in once


def test_rows_are_called_what_they_are(report, html):
    assert report.own
    own, new = html.decode(), to_html(replace(report, own=False)).decode()
    assert "test rows; each line" in own and "rows of the new tables" not in own
    assert "rows of the new tables; each line" in new
    assert "test rows" not in new[new.index('<section id="tables">') :]


def test_a_report_that_is_asked_to_stop_stops_at_the_next_thing_it_tells(insight):
    told: list[float] = []
    with pytest.raises(ReportStopped):
        gather(insight, on_step=lambda share, what: told.append(share), should_stop=lambda: len(told) > 1)
    assert len(told) == 2


def test_progress_only_grows_and_ends_at_one(insight):
    told: list[float] = []
    gather(insight, worst=1, at_random=1, on_step=lambda share, what: told.append(share))
    assert told == sorted(told) and told[0] == 0.0 and told[-1] == 1.0


@pytest.mark.parametrize(
    ("column", "there", "absent"), [("spend", "intervals", "reliability"), ("size", "rollout", "reliability")]
)
def test_values_and_several_classes_are_told_too(tmp_path, column, there, absent):
    report = gather(Insight.open(*trained_shop(tmp_path, column, experts=3)), worst=1, at_random=0)
    html = to_html(report)
    assert report.experts is not None and report.experts.sentence.encode() in html
    drawn = {chart.name for chart in charts(report)}
    assert {there, "experts", "expert-load"} <= drawn and absent not in drawn
    assert b"No baseline was trained beside this run." in html
