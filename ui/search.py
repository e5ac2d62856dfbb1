"""A search of settings on the Train page: asking for one, and what came of it."""

import streamlit as st

from nexusflow.services.search import missing_library, use_settings
from nexusflow.services.workspace import Workspace
from nexusflow.train.run import Run, RunStatus
from ui import state
from ui.navigation import go_to
from ui.problems import attempt
from ui.trials import chosen_words, show_trials, trials_csv

USUAL_MINUTES = 10.0


def search_minutes() -> float | None:
    """How long to search for settings, or None to train them as they stand."""
    missing = missing_library()
    searches = st.toggle(
        "Search settings",
        key="search",
        disabled=missing is not None,
        help=str(missing)
        if missing
        else "Tries other learning rates, widths, encoders and the like after the settings as they stand, and keeps "
        "what has the lowest loss on the validation rows.",
    )
    if not searches:
        return None
    return st.number_input(
        "Minutes", 0.5, 600.0, USUAL_MINUTES, 5.0, help="For the whole run.", key="search_minutes", width=130
    )


def searched(workspace: Workspace, run: Run) -> None:
    """The trials of a run that has ended, and a way to go on with what was chosen."""
    st.subheader("Search", anchor=False)
    st.markdown(chosen_words(run))
    show_trials(run.trials, run.best_trial)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        trials_csv(run)
        if run.status is RunStatus.FINISHED and st.button(
            "Use these settings",
            key="use_settings",
            icon=":material/input:",
            help="Makes them the settings of the Model page.",
        ):
            take_over(workspace, run)


def take_over(workspace: Workspace, run: Run) -> None:
    """Make the chosen settings those of the workspace, and show them."""
    if attempt(lambda: use_settings(workspace, run.id)):
        state.tell("The settings of this run are now those of the Model page.")
        go_to("model")
