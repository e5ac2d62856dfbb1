"""The notebook of a run is valid, holds no path, treats names as text, and its cells run in order."""

import json

import pytest
from report_shop import SCRIPT, TAIL, trained_shop

from nexusflow.services.insight import Insight
from nexusflow.services.notebook import to_notebook
from nexusflow.services.shapley import row_shapley


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    home = tmp_path_factory.mktemp("shop")
    return home, Insight.open(*trained_shop(home, hostile=True))


@pytest.fixture(scope="module")
def notebook(shop):
    return json.loads(to_notebook(shop[1]))


def test_it_is_a_notebook_of_format_4(notebook):
    assert set(notebook) == {"cells", "metadata", "nbformat", "nbformat_minor"}
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids) and all(1 <= len(one) <= 64 for one in ids)
    for cell in notebook["cells"]:
        own = {"execution_count", "outputs"} if cell["cell_type"] == "code" else set()
        assert cell["cell_type"] in ("code", "markdown")
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | own
        assert isinstance(cell["source"], list) and all(isinstance(line, str) for line in cell["source"])
        assert all(line.endswith("\n") for line in cell["source"][:-1])


def test_the_same_run_gives_the_same_notebook_without_a_path_of_the_machine(shop):
    home, insight = shop
    content = to_notebook(insight)
    assert content == to_notebook(insight)
    assert str(home).encode() not in content and content.isascii()


def test_its_cells_run_in_order_and_say_what_interpret_says(shop, notebook, monkeypatch):
    home, insight = shop
    monkeypatch.setenv("NEXUSFLOW_HOME", str(home))
    names: dict = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert names["explanation"].rollout.equals(insight.rollout())
    assert names["explanation"].columns.equals(insight.global_attribution().frame)
    worst = insight.rows(part="test", order="error").iloc[0]
    assert names["row"].key == worst["key"] and worst["key"].startswith(TAIL)
    assert names["row"].contributions.equals(insight.contributions(int(worst["row"])).frame)
    assert names["row"].shapley.equals(row_shapley(insight, int(worst["row"])).frame)


def test_no_name_is_code_or_markup(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            assert SCRIPT not in "".join(cell["source"])
