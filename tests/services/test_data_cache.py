"""What is kept between runs changes no number, is used by all that reads tables, and says what is wrong with it."""

import errno
import os
from dataclasses import replace

import pytest
from resumed_shop import TABLES, begin, remains
from small_shop import SCHEMA as SHOP
from small_shop import as_tables, ready_workspace, shop_config, shop_frames, shop_task

from nexusflow.config import TrainingConfig
from nexusflow.data import cache, cache_disk, cache_files
from nexusflow.data.cache import Held
from nexusflow.data.featurize import TableFeaturizer
from nexusflow.data.tables import TableSet
from nexusflow.errors import ConfigError, Severity
from nexusflow.services import data_cache
from nexusflow.services.estimate import estimate
from nexusflow.services.insight import Insight
from nexusflow.services.prediction import predict
from nexusflow.services.runner import model_path
from nexusflow.services.storage import RunStore
from nexusflow.services.tablefiles import INDEX_FILE
from nexusflow.services.training import start_training
from nexusflow.services.workspace import Workspace
from nexusflow.train.events import Note

QUICK = TrainingConfig(epochs=1, batch_size=48, device="cpu", early_stopping=False, baselines=False)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of its own, where tables of any size are kept."""
    monkeypatch.setenv("NEXUSFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(data_cache.LIMIT_SETTING, raising=False)
    monkeypatch.setattr(data_cache, "LEAST_ROWS", 1)
    return tmp_path / "home"


@pytest.fixture
def built(monkeypatch):
    """A line for everything that is indexed or encoded."""
    found = []
    build, encode = cache.build_index, TableFeaturizer.encode

    def build_index(tables, schema):
        found.append(("index", *schema.tables))
        return build(tables, schema)

    def encoding(self, table):
        # Without columns there is nothing to encode.
        if self != TableFeaturizer(table=self.table):
            found.append(("encoded", table.name))
        return encode(self, table)

    def counted(name):
        function = getattr(cache_disk, name)

        def build_part(*given):
            found.append((name,))
            return function(*given)

        return build_part

    for module in (cache, cache_disk):
        monkeypatch.setattr(module, "build_index", build_index)
    for name in ("row_times", "match_keys", "sort_edges"):
        monkeypatch.setattr(cache_disk, name, counted(name))
    monkeypatch.setattr(TableFeaturizer, "encode", encoding)
    return found


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """What a run comes to for which nothing is kept."""
    folder = tmp_path_factory.mktemp("plain")
    begin(folder, QUICK)
    return remains(folder)


def entries(home):
    return sorted(path for path in (home / data_cache.FOLDER).iterdir())


def lasting(folder):
    """The sentences that stay to be read of a run, from its record."""
    return [e.message for e in RunStore(folder).events("r-01") if isinstance(e, Note) and e.lasts]


def test_a_run_is_the_same_to_the_bit_and_the_second_builds_nothing(tmp_path, home, built, plain):
    begin(tmp_path / "cold", QUICK)
    assert remains(tmp_path / "cold") == plain and entries(home)
    built.clear()
    begin(tmp_path / "warm", QUICK)
    assert remains(tmp_path / "warm") == plain and built == []
    assert lasting(tmp_path / "cold") == lasting(tmp_path / "warm") == []


def test_without_a_cache_a_run_builds_everything_once(tmp_path, home, built, plain, monkeypatch):
    monkeypatch.setenv(data_cache.LIMIT_SETTING, "0")
    begin(tmp_path / "run", QUICK)
    assert len(built) == len(set(built)) == 3 and not (home / data_cache.FOLDER).exists()
    assert remains(tmp_path / "run") == plain


def test_what_is_damaged_is_rebuilt_with_a_word_to_the_user(tmp_path, home, plain):
    begin(tmp_path / "first", QUICK)
    for entry in entries(home):
        (path, *_) = sorted(entry.glob("*.npy"))
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    events = []
    begin(tmp_path / "run", QUICK, on_event=events.append)
    assert remains(tmp_path / "run") == plain
    told = lasting(tmp_path / "run")
    assert len(told) == len(entries(home)) and all("is damaged" in line for line in told)
    assert any("the children along orders(customer) → customers(id)" in line for line in told)
    assert told == [e.message for e in events if isinstance(e, Note) and e.lasts]
    begin(tmp_path / "next", QUICK)
    assert remains(tmp_path / "next") == plain and lasting(tmp_path / "next") == []


def test_on_a_full_disk_the_run_goes_on_and_says_so_once(tmp_path, home, plain, built, monkeypatch):
    def full(*given):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache_files, "_write_array", full)
    begin(tmp_path / "run", QUICK)
    assert remains(tmp_path / "run") == plain
    (told,) = lasting(tmp_path / "run")
    assert "No space left on device" in told and "nothing is lost" in told
    assert entries(home) == []
    assert [built.count((name,)) for name in ("row_times", "match_keys", "sort_edges")] == [2, 1, 1]


def test_an_estimate_leaves_what_the_training_then_reads(tmp_path, home, built):
    task = shop_task()
    assert estimate(shop_config(task, QUICK), TABLES, SHOP, task) is not None and built
    built.clear()
    begin(tmp_path / "run", QUICK)
    assert built == []


def test_workbench_insight_and_prediction_share_it_and_it_goes_with_the_table(home, built, manager):
    workspace = ready_workspace("workspace-one", home, QUICK)
    run_id = start_training(workspace, manager)
    manager.wait(run_id, workspace.id)
    built.clear()
    assert len(Insight.open(workspace, run_id).reader) and built == []
    found = predict(model_path(workspace.runs, run_id), workspace.tables())
    assert built == [] and not [p for p in found.problems if "kept" in p.message]
    (entry, *_) = entries(home)
    (entry / cache_files.SHEET).unlink()
    again = predict(model_path(workspace.runs, run_id), workspace.tables())
    (problem,) = [p for p in again.problems if p not in found.problems]
    assert problem.severity is Severity.WARNING and "sheet.json is missing" in problem.message
    assert again.frame.equals(found.frame)
    kept = set(entries(home))
    workspace.remove_table("orders")
    left = set(entries(home))
    assert left < kept and left
    # What another workspace has of these tables stays, until it goes there too.
    other, damaged = (Workspace.open(f"workspace-{name}", home) for name in ("two", "damaged"))
    other.add_tables(TableSet(tables={"people": replace(workspace.tables()["customers"], name="people")}))
    (damaged.folder / INDEX_FILE).write_text("{")
    workspace.clear()
    assert set(entries(home)) == left
    other.remove_table("people")
    assert entries(home) == []


def test_small_tables_are_held_and_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("NEXUSFLOW_HOME", str(tmp_path))
    tables = as_tables(shop_frames())
    reads = data_cache.data_cache(tables)
    assert isinstance(reads, Held)
    assert reads.index(tables, SHOP) is reads.index(tables, SHOP)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["ten", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, text):
    monkeypatch.setenv(data_cache.LIMIT_SETTING, text)
    with pytest.raises(ConfigError, match=r"NEXUSFLOW_CACHE_GB must be a number of gigabytes.*'"):
        data_cache.data_cache(TABLES)


def test_what_is_told_to_nobody_stands_in_the_log(home, caplog):
    reads = data_cache.data_cache(TABLES)
    reads.index(TABLES, SHOP)
    for entry in entries(home):
        (entry / cache_files.SHEET).write_text("{")
    data_cache.data_cache(TABLES).index(TABLES, SHOP)
    assert "its sheet cannot be read" in caplog.text
