"""The trials of a search in words and as a table."""

from nexusflow.train.run import Run, RunStatus, Trial
from ui.trials import chosen_words, trials_table

FIRST = {"training.optimizer.lr": 0.001, "encoder of the entity table": "ft_transformer"}
OTHER = {"training.optimizer.lr": 0.001, "encoder of the entity table": "tabnet"}


def searched(*losses: float | None, best: int) -> Run:
    trials = tuple(
        Trial(
            number=n,
            settings=OTHER if n > 1 else FIRST,
            state="failed" if loss is None else "finished",
            loss=loss,
        )
        for n, loss in enumerate(losses, start=1)
    )
    return Run(
        id="r-01",
        name="x",
        status=RunStatus.FINISHED,
        created="2026-01-01T00:00:00+00:00",
        config={},
        task={},
        schema_fingerprint="",
        data_sha256={},
        seed=0,
        trials=trials,
        best_trial=best,
    )


def test_what_was_chosen_is_told_beside_what_it_was() -> None:
    told = chosen_words(searched(0.5, None, 0.4, best=3))
    assert told.startswith("Trial 3 of 3 has the lowest validation loss, 0.4000;")
    assert told.endswith("stood have 0.5000. It changes Encoder TabNet (was FT-Transformer).")


def test_where_nothing_did_better_it_is_said() -> None:
    assert chosen_words(searched(0.4, 0.5, best=1)).startswith("In 2 trials nothing did better")
    assert "more minutes" in chosen_words(searched(0.4, best=1))


def test_the_table_names_every_setting_as_the_model_page_does() -> None:
    table = trials_table(searched(0.5, None, 0.4, best=3).trials, best=3)
    assert table["Ended"].tolist() == ["Finished", "Failed", "Best"]
    assert table["Encoder"].tolist() == ["FT-Transformer", "TabNet", "TabNet"]
    assert table["Learning rate"].tolist() == ["0.001"] * 3


def test_a_run_with_trials_comes_back_as_it_was() -> None:
    run = searched(0.5, None, 0.4, best=3)
    assert Run.from_dict(run.to_dict()) == run
