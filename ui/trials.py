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
STATES = {"finished": "Finished", "pruned": "Given up early", "failed": "Failed"}


def show_trials(trials: Sequence[Trial], best: int) -> None:
    """A line per trial, the best marked; nothing to see before the first has ended."""
    if not trials:
        st.caption("The first trial is of the settings as they stand; the table appears when it has ended.")
        return
    frame = trials_table(trials, best)
    losses = {"Validation loss": st.column_config.NumberColumn(format="%.4f")}
    st.dataframe(frame, hide_index=True, column_config=losses, key="trials")


def trials_table(trials: Sequence[Trial], best: int) -> pd.DataFrame:
    """The trials in order, with what each of them tried."""
    return pd.DataFrame([_line(trial, best) for trial in trials])


def chosen_words(run: Run) -> str:
    """What the search came to, as a sentence; settings by their labels, so nothing to escape."""
    first, best = run.trials[0], run.trials[run.best_trial - 1]
    tried = f"{len(run.trials)} trials" if len(run.trials) > 1 else "1 trial"
    if best is first or best.loss is None or first.loss is None:
        return f"In {tried} nothing did better on the validation rows than the settings as they stood."
    changed = [
        f"{LABELS[name]} {_shown(value)} (was {_shown(first.settings[name])})"
        for name, value in best.settings.items()
        if value != first.settings[name]
    ]
    return (
        f"Trial {best.number} of {len(run.trials)} has the lowest validation loss, {best.loss:.4f}; the settings as "
        f"they stood have {first.loss:.4f}. It changes {', '.join(changed)}."
    )


def trials_csv(run: Run) -> None:
    """The trials to take away."""
    csv_button(trials_table(run.trials, run.best_trial), key="trials")


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
