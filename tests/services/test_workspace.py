"""A workspace on disk: what is put in comes back, whoever opens it next and whatever is uploaded."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from small_shop import SCHEMA, SHORT, SMALL, as_files, ready_workspace, shop_frames, shop_task

from nexusflow.config import TrainingConfig
from nexusflow.data import checks
from nexusflow.data.checks import check_schema
from nexusflow.data.load import read_bytes
from nexusflow.data.relations import relate
from nexusflow.data.schema import Kind
from nexusflow.errors import ConfigError, DataError, NexusFlowError, Severity, TaskError
from nexusflow.services import known, tablefiles
from nexusflow.services.projects import EncoderChoice
from nexusflow.services.workspace import Workspace, new_workspace_id

FRAMES = shop_frames()


def reopened(other: Workspace) -> Workspace:
    """The same workspace as a new process sees it."""
    tablefiles._read.cache_clear()
    known.forget()
    return Workspace.open(other.id, other.folder.parents[1])


@pytest.fixture
def shop(tmp_path):
    return ready_workspace("shop-0001", tmp_path)


@pytest.fixture
def empty(tmp_path):
    return Workspace.open(new_workspace_id(), tmp_path)


def test_ids_cannot_be_guessed_and_are_accepted(tmp_path):
    ids = {new_workspace_id() for _ in range(20)}
    assert len(ids) == 20 and all(len(each) == 32 for each in ids)
    assert Workspace.open(ids.pop(), tmp_path).folder.is_dir()


@pytest.mark.parametrize(
    "bad", ["", "short", "../../../etc", "ABCDEFGH", "a" * 65, "abcdefg\n", "abcdefgh/x", "abc defgh"]
)
def test_an_id_cannot_lead_out_of_the_folder(tmp_path, bad):
    with pytest.raises(NexusFlowError):
        Workspace.open(bad, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_named_by_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("NEXUSFLOW_HOME", str(tmp_path / "home"))
    assert Workspace.open("abcdefgh").folder == tmp_path / "home" / "workspaces" / "abcdefgh"


def test_an_empty_workspace_has_an_answer_to_everything(empty):
    assert len(empty.tables()) == 0 and empty.task() is None and not empty.schema_accepted()
    assert empty.schema().tables == {} and empty.checks() == () and empty.encoders() == {}
    assert empty.runs.list() == ()
    with pytest.raises(TaskError, match="Task page"):
        empty.config()


def test_everything_is_there_for_the_next_process(shop):
    shop.save_model_settings(
        encoders={"orders": EncoderChoice(transformer_type="tabnet", num_decision_steps=4)},
        architecture=SMALL,
        training=SHORT,
    )
    again = reopened(shop)
    assert list(again.tables()) == list(FRAMES)
    for name, table in shop.tables().items():
        pd.testing.assert_frame_equal(again.tables()[name].frame, table.frame)
        assert again.tables()[name].sha256 == table.sha256 and table.source == f"{name}.csv"
    assert again.schema() == SCHEMA and again.schema_accepted()
    assert again.task() == shop_task()
    assert again.encoders()["orders"] == EncoderChoice(transformer_type="tabnet", num_decision_steps=4)
    assert again.encoders()["customers"] == EncoderChoice()
    assert (again.architecture(), again.training()) == (SMALL, SHORT)
    assert again.config() == shop.config()


def test_two_workspaces_share_nothing(shop, tmp_path):
    other = Workspace.open("shop-0002", tmp_path)
    assert len(other.tables()) == 0 and other.task() is None
    other.add_files([("orders.csv", b"a,b\n1,2\n3,4\n")])
    assert len(shop.tables()["orders"]) == len(FRAMES["orders"])


def test_good_files_are_kept_and_bad_ones_told_also_later(empty):
    found = empty.add_files([("good.csv", b"id,x\n1,2\n2,3\n"), ("bad.exe", b"MZ"), ("hollow.csv", b"")])
    assert {p.file for p in found if p.severity is Severity.ERROR} == {"bad.exe", "hollow.csv"}
    assert set(empty.tables()) == {"good"}
    assert set(found) <= set(reopened(empty).tables().problems)


def test_two_files_of_one_name_do_not_silently_replace_each_other(empty):
    found = empty.add_files([("a.csv", b"x\n1\n2\n"), ("a.tsv", b"x\ty\n1\t2\n")])
    assert [(p.file, p.severity) for p in found if p.severity is Severity.ERROR] == [
        ("a.tsv", Severity.ERROR)
    ]
    assert list(empty.tables()["a"].frame.columns) == ["x"]


def test_an_upload_replaces_the_table_of_the_same_name(shop):
    shorter = FRAMES["orders"].head(10).assign(coupon="none")
    shop.add_files(as_files({"orders": shorter}))
    assert len(shop.tables()["orders"]) == 10
    assert shop.schema()["orders"]["amount"] == SCHEMA["orders"]["amount"]
    assert "coupon" in shop.schema()["orders"]
    assert not shop.schema_accepted()


def test_a_new_table_leaves_the_saved_schema_as_it_is(shop):
    ignored = SCHEMA.with_table(SCHEMA["orders"].with_kinds({"amount": Kind.IGNORED}))
    shop.save_schema(ignored)
    shop.add_files([("visits.csv", b"customer,pages\nc001,3\nc002,4\nc001,5\n")])
    assert not shop.schema_accepted()
    schema = shop.schema()
    assert schema["orders"]["amount"].kind is Kind.IGNORED
    assert {key.child_table for key in schema.foreign_keys} >= {"orders"}
    assert "visits" in schema.tables
    shop.save_schema(schema)
    assert shop.schema_accepted() and shop.schema() == schema


def test_a_removed_table_is_forgotten_by_schema_and_question(shop):
    shop.remove_table("orders")
    assert shop.schema().foreign_keys == () and "orders" not in shop.schema().tables
    assert shop.schema_accepted() and shop.task() == shop_task()
    shop.remove_table("customers")
    assert shop.task() is None
    with pytest.raises(DataError):
        shop.remove_table("customers")


def test_clearing_leaves_only_the_runs(shop):
    (shop.folder / "runs" / "r-01").mkdir(parents=True)
    shop.clear()
    assert len(shop.tables()) == 0 and shop.task() is None and not shop.schema_accepted()
    assert shop.architecture() != SMALL
    assert (shop.folder / "runs" / "r-01").is_dir()


def test_a_schema_with_problems_is_kept_and_checked(shop):
    broken = SCHEMA.with_table(replace(SCHEMA["customers"], primary_key=("plan",)))
    shop.save_schema(broken)
    assert shop.schema() == broken and shop.schema_accepted()
    assert any(p.severity is Severity.ERROR and p.table == "customers" for p in shop.checks())
    shop.save_schema(SCHEMA)
    assert not any(p.severity is Severity.ERROR for p in shop.checks())


@pytest.mark.parametrize("name", ["churn", "flights"])
def test_a_sample_opens_ready_to_train(shop, name):
    shop.open_sample(name)
    again = reopened(shop)
    assert again.schema_accepted() and again.task() is not None
    assert "holidays" not in set(again.tables())
    assert not any(p.severity is Severity.ERROR for p in again.checks())
    assert again.task().entity_table in again.tables()
    assert again.config().target.target_column == again.task().target_column
    assert again.architecture() != SMALL


def test_an_unknown_sample_changes_nothing(shop):
    with pytest.raises(DataError, match="churn"):
        shop.open_sample("../../etc")
    assert set(shop.tables()) == set(FRAMES)


def test_a_configuration_taken_over_gives_itself(shop, tmp_path):
    config = shop.config()
    other = Workspace.open("shop-0002", tmp_path)
    other.add_files(as_files(FRAMES))
    other.adopt(config)
    assert other.config() == config
    assert (other.schema(), other.task()) == (shop.schema(), shop.task())


def test_a_configuration_that_does_not_fit_changes_nothing(shop):
    before = shop.config()
    wrong = before.model_copy(
        update={
            "target": before.target.model_copy(update={"target_column": "gone"}),
            "training": TrainingConfig(),
        }
    )
    with pytest.raises(ConfigError, match="gone"):
        shop.adopt(wrong)
    assert shop.config() == before


def test_tables_are_read_from_disk_once(shop, monkeypatch):
    first = shop.tables()
    monkeypatch.setattr(tablefiles.pq, "read_table", None)
    assert Workspace.open(shop.id, shop.folder.parents[1]).tables() is first


def test_uploaded_values_survive_the_way_to_disk(empty):
    """Numbers to the last bit, text to the last character, missing as missing."""
    frame = pd.DataFrame(
        {
            "x": [0.1, np.nan, 1e-300, -1e300],
            "n": [1, 2**53 + 1, -(2**62), 0],
            "t": ["=1+1", "é\u2028💥", None, "  a  "],
            "zip": ["007", "1", "2", "3"],
        }
    )
    content = frame.to_csv(index=False).encode()
    empty.add_files([("wild.csv", content)])
    read, _ = read_bytes("wild.csv", content)
    pd.testing.assert_frame_equal(reopened(empty).tables()["wild"].frame, read.frame, check_exact=True)
    assert [str(n) for n in read.frame["n"]] == [str(n) for n in frame["n"]]


def test_figures_of_relations_are_counted_once_per_key(shop, monkeypatch):
    counted = []
    monkeypatch.setattr(known, "relate", lambda tables, key: counted.append(key) or relate(tables, key))
    known.forget()
    schema = shop.schema()
    (key,) = schema.foreign_keys
    stats = shop.relation_stats()[key]
    assert (stats.child_rows, stats.match_rate, stats.cardinality) == (len(FRAMES["orders"]), 1.0, "N:1")
    shop.save_schema(schema.with_table(schema["orders"].with_kinds({"amount": Kind.IGNORED})))
    assert shop.relation_stats() == {key: stats} and counted == [key]
    shop.add_files(as_files({"orders": FRAMES["orders"].head(50)}))
    assert shop.relation_stats()[key].child_rows == 50 and counted == [key, key]
    shop.remove_table("customers")
    assert shop.relation_stats() == {}


def test_an_edit_is_checked_at_the_cost_of_what_it_changes(shop, monkeypatch):
    looked = []
    look = checks._check_table
    monkeypatch.setattr(checks, "_check_table", lambda t, *rest: looked.append(t.name) or look(t, *rest))
    known.forget()
    schema = shop.schema()
    orders = schema["orders"]
    edits = [
        schema,
        replace(schema, foreign_keys=()),
        schema.with_table(replace(orders, primary_key=("customer",))),
        schema.with_table(orders.with_kinds({"amount": Kind.IGNORED})),
        schema,
    ]
    told = []
    for edit in edits:
        shop.save_schema(edit)
        told.append(shop.checks())
    assert sorted(looked) == sorted([*schema.tables, "orders", "orders"])
    assert told[0] == told[4] != told[1]
    assert told == [check_schema(shop.tables(), edit) for edit in edits]


def test_what_is_at_hand_is_told_without_counting(shop):
    known.forget()
    schema = shop.schema()
    assert not shop.is_proposed() and set(shop.counted_stats(schema).values()) == {None}
    shop.proposal()
    assert shop.is_proposed()
    stats = shop.relation_stats()
    assert shop.counted_stats(schema) == stats and stats


def test_a_renamed_table_keeps_its_place_everywhere(shop):
    shop.save_model_settings(
        encoders={"customers": EncoderChoice(transformer_type="tabnet", num_decision_steps=4)},
        architecture=SMALL,
        training=SHORT,
    )
    shop.save_task(shop_task(hidden=(("customers", "age"),)))
    before = shop.tables()["customers"]
    shop.rename_table("customers", " people ")
    again = reopened(shop)
    assert set(again.tables()) == {"people", "orders", "holidays"}
    pd.testing.assert_frame_equal(again.tables()["people"].frame, before.frame)
    assert [str(key) for key in again.schema().foreign_keys] == ["orders(customer) → people(id)"]
    assert again.task() == replace(shop_task(hidden=(("people", "age"),)), entity_table="people")
    assert again.encoders()["people"].transformer_type == "tabnet" and again.schema_accepted()
    for name, new in (("nothing", "x"), ("people", "orders"), ("people", "  "), ("people", "people")):
        with pytest.raises(DataError):
            shop.rename_table(name, new)
