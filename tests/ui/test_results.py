from dataclasses import replace

import pytest

from nexusflow.data.task import Part
from nexusflow.train.events import BatchDone, EpochEnded, Note, RunFailed, RunFinished, RunStarted
from nexusflow.train.run import EpochRecord, Run, RunStatus
from ui.results import MODEL, duration, event_line, results_table, verdict


def run(kind: str, mine: dict[str, float], **baselines: dict[str, float]) -> Run:
    return Run(
        id="r1",
        name="r",
        status=RunStatus.FINISHED,
        created="2026-01-01T00:00:00",
        config={},
        task={"kind": kind},
        schema_fingerprint="",
        data_sha256={},
        seed=0,
        metrics={Part.TEST: mine} if mine else {},
        baselines={name: {Part.TEST: scores} for name, scores in baselines.items()},
    )


def test_table_has_the_network_first_and_baselines_from_best_to_worst() -> None:
    frame = results_table(
        run(
            "binary",
            {"accuracy": 0.8, "auroc": 0.7},
            low={"auroc": 0.5},
            high={"auroc": 0.9, "accuracy": 0.9},
        )
    )
    assert frame["Model"].tolist() == [MODEL, "high", "low"]
    assert list(frame.columns) == ["Model", "AUROC", "Accuracy"]
    lower_is_better = results_table(run("regression", {"mae": 2.0}, low={"mae": 1.0}, high={"mae": 3.0}))
    assert lower_is_better["Model"].tolist() == [MODEL, "low", "high"]


def test_table_leaves_out_intervals_which_no_baseline_has() -> None:
    mine = {"mae": 2.0, "coverage": 0.9, "interval_width": 7.0}
    assert list(results_table(run("regression", mine, low={"mae": 1.0})).columns) == [
        "Model",
        "Mean absolute error",
    ]


@pytest.mark.parametrize(
    ("kind", "mine", "theirs", "lead", "ahead"),
    [
        ("binary", {"auroc": 0.8}, {"auroc": 0.7}, (0.05, 0.15), True),
        ("binary", {"auroc": 0.7}, {"auroc": 0.8}, (-0.15, -0.05), False),
        ("binary", {"auroc": 0.8}, {"auroc": 0.7}, (-0.01, 0.2), None),
        ("binary", {"auroc": 0.8}, {"auroc": 0.7}, None, None),
        ("regression", {"mae": 2.0}, {"mae": 3.0}, (0.5, 1.5), True),
        ("regression", {"mae": 3.0}, {"mae": 2.0}, (-1.5, -0.5), False),
    ],
)
def test_verdict_names_the_better_one_if_the_rows_can_tell(
    kind: str,
    mine: dict[str, float],
    theirs: dict[str, float],
    lead: tuple[float, float] | None,
    ahead: bool | None,
) -> None:
    given = replace(run(kind, mine, weak={}, other=theirs), leads={"other": lead} if lead else {})
    found = verdict(given)
    assert found.ahead is ahead
    assert "other" in found.sentence
    assert ("cannot be told apart" in found.sentence) == (ahead is None)


@pytest.mark.parametrize(
    ("over_guess", "trees_over", "nothing"),
    [
        ((-0.02, 0.03), (-0.01, 0.04), True),
        ((0.01, 0.03), (-0.01, 0.04), False),
        ((-0.02, 0.03), (0.001, 0.04), False),
    ],
)
def test_verdict_says_where_nothing_is_surely_better_than_guessing(
    over_guess: tuple[float, float], trees_over: tuple[float, float], nothing: bool
) -> None:
    found = run("binary", {"auroc": 0.509}, Majority={"auroc": 0.5}, trees={"auroc": 0.512})
    leads = {"Majority": over_guess, "trees": (-0.02, 0.01)}
    known = replace(found, leads=leads, over_guessing={"Majority": (0.0, 0.0), "trees": trees_over})
    assert verdict(known).sentence.startswith("Nothing here beats guessing") == nothing
    # A run of an earlier version does not tell how sure the baseline's gain is.
    assert "cannot be told apart" in verdict(replace(found, leads=leads)).sentence


