"""Model: an encoder for each table, the network that joins them, and how it is trained."""

import streamlit as st

from nexusflow.config import ArchitectureConfig, OptimizerConfig, TrainingConfig
from nexusflow.errors import ConfigError, NexusFlowError
from nexusflow.services.workspace import EncoderChoice, Workspace
from ui import state
from ui.config_file import config_file
from ui.escape import code
from ui.navigation import go_to
from ui.page import begin, empty
from ui.problems import attempt, show_problems
from ui.settings import ENCODERS, checked

ENCODER_WORDS = {
    "ft_transformer": "Attends from column to column. A good start for most tables.",
    "tabnet": "Picks a few columns at each of several steps. Its masks show which.",
    "standard": "A plain transformer over the columns. The lightest reference.",
}
SIZES = {"small": "Small", "medium": "Medium", "large": "Large"}
DEVICES = {"auto": "Whatever is there", "cpu": "Processor", "cuda": "Graphics card"}
STEPS_USUAL = 3


def encoder_cards(workspace: Workspace) -> dict[str, EncoderChoice]:
    """A card per table to choose its encoder; gives the choices."""
    schema, chosen = workspace.schema(), {}
    grid = st.grid(3, min_column_width=260)
    for place, (name, before) in enumerate(workspace.encoders().items()):
        with grid.cell(), st.container(border=True, height="stretch", key=f"encoder_card_{place}"):
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
            chosen[name] = EncoderChoice(transformer_type=kind, complexity=size, num_decision_steps=steps)
    return chosen


def architecture_inputs(now: ArchitectureConfig) -> ArchitectureConfig:
    """The settings of the network."""
    one, two, three = st.columns(3)
    values = {
        "global_embed_dim": one.number_input(
            "Width",
            8,
            1024,
            now.global_embed_dim,
            8,
            help="Numbers that describe a row where tables meet. A multiple of 8.",
            key="global_embed_dim",
        ),
        "num_heads": two.number_input(
            "Attention heads", 1, 16, now.num_heads, help="Must divide the width.", key="num_heads"
        ),
        "num_blocks": three.number_input(
            "Blocks",
            1,
            8,
            now.num_blocks,
            help="Layers of cross-table attention in a pass.",
            key="num_blocks",
        ),
        "hops": one.number_input(
            "Hops",
            0,
            3,
            now.hops,
            help="How many relations away from the row the network reads. 0: the row alone.",
            key="hops",
        ),
        "rows_per_key": two.number_input(
            "Rows per key",
            1,
            64,
            now.rows_per_key,
            help="The latest rows read of each related table, such as the last 8 transactions.",
            key="rows_per_key",
        ),
        "refinement_iterations": three.number_input(
            "Refinement passes",
            1,
            12,
            now.refinement_iterations,
            help="The most passes over the tables. A row whose prediction has settled stops earlier.",
            key="refinement_iterations",
        ),
        "convergence_threshold": one.number_input(
            "Settled below",
            0.0,
            1.0,
            float(now.convergence_threshold),
            0.005,
            format="%.3f",
            help="A row stops when a pass changes its prediction by less than this.",
            key="convergence_threshold",
        ),
        "dropout": two.number_input("Dropout", 0.0, 0.9, float(now.dropout), 0.05, key="dropout"),
    }
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        use_moe = st.toggle(
            "Mixture of experts",
            now.use_moe,
            help="Several feed-forward experts per layer; each row uses a few.",
            key="use_moe",
        )
        experts = st.number_input(
            "Experts", 2, 32, now.num_experts, disabled=not use_moe, key="num_experts", width=180
        )
    return checked(ArchitectureConfig, now, {**values, "use_moe": use_moe, "num_experts": experts})


