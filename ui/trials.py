"""The trials of a search of settings, in words and as a table."""

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from nexusflow.train.run import Run, Trial
from ui.figure import csv_button
from ui.results import duration
from ui.settings import ENCODERS

LABELS = {
    "training.optimizer.lr": "Learning rate",
    "training.optimizer.weight_decay": "Weight decay",
    "training.masking": "Masking",
    "training.distillation": "Taught by boosting",
    "architecture.dropout": "Dropout",
    "architecture.global_embed_dim": "Width",
    "architecture.num_blocks": "Blocks",
    "architecture.rows_per_key": "Rows per key",
    "architecture.hops": "Hops",
    "encoder of the entity table": "Encoder",
}
OUTCOME = ["Trial", "Validation loss", "Ended", "Epochs", "Time"]
STATES = {"finished": "Finished", "pruned": "Given up early", "failed": "Failed"}


def show_trials(trials: Sequence[Trial], best: int) -> None:
    """A line per trial, the best marked; nothing to see before the first has ended."""
    if not trials:
        st.caption("The first trial is of the settings as they stand; the table appears when it has ended.")
        return
    first = trials[0]
    changes = ["as they stand", *(", ".join(_changed(trial, first)) for trial in trials[1:])]
    frame = trials_table(trials, best)[OUTCOME].assign(Settings=changes)
    losses = {
        "Validation loss": st.column_config.NumberColumn(format="%.4f"),
        "Settings": st.column_config.TextColumn(width="large"),
    }
    st.dataframe(frame, hide_index=True, column_config=losses, key="trials")


def trials_table(trials: Sequence[Trial], best: int) -> pd.DataFrame:
    """The trials in order, with what each of them tried."""
    return pd.DataFrame([_line(trial, best) for trial in trials])


def chosen_words(run: Run) -> str:
    """What the search came to, as a sentence; settings by their labels, so nothing to escape."""
    first, best = run.trials[0], run.trials[run.best_trial - 1]
    if len(run.trials) == 1:
        return (
            "There was time for the settings as they stood alone. Give the search more minutes to try others."
        )
    if best is first or best.loss is None or first.loss is None:
        return f"In {len(run.trials)} trials nothing did better on the validation rows than the settings as they stood."
    changed = _changed(best, first, was=True)
    return (
        f"Trial {best.number} of {len(run.trials)} has the lowest validation loss, {best.loss:.4f}; the settings as "
        f"they stood have {first.loss:.4f}. It changes {', '.join(changed)}."
    )


def trials_csv(run: Run) -> None:
    """The trials to take away."""
    csv_button(trials_table(run.trials, run.best_trial), key="trials")


def _changed(trial: Trial, first: Trial, *, was: bool = False) -> list[str]:
    """What the trial changes of the first one's settings."""
    return [
        f"{LABELS[name]} {_shown(value)}" + (f" (was {_shown(first.settings[name])})" if was else "")
        for name, value in trial.settings.items()
        if value != first.settings[name]
    ]


def _line(trial: Trial, best: int) -> dict[str, object]:
    mark = "Best" if trial.number == best else STATES[trial.state]
    return {
        "Trial": trial.number,
        "Validation loss": trial.loss,
        "Ended": mark,
        "Epochs": trial.epochs,
        "Time": duration(trial.seconds),
        **_settings(trial.settings),
    }


def _settings(settings: Mapping[str, float | int | str]) -> dict[str, str]:
    return {LABELS[name]: _shown(value) for name, value in settings.items()}


def _shown(value: float | int | str) -> str:
    return ENCODERS.get(value, value) if isinstance(value, str) else f"{value:g}"