def test_a_constant_that_does_best_is_told_as_guessing() -> None:
    found = run("regression", {"mae": 3.0}, Median={"mae": 2.0}, trees={"mae": 2.5})
    found = replace(found, leads={"Median": (-1.5, -0.5), "trees": (-1.0, 0.0)})
    assert "Nothing here beats guessing" in verdict(found).sentence
    assert verdict(found).ahead is False


@pytest.mark.parametrize(
    ("losses", "astray"),
    [
        ((0.8, 0.5, 0.4), False),
        ((0.01, 0.05, 0.2), False),
        ((0.8, 15_000.0, 90.0), True),
        ((15_000.0, 800.0, 90.0), True),
        ((0.1, 2.0), True),
    ],
)
@pytest.mark.parametrize("clipping", [0, 1.0])
def test_verdict_tells_a_training_that_diverged_and_the_way_out(
    losses: tuple[float, ...], astray: bool, clipping: float
) -> None:
    history = tuple(
        EpochRecord(epoch=n, train_loss=loss, val_loss=loss, val_metrics={}, seconds=1.0, learning_rate=0.5)
        for n, loss in enumerate(losses, start=1)
    )
    config = {"training": {"learning_rate": 0.5, "gradient_clipping": clipping}}
    found = replace(run("regression", {"mae": 3.0}, other={"mae": 2.0}), history=history, config=config)
    worse = verdict(replace(found, leads={"other": (-1.5, -0.5)})).sentence
    assert ("diverged" in worse) == astray and ("train longer" in worse) != astray
    assert ("Lower the learning rate (it was 0.5)" in worse) == astray
    assert ("gradient clipping" in worse) == (astray and clipping == 0)
    better = replace(found, metrics={Part.TEST: {"mae": 1.0}}, leads={"other": (0.5, 1.5)})
    assert "diverged" not in verdict(better).sentence
    assert ("diverged" in verdict(replace(found, metrics={})).sentence) == astray


def test_verdict_without_anything_to_compare_claims_nothing() -> None:
    assert verdict(run("binary", {})).ahead is None
    assert "No baseline" in verdict(run("binary", {"auroc": 0.9})).sentence


def test_every_event_has_a_line_for_the_log() -> None:
    record = EpochRecord(
        epoch=2, train_loss=0.5, val_loss=0.6, val_metrics={"auroc": 0.7}, seconds=3, learning_rate=0.1
    )
    lines = [
        event_line(event)
        for event in (
            RunStarted(run_id="r", parameters=1234, epochs=5),
            BatchDone(epoch=1, batch=2, batches=3, loss=0.1, fraction=0.5),
            EpochEnded(record=record, epochs=5, seconds_left=9.0),
            Note(message="a note"),
            RunFinished(run_id="r", status="finished"),
            RunFailed(run_id="r", message="out of luck"),
        )
    ]
    assert "1,234" in lines[0]
    assert "Epoch 2" in lines[2]
    assert "AUROC 0.7000" in lines[2]
    assert lines[3::2] == ["a note", "out of luck"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "unknown"), (5.4, "5 s"), (65, "1 min 5 s"), (3720, "1 h 2 min")]
)
def test_duration_in_words(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("12.658579999999999", "12.6586"),
        ("2013-01-27 18:00:00", "2013-01-27 18:00:00"),
        ("1.2.3", "1.2.3"),
        ("1.10", "1.10"),
        ("0001.50", "0001.50"),
        ("1234567.89", "1234567.89"),
        ("1234567.891234567", "1234567.89"),
        ("1.25e-07", "1.25e-07"),
        ("4963", "4963"),
        ("17912.0", "17912"),
        ("-3.0", "-3"),
        ("1.0.0", "1.0.0"),
        ("x" * 40, "x" * 21 + "…"),
        ("nan", "missing"),
    ],
)
def test_a_cells_value_takes_little_room(value: object, said: str) -> None:
    from nexusflow.services.words import short_value

    assert short_value(value) == said


def test_a_run_that_was_stopped_is_not_said_to_lack_test_rows() -> None:
    stopped = replace(
        run("binary", {}), status=RunStatus.CANCELLED, metrics={Part.VALIDATION: {"auroc": 0.7123}}
    )
    told = verdict(stopped)
    assert told.ahead is None
    assert "stopped before it was judged on the test rows" in told.sentence
    assert "AUROC 0.712 on the validation rows" in told.sentence
    assert "stopped before" not in verdict(run("binary", {})).sentence
