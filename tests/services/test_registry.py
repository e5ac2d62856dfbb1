"""The registry: one champion per question, whatever is done; every change with its time and note; whole on disk."""

import json
import threading
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_shop import shop_task
from version_runs import keep_run, new_store

from nexusflow.data.question import Aggregate, AsOf, DateSpan, Question
from nexusflow.data.task import Split
from nexusflow.errors import ArtifactError, Severity, TrainingError
from nexusflow.services.promotion import decide
from nexusflow.services.registry import (
    REGISTRY_FILE,
    Stage,
    champion,
    changes,
    offered,
    promote,
    question_key,
    versions,
)
from nexusflow.services.run_files import delete_run, model_bytes, model_size, rename_run
from nexusflow.services.runner import model_path
from nexusflow.train.run import RunStatus

LEFT, SPEND = question_key(shop_task()), question_key(shop_task("spend"))


@pytest.fixture
def store(tmp_path):
    store = new_store(tmp_path / "runs")
    for number in range(3):
        keep_run(store, f"left-{number}")
    for number in range(2):
        keep_run(store, f"spend-{number}", task=shop_task("spend"))
    return store


def test_a_version_that_nobody_decided_on_is_a_candidate(store):
    assert {version.stage for version in versions(store)} == {Stage.CANDIDATE}
    assert [version.run.id for version in versions(store, SPEND)] == ["spend-1", "spend-0"]
    assert champion(store, LEFT) is None


def test_a_run_without_a_model_is_no_version_and_cannot_be_one(store):
    keep_run(store, "empty")
    model_path(store, "empty").unlink()
    assert "empty" not in [version.run.id for version in versions(store)]
    with pytest.raises(ArtifactError, match="no model"):
        promote(store, "empty", Stage.CHAMPION)
    with pytest.raises(TrainingError, match="no run gone"):
        promote(store, "gone", Stage.CHAMPION)


@settings(max_examples=12)
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(list(Stage))), max_size=12))
def test_a_question_never_has_two_champions(tmp_path_factory, decisions):
    """And the last to be made one is it, unless it was given another stage since."""
    store = new_store(tmp_path_factory.mktemp("law"))
    ids = ["left-0", "left-1", "left-2", "spend-0", "spend-1"]
    for run_id in ids:
        keep_run(store, run_id, task=shop_task("spend") if run_id.startswith("spend") else None)
    expected: dict[str, str | None] = {"left": None, "spend": None}
    for number, stage in decisions:
        run_id, asked = ids[number], ids[number].split("-")[0]
        promote(store, run_id, stage)
        if stage is Stage.CHAMPION:
            expected[asked] = run_id
        elif expected[asked] == run_id:
            expected[asked] = None
        for name, key in (("left", LEFT), ("spend", SPEND)):
            chosen = [v.run.id for v in versions(store, key) if v.stage is Stage.CHAMPION]
            assert chosen == ([expected[name]] if expected[name] else [])


def test_changes_are_kept_with_time_and_note_and_doing_it_twice_is_doing_it_once(store):
    promote(store, "left-0", Stage.CHAMPION, note="  first  ")
    promote(store, "left-0", Stage.CHAMPION, note="again")
    promote(store, "left-1", Stage.CHAMPION)
    told = [(c.run_id, c.stage, c.note) for c in changes(store)]
    assert told == [
        ("left-0", Stage.CHAMPION, "first"),
        ("left-0", Stage.ARCHIVED, "Replaced by run left-1."),
        ("left-1", Stage.CHAMPION, ""),
    ]
    assert all("T" in change.when for change in changes(store))
    assert [c.stage for c in changes(store, "left-0")] == [Stage.CHAMPION, Stage.ARCHIVED]
    with pytest.raises(TrainingError, match="at most 500"):
        promote(store, "left-2", Stage.CHAMPION, note="x" * 501)


def test_many_who_promote_at_once_leave_one_champion_and_every_change(store):
    ids = [f"left-{n}" for n in range(3)]
    threads = [threading.Thread(target=promote, args=(store, ids[n % 3], Stage.CHAMPION)) for n in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(v.stage is Stage.CHAMPION for v in versions(store, LEFT)) == 1
    last: dict[str, Stage] = {}
    for change in changes(store):
        assert last.get(change.run_id) is not change.stage
        last[change.run_id] = change.stage


def test_a_champion_that_is_deleted_leaves_the_place_empty(store):
    promote(store, "left-0", Stage.CHAMPION)
    delete_run(store, "left-0")
    assert champion(store, LEFT) is None
    promote(store, "left-1", Stage.CHAMPION)
    assert champion(store, LEFT).run.id == "left-1"


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}', '{"format": 1, "changes": [{"run_id": "a"}]}'])
def test_a_damaged_registry_is_told_and_never_overwritten(store, text):
    (store.root / REGISTRY_FILE).write_text(text)
    with pytest.raises(ArtifactError, match=REGISTRY_FILE):
        promote(store, "left-0", Stage.CHAMPION)
    assert (store.root / REGISTRY_FILE).read_text() == text


