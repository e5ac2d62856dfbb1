"""Where runs are logged beside their own record: the `mlops` part of the configuration."""

import streamlit as st

from nexusflow.config import MlopsConfig
from nexusflow.services.tracking.watch import TITLES, missing_provider
from ui.escape import md_escape

NOWHERE = "Nowhere else"
NAMES = {NOWHERE: NOWHERE, "mlflow": TITLES["mlflow"], "wandb": TITLES["wandb"], "stdout": "Server output"}
PLACES = {
    "mlflow": "On the server that `MLFLOW_TRACKING_URI` names, else in a file beside the runs of this project.",
    "wandb": "Online where `WANDB_API_KEY` is set, else in files beside the runs, for `wandb sync`.",
    "stdout": "A line per epoch on the standard output of this server.",
}


def mlops_inputs(now: MlopsConfig | None) -> MlopsConfig | None:
    """The fields, and what they say."""
    st.caption(
        "Every run is kept here with all its figures. It can be logged to a place of your own besides."
    )
    one, two = st.columns(2)
    provider = one.selectbox(
        "Log runs to",
        list(NAMES),
        index=list(NAMES).index(now.logging_provider if now else NOWHERE),
        format_func=NAMES.__getitem__,
        key="logging_provider",
    )
    if provider == NOWHERE:
        return None
    name = two.text_input(
        "Experiment",
        (now.experiment_name if now else None) or "",
        placeholder="The project's name",
        max_chars=120,
        key="experiment_name",
    )
    now = now or MlopsConfig()
    # As wide as their names: in columns of a narrow page these are cut.
    switches = st.container(horizontal=True, gap="medium")
    attention = switches.toggle(
        "Attention maps",
        now.log_attention_patterns,
        help="How much each table looks at each other, as a table and a picture.",
        key="log_attention_patterns",
    )
    performance = switches.toggle(
        "Time and memory",
        now.performance_monitoring,
        help="What every epoch takes: seconds, memory, and the GPU's where there is one.",
        key="performance_monitoring",
    )
    register = provider == "mlflow" and switches.toggle(
        "Register the model",
        now.model_registry,
        help="Each run becomes a version of a registered model; the alias champion follows the Models page.",
        key="model_registry",
    )
    st.caption(PLACES[provider])
    mlops = MlopsConfig(
        logging_provider=provider,
        experiment_name=name.strip() or None,
        log_attention_patterns=attention,
        performance_monitoring=performance,
        model_registry=register,
    )
    if missing := missing_provider(mlops):
        st.warning(md_escape(missing), icon=":material/warning:")
    return mlops