def training_inputs(now: TrainingConfig) -> TrainingConfig:
    """The settings of the training."""
    one, two, three = st.columns(3)
    values = {
        "epochs": one.number_input(
            "Epochs",
            1,
            1000,
            now.epochs,
            placeholder="By the rows",
            help="At most; early stopping may end sooner. Left empty: as many as the rows and tables leave time for "
            "in about ten minutes on two cores, 30 at most.",
            key="epochs",
        ),
        "batch_size": two.number_input("Batch size", 1, 8192, now.batch_size, key="batch_size"),
        "patience": three.number_input(
            "Patience",
            1,
            100,
            now.patience,
            help="Epochs without a better validation score before it stops.",
            key="patience",
        ),
        "gradient_clipping": one.number_input(
            "Gradient clipping",
            0.0,
            100.0,
            float(now.gradient_clipping),
            0.5,
            help="0: none.",
            key="gradient_clipping",
        ),
        "masking": two.number_input(
            "Masking",
            0.0,
            0.9,
            float(now.masking),
            0.05,
            help="Chance that a cell is hidden in training, and half of it for rows and tables; "
            "explanations hide them too.",
            key="masking",
        ),
        "distillation": one.number_input(
            "Taught by boosting",
            0.0,
            1.0,
            float(now.distillation),
            0.1,
            help="Share of each training target that gradient boosting answers which never saw the row. 0: none.",
            key="distillation",
        ),
        "weight_averaging": three.number_input(
            "Weight averaging",
            0.0,
            0.9999,
            float(now.weight_averaging),
            0.01,
            format="%.4f",
            help="Decay of the averaged weights that are kept. 0: none.",
            key="weight_averaging",
        ),
        "device": one.selectbox(
            "Runs on",
            list(DEVICES),
            index=list(DEVICES).index(now.device),
            format_func=DEVICES.__getitem__,
            key="device",
        ),
        "seed": two.number_input("Seed", 0, 2**31 - 1, now.seed, key="seed"),
    }
    minutes = three.number_input(
        "Time limit in minutes",
        0.0,
        10000.0,
        float(now.max_minutes or 0.0),
        5.0,
        help="0: none.",
        key="max_minutes",
    )
    optimizer = optimizer_inputs(now.optimizer)
    with st.container(horizontal=True, gap="large"):
        early = st.toggle("Early stopping", now.early_stopping, key="early_stopping")
        baselines = st.toggle(
            "Train baselines too",
            now.baselines,
            help="LightGBM and the plain majority or mean, for comparison.",
            key="baselines",
        )
    extra = {
        "optimizer": optimizer,
        "max_minutes": minutes or None,
        "early_stopping": early,
        "baselines": baselines,
    }
    return checked(TrainingConfig, now, {**values, **extra})


def optimizer_inputs(now: OptimizerConfig) -> OptimizerConfig:
    """The optimizer's settings."""
    one, two, three = st.columns(3)
    names = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD"}
    values = {
        "name": one.selectbox(
            "Optimizer",
            list(names),
            index=list(names).index(now.name),
            format_func=names.__getitem__,
            key="optimizer",
        ),
        "lr": two.number_input("Learning rate", 1e-6, 1.0, float(now.lr), 1e-4, format="%.6f", key="lr"),
        "weight_decay": three.number_input(
            "Weight decay", 0.0, 1.0, float(now.weight_decay), 1e-3, format="%.4f", key="weight_decay"
        ),
    }
    return checked(OptimizerConfig, now, values)


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
    encoders = encoder_cards(workspace)
    try:
        with st.expander("Network", icon=":material/hub:"):
            architecture = architecture_inputs(workspace.architecture())
        with st.expander("Training", icon=":material/fitness_center:", expanded=True):
            training = training_inputs(workspace.training())
    except ConfigError as error:
        show_problems(error.problems)
        return
    saved = (encoders, architecture, training) == (
        workspace.encoders(),
        workspace.architecture(),
        workspace.training(),
    )
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.markdown(":green[:material/check_circle: Saved]" if saved else ":orange[Not saved yet]")
        if st.button(
            "Save and continue", type="primary", key="save_model", icon=":material/save:"
        ) and attempt(
            lambda: workspace.save_model_settings(
                encoders=encoders, architecture=architecture, training=training
            )
        ):
            state.tell("The model settings are saved.")
            go_to("train")
    try:
        config_file(workspace)
    except NexusFlowError as error:
        show_problems(error.problems)


main()