def test_a_registry_of_a_later_format_is_refused(store):
    (store.root / REGISTRY_FILE).write_text(json.dumps({"format": 2, "changes": []}))
    with pytest.raises(ArtifactError, match="format 2"):
        versions(store)


def test_what_does_not_change_the_question_does_not_change_its_key():
    task = shop_task()
    same = [
        replace(task, split=Split(seed=9)),
        replace(task, hidden=(("orders", "amount"),)),
        replace(task, classes=("no", "yes", "perhaps")),
        replace(task, frozen_at="2024-01-01"),
    ]
    others = [replace(task, target_column="size"), replace(task, cutoff_column=None), shop_task("spend")]
    assert {question_key(one) for one in same} == {LEFT}
    assert len({question_key(one) for one in (task, *others)}) == 4


def test_a_question_over_time_is_the_same_on_other_dates():
    def asked(last, horizon="30 days"):
        span = DateSpan(first="2024-01-01", every="30 days", last=last)
        question = Question(
            entity_table="customers",
            event_table="orders",
            aggregate=Aggregate.EXISTS,
            horizon=horizon,
            as_of=AsOf(spans=(span,)),
        )
        return question_key(replace(shop_task(), over_time=question))

    assert asked("2024-06-01") == asked("2024-09-01") != asked("2024-06-01", "60 days")


def test_champions_are_offered_first_and_what_is_archived_last(store):
    promote(store, "left-1", Stage.CHAMPION)
    promote(store, "spend-0", Stage.CHAMPION)
    promote(store, "left-2", Stage.ARCHIVED)
    order = [run.id for run in offered(store, store.list(), shop_task("spend"))]
    assert order == ["spend-0", "left-1", "spend-1", "left-0", "left-2"]


def test_stopped_candidates_are_offered_after_those_that_finished(store):
    promote(store, "left-0", Stage.ARCHIVED)
    for run_id in ("left-2", "spend-0"):
        store.save(replace(store.load(run_id), status=RunStatus.CANCELLED))
    promote(store, "spend-0", Stage.CHAMPION)
    order = [run.id for run in offered(store, store.list(), shop_task("spend"))]
    assert order == ["spend-0", "spend-1", "left-1", "left-2", "left-0"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"status": RunStatus.CANCELLED},
            ("ended early (cancelled) after 2 epochs", "never judged", "Resume"),
        ),
        ({"status": RunStatus.CANCELLED, "metrics": {"test": {"auroc": 0.7}}}, ("ended early", "Resume")),
        ({}, ("never judged on test rows", "test rows.")),
        ({"metrics": {"test": {"auroc": 0.7}}}, ()),
    ],
)
def test_a_champion_that_was_stopped_or_not_tested_is_warned_of(store, changes, words):
    run = replace(store.load("left-0"), **changes)
    store.save(run)
    _, problems = decide(store, "left-0", Stage.CHAMPION)
    assert [p.severity for p in problems] == [Severity.WARNING] * bool(words)
    assert all(word in str(problem) for problem in problems for word in words)
    assert decide(store, "left-0", Stage.CANDIDATE)[1] == ()


def test_runs_are_renamed_and_deleted_once_they_have_ended(store):
    assert rename_run(store, "left-0", "  better ").name == store.load("left-0").name == "better"
    for name in ("  ", "x" * 81):
        with pytest.raises(TrainingError, match="1 to 80"):
            rename_run(store, "left-0", name)
    store.save(replace(store.load("left-1"), status=RunStatus.RUNNING))
    with store.hold("left-1"):
        with pytest.raises(TrainingError, match="under way"):
            rename_run(store, "left-1", "no")
        with pytest.raises(TrainingError, match="under way"):
            delete_run(store, "left-1")
    assert "left-1" in store


def test_a_model_is_taken_away_as_one_file_with_the_same_bytes_each_time(store):
    assert model_size(store, "left-0") == 2
    first = model_bytes(store, "left-0")
    model_path(store, "left-0").touch()
    assert model_bytes(store, "left-0") == first
