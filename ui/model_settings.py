"""The fields of the Model page: the network, and how it is trained."""

import streamlit as st

from nexusflow.config import ArchitectureConfig, OptimizerConfig, TrainingConfig
from ui.settings import checked

DEVICES = {"auto": "Whatever is there", "cpu": "Processor", "cuda": "Graphics card"}


MISSING = {"advanced": "Told as missing", "simple": "Filled with the usual value"}


def architecture_inputs(now: ArchitectureConfig, *, table_experts: bool = False) -> ArchitectureConfig:
    """The settings of the network; with `table_experts` some table's encoder has experts of its own."""
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
        "dropout": two.number_input(
            "Dropout",
            0.0,
            0.9,
            float(now.dropout),
            0.05,
            help="Share of the network's inner values that is set to nothing at each step of the training, "
            "so that it does not learn rows by heart.",
            key="dropout",
        ),
    }
    experts = three.container()
    left, right, _ = st.columns(3)
    use_moe = left.toggle(
        "Mixture of experts",
        now.use_moe,
        help="Several small networks in place of one per layer; each row goes through two of them.",
        key="use_moe",
    )
    values["num_experts"] = experts.number_input(
        "Experts", 2, 32, now.num_experts, disabled=not (use_moe or table_experts), key="num_experts"
    )
    values["use_flash_attn"] = right.toggle(
        "Flash attention over columns",
        now.use_flash_attn,
        help="Never holds the weights between all pairs of columns: memory grows with the number of columns and not "
        "with its square. The numbers are the same but for rounding. A table's card may say otherwise.",
        key="use_flash_attn",
    )
    values["top_k_contexts"] = one.number_input(
        "Context tables",
        1,
        100,
        now.top_k_contexts,
        placeholder="All",
        help="Each table looks at no more than so many tables, itself counted: those that it scores highest. Left "
        "empty: at all of them.",
        key="top_k_contexts",
    )
    return checked(ArchitectureConfig, now, {**values, "use_moe": use_moe})


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
            "in about ten minutes on two cores, or in the time budget below, 4 to 30; of very many rows each epoch "
            "draws some.",
            key="epochs",
        ),
        "batch_size": two.number_input(
            "Batch size",
            1,
            8192,
            now.batch_size,
            placeholder="By the rows",
            help="Rows read at each step. Left empty: 256 for 3,000 to 20,000 training rows, fewer below, more above.",
            key="batch_size",
        ),
        "patience": three.number_input(
            "Patience",
            1,
            100,
            now.patience,
            help="Epochs without a lower validation loss before it stops.",
            key="patience",
        ),
        "gradient_clipping": one.number_input(
            "Gradient clipping",
            0.0,
            100.0,
            float(now.gradient_clipping),
            0.5,
            help="The longest step that one batch may ask for. 0: any.",
            key="gradient_clipping",
        ),
        "masking": two.number_input(
            "Masking",
            0.0,
            0.9,
            float(now.masking),
            0.05,
            help="In one of four training steps each cell is hidden with this chance, rows and tables with half of "
            "it; explanations hide them too.",
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
            help="The weights kept are a running average; this share of it stays at each step. 0: no average.",
            key="weight_averaging",
        ),
        "seed": two.number_input(
            "Seed",
            0,
            2**31 - 1,
            now.seed,
            help="The same seed with the same data and settings gives the same model.",
            key="seed",
        ),
    }
    percent = one.number_input(
        "Intervals hold, %",
        50.0,
        99.0,
        100 * now.interval,
        5.0,
        format="%.4g",
        help="How often the interval of a predicted value is to hold the actual one. For values only.",
        key="interval",
    )
    minutes = three.number_input(
        "Time budget in minutes",
        0.0,
        10000.0,
        float(now.max_minutes or 0.0),
        5.0,
        help="For the whole run, baselines and scoring counted in. The learning rate comes down to zero within it. "
        "0: none.",
        key="max_minutes",
    )
    device = two.selectbox(
        "Runs on",
        list(DEVICES),
        index=list(DEVICES).index(now.device),
        format_func=DEVICES.__getitem__,
        key="device",
    )
    optimizer = optimizer_inputs(now.optimizer)
    one, two, three = st.columns(3)
    early = one.toggle(
        "Early stopping",
        now.early_stopping,
        help="Ends the training when patience runs out.",
        key="early_stopping",
    )
    refit = two.toggle(
        "Refit at the end",
        now.refit,
        help="Once the validation rows have chosen the epoch, training goes on with them for three tenths as long. "
        "They are often the latest rows there are. Their scores are of the network before that.",
        key="refit",
    )
    baselines = three.toggle(
        "Baselines",
        now.baselines,
        help="Trains LightGBM and the plain majority or mean too, for comparison.",
        key="baselines",
    )
    missing = one.selectbox(
        "Missing cells",
        list(MISSING),
        index=list(MISSING).index(now.handle_missing),
        format_func=MISSING.__getitem__,
        help="Told as missing: the network learns what it means that a cell is empty. Filled: the median, the most "
        "frequent category or the median moment stands in for it. Text stays missing.",
        key="handle_missing",
    )
    advanced = two.toggle(
        "Numbers by quantiles",
        now.use_advanced_preprocessing,
        help="Neither outliers nor skew distort them. Off: by mean and standard deviation.",
        key="use_advanced_preprocessing",
    )
    extra = {
        "handle_missing": missing,
        "use_advanced_preprocessing": advanced,
        "device": device,
        "optimizer": optimizer,
        "max_minutes": minutes or None,
        "interval": round(percent / 100, 4),
        "early_stopping": early,
        "refit": refit,
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
        "lr": two.number_input(
            "Learning rate",
            1e-6,
            1.0,
            float(now.lr),
            1e-4,
            format="%.6f",
            help="How far each step goes. Lower it where the loss jumps.",
            key="lr",
        ),
        "weight_decay": three.number_input(
            "Weight decay",
            0.0,
            1.0,
            float(now.weight_decay),
            1e-3,
            format="%.4f",
            help="How strongly weights are drawn to zero.",
            key="weight_decay",
        ),
    }
    return checked(OptimizerConfig, now, values)
