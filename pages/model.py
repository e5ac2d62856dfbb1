"""Model: an encoder for each table, the network that joins them, and how it is trained."""

import streamlit as st

from nexusflow.config import ArchitectureConfig, MlopsConfig, TrainingConfig
from nexusflow.errors import ConfigError, NexusFlowError
from nexusflow.services.logged_to import log_to, logged_to
from nexusflow.services.not_read import not_read_now
from nexusflow.services.workspace import EncoderChoice, Workspace
from ui import state
from ui.config_file import config_file
from ui.encoder_settings import encoder_details
from ui.escape import code
from ui.mlops_settings import mlops_inputs
from ui.model_settings import architecture_inputs, training_inputs
from ui.navigation import go_to
from ui.page import begin, empty
from ui.problems import attempt, problems_shown, show_problems
from ui.see_limit import show_limit
from ui.settings import ENCODERS

ENCODER_WORDS = {
    "ft_transformer": "Attends from column to column. A good start for most tables.",
    "tabnet": "Picks a few columns at each of several steps. Its masks show which.",
    "standard": "A plain transformer over the columns. The lightest reference.",
}
SIZES = {"small": "Small", "medium": "Medium", "large": "Large"}
STEPS_USUAL = 3
# Where the session keeps what the page showed last.
CHOSEN = "model_chosen"


def encoder_cards(workspace: Workspace) -> dict[str, EncoderChoice]:
    """A card per table to choose its encoder; gives the choices."""
    schema, chosen = workspace.schema(), {}
    # Two and four make full lines of two; a line with a gap looks as if a table were missing.
    grid = st.grid(2 if len(schema.tables) in (1, 2, 4) else 3, min_column_width=260, border=True)
    for place, (name, before) in enumerate(workspace.encoders().items()):
        with grid.cell(), st.container(key=f"encoder_card_{place}"):
            st.markdown(f"**{code(name)}**")
            st.caption(f"{len(workspace.tables()[name]):,} rows · {len(schema[name].columns)} columns")
            kind = st.selectbox(
                "Encoder",
                list(ENCODERS),
                index=list(ENCODERS).index(before.transformer_type),
                format_func=ENCODERS.__getitem__,
                key=f"encoder_{place}",
            )
            st.caption(ENCODER_WORDS[kind])
            size = st.segmented_control(
                "Size",
                list(SIZES),
                default=before.complexity,
                format_func=SIZES.__getitem__,
                required=True,
                key=f"complexity_{place}",
                width="stretch",
            )
            steps = None
            if kind == "tabnet":
                steps = st.number_input(
                    "Decision steps", 1, 10, before.num_decision_steps or STEPS_USUAL, key=f"steps_{place}"
                )
            chosen[name] = EncoderChoice(
                transformer_type=kind,
                complexity=size,
                num_decision_steps=steps,
                **encoder_details(before, kind, place),
            )
    return chosen


def of_workspace(
    workspace: Workspace,
) -> tuple[dict[str, EncoderChoice], ArchitectureConfig, TrainingConfig]:
    """The settings as they were kept last."""
    return dict(workspace.encoders()), workspace.architecture(), workspace.training()


def save(
    workspace: Workspace,
    encoders: dict[str, EncoderChoice],
    architecture: ArchitectureConfig,
    training: TrainingConfig,
    mlops: MlopsConfig | None,
) -> None:
    """Keep all of the page."""
    workspace.save_model_settings(encoders=encoders, architecture=architecture, training=training)
    log_to(workspace.folder, mlops)


def main() -> None:
    """Draw the page."""
    workspace = state.workspace()
    begin("model", "Pick how each table is read, how the tables are joined, and how long to train.")
    if not workspace.tables():
        empty("No tables yet", "Encoders are chosen per table.", to="data", label="Go to Data")
        return
    if workspace.task() is None:
        empty(
            "No question yet",
            "The model answers the question of the Task page.",
            to="task",
            label="Go to Task",
        )
        return
    st.subheader("Encoders", anchor=False)
    with problems_shown():
        show_limit(not_read_now(workspace))
    encoders = encoder_cards(workspace)
    try:
        with st.expander("Network", icon=":material/hub:"):
            mixed = any(choice.use_moe for choice in encoders.values())
            architecture = architecture_inputs(workspace.architecture(), table_experts=mixed)
        with st.expander("Training", icon=":material/fitness_center:", expanded=True):
            training = training_inputs(workspace.training())
        with st.expander("Logging", icon=":material/monitoring:"):
            mlops = mlops_inputs(logged_to(workspace.folder))
    except ConfigError as error:
        show_problems(error.problems)
        return
    chosen = (encoders, architecture, training, mlops)
    kept = (*of_workspace(workspace), logged_to(workspace.folder))
    before = st.session_state.setdefault(CHOSEN, chosen)
    # At once, or whoever leaves by the navigation would lose it; but only what was changed here: what differs
    # otherwise was changed elsewhere since.
    merged = tuple(k if c == b else c for c, b, k in zip(chosen, before, kept, strict=True))
    if merged == kept or attempt(lambda: save(workspace, *merged)):
        st.session_state[CHOSEN] = chosen
    saved = chosen == (*of_workspace(workspace), logged_to(workspace.folder))
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.markdown(":green[:material/check_circle: Saved]" if saved else ":orange[Not saved]")
        if st.button(
            "Continue to Train",
            type="primary",
            key="save_model",
            icon=":material/arrow_forward:",
            icon_position="right",
        ) and attempt(lambda: save(workspace, *chosen)):
            go_to("train")
    try:
        config_file(workspace)
    except NexusFlowError as error:
        show_problems(error.problems)


main()
