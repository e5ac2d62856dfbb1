"""The JSON schema of the configuration file, by which editors complete, explain and check it.

`python -m nexusflow.config_schema` prints it; the copy in `docs/config.schema.json` is held up to date by a test. In an
editor with the YAML language server the first line of a file names it:
`# yaml-language-server: $schema=../docs/config.schema.json`.
"""

import json
from typing import Any

from pydantic import BaseModel

from nexusflow.config import RunConfig

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# What each key says, by the model that it stands in.
DESCRIPTIONS: dict[str, dict[str, str]] = {
    "RunConfig": {
        "project_name": "The name of the project; runs are called so where no other name is given.",
        "target": "What to predict.",
        "datasets": "The tables.",
        "architecture": "The network that joins the tables.",
        "training": "How it is trained.",
        "mlops": "Where runs are logged beside their own record; left out, nowhere.",
    },
    "MlopsConfig": {
        "logging_provider": "stdout, MLflow or Weights & Biases; the last two need an extra.",
        "experiment_name": "The experiment or project there; the project's name where it is not given.",
        "log_attention_patterns": "Also how much each table looks at each other, as a table and a picture.",
        "model_registry": "Register the model with MLflow, whose alias champion follows what is promoted.",
        "performance_monitoring": "Also what every epoch takes: seconds, memory, and the GPU's where there is one.",
    },
    "TargetConfig": {
        "target_table": "The table whose rows are predicted: a dataset's name or file name.",
        "target_column": "The column to predict.",
        "kind": "What kind of target it is; read from the column where it is not given.",
        "cutoff_column": "The time of each target row up to which other rows are read, and no further.",
        "question": "A question over time, in place of a target column.",
        "frozen_at": "The date after which nothing is read for any row.",
        "hidden_columns": "Pairs of table and column that are known only afterwards and never read.",
    },
    "QuestionConfig": {
        "entity_table": "The table whose rows are asked about.",
        "event_table": "The table whose rows are the events.",
        "aggregate": "What is made of the events in the window.",
        "value_column": "The column of the events that is aggregated.",
        "where": "Only events of which all of these hold count.",
        "comparison": "With `threshold` it makes yes or no of the aggregate.",
        "threshold": "What the aggregate is compared with.",
        "horizon": "The length of the window after each date, such as 30 days.",
        "as_of": "The dates on which the question is asked.",
        "eligibility": "Which entities are asked about on a date.",
        "path": "The foreign keys from the events up to the entity, where several ways lead there.",
        "time_column": "The time of the events; the table's own where it is not given.",
        "observed_until": "The moment up to which events were recorded.",
    },
    "ConditionConfig": {
        "column": "A column of the events.",
        "comparison": "How the column is compared.",
        "value": "What it is compared with: a list for `in`, nothing for `is missing`.",
    },
    "AsOfConfig": {
        "spans": "Dates at equal distances.",
        "dates": "Single dates.",
        "each_event": "Ask of each entity as of each of its own events.",
    },
    "DateSpanConfig": {
        "first": "The first date.",
        "every": "The distance between two dates, such as 30 days.",
        "last": "No date is later than this.",
    },
    "EligibilityConfig": {
        "who": "`known`: all that exist by then; `active`: those with a recent event; `in window`: those with an "
        "event in the window, which looks into the future.",
        "within": "How recent an event makes an entity active, such as 90 days.",
        "since": "The date since which an event makes an entity active.",
    },
    "PathStepConfig": {
        "table": "The table that holds the foreign key.",
        "columns": "The columns of the foreign key.",
    },
    "DatasetConfig": {
        "name": "The table's name, or its file name.",
        "path": "The file, relative to this one; else looked for beside it and in datasets/.",
        "table_in_file": "Which table of a workbook, zip or database is meant.",
        "transformer_type": "The encoder that reads the table's rows.",
        "complexity": "Width and depth of the encoder: 128, 256 or 512 wide, 1, 2 or 3 layers.",
        "num_decision_steps": "How often TabNet chooses columns for a row. For TabNet only.",
        "feature_selection": "Columns compete for attention and can drop out: a learned gate before the encoder. "
        "TabNet always selects, by its masks.",
        "use_moe": "A mixture of experts is the encoder's last step; architecture.num_experts says how many.",
        "flash_attention": "How attention over the columns is computed: true without holding its weights, false "
        "with them. Not given: as architecture.use_flash_attn says. Not for TabNet, which has none.",
        "gradient_checkpointing": "Compute the encoder's layers twice in training instead of keeping what is inside "
        "them: less memory, more time, the same numbers. On for every table, it is so for what joins the tables too.",
        "primary_key": "The column or columns that tell the rows apart.",
        "foreign_keys": "References to other tables. Once any dataset names some, the named ones are all there are.",
        "time_column": "The time since which a row is known; without one, rows are taken as always known.",
        "categorical_columns": "Columns that hold categories.",
        "numerical_columns": "Columns that hold numbers.",
        "timestamp_columns": "Columns that hold dates or times.",
        "text_columns": "Columns that hold free text.",
        "ignored_columns": "Columns that are not read.",
    },
    "ForeignKeyConfig": {
        "columns": "The column or columns of this table.",
        "references_table": "The table that they refer to: a dataset's name or file name.",
        "references_columns": "The columns there, in the same order.",
    },
    "ArchitectureConfig": {
        "global_embed_dim": "Numbers that describe a row where tables meet. A multiple of 8.",
        "num_blocks": "Layers of cross-table attention in a pass.",
        "num_heads": "Attention heads; must divide global_embed_dim.",
        "refinement_iterations": "The most passes over the tables.",
        "convergence_threshold": "A row stops once a pass changes its prediction by less than this.",
        "use_moe": "A mixture of experts in place of the network that each table goes through in every block.",
        "num_experts": "How many experts a mixture has; each row goes through the best two.",
        "use_flash_attn": "Attention over columns without holding its weights, for every dataset that does not say "
        "flash_attention itself. Attention between tables is always exact.",
        "cross_attention": "Whether the summaries of tables read each other at all.",
        "top_k_contexts": "Each table looks at no more than so many tables, itself counted: those of the highest "
        "scores. Not given: at all of them.",
        "hops": "How many foreign keys away from the target row is read.",
        "rows_per_key": "The latest rows that are read of each related table.",
        "dropout": "Share of inner values that a training step sets to nothing.",
    },
    "TrainingConfig": {
        "batch_size": "Rows per step; by the number of rows where it is not given.",
        "epochs": "At most so many; by the number of rows and tables where it is not given.",
        "rows_per_epoch": "Of very many rows each epoch draws so many.",
        "optimizer": "How weights are moved.",
        "split_config": "Which rows train, validate and test.",
        "early_stopping": "End the training when patience runs out.",
        "refit": "Go on with the validation rows once they have chosen the epoch.",
        "patience": "Epochs without a lower validation loss before it stops.",
        "gradient_clipping": "The longest step that a batch may ask for; 0: any.",
        "masking": "The chance that a cell is hidden, in a training step that hides any.",
        "distillation": "The share of each training target that gradient boosting answers; 0: none.",
        "weight_averaging": "The share of the running average of weights that stays at each step; 0: no average.",
        "seed": "Draws weights and batches.",
        "device": "Where it runs.",
        "distributed_strategy": "How several processes train one model: ddp, each with all of it, or on GPUs fsdp and "
        "deepspeed, each with a part. Not given: ddp, where there are several.",
        "devices": "How many processes train on each machine, the numbers of their GPUs, or auto: one for every GPU. "
        "Not given: one, or what torchrun says.",
        "num_nodes": "On how many machines; torchrun starts it on each. Not given: what torchrun says.",
        "precision": "The precision of the numbers.",
        "max_minutes": "For the whole run.",
        "baselines": "Train gradient boosting and the plain majority or mean beside it.",
        "interval": "The chance with which the interval of a predicted value is to hold the truth.",
        "use_advanced_preprocessing": "Numbers go through the quantiles of the training rows, which neither outliers "
        "nor skew distort; false: through mean and standard deviation.",
        "auto_detect_types": "Columns that are named nowhere are typed from their values; false: each has to be named.",
        "handle_missing": "advanced: a missing cell is told as missing, and what that means is learned; simple: the "
        "median, the most frequent category or the median moment stands in for it (text stays missing).",
        "feature_tokenization": "Every column is a token of its own. That is how encoders read; false is refused.",
    },
    "OptimizerConfig": {
        "name": "The optimizer.",
        "lr": "The highest learning rate; it warms up and falls along a cosine.",
        "weight_decay": "How strongly weights are drawn to zero.",
    },
    "SplitConfig": {
        "test_size": "The share of examples that test.",
        "validation_size": "The share of examples that validate.",
        "randomize": "true: drawn by entity; false: by time, the latest test.",
        "seed": "Draws the split.",
        "group_by": "Rows with equal values here are never on two sides; the primary key where it is empty.",
        "validation_from": "The date on which validation begins, with test_from.",
        "test_from": "The date on which the test begins, with validation_from.",
    },
}
# A single name stands for a list of one.
ONE_OR_MORE = {
    ("DatasetConfig", "primary_key"),
    ("ForeignKeyConfig", "columns"),
    ("ForeignKeyConfig", "references_columns"),
    ("PathStepConfig", "columns"),
    ("SplitConfig", "group_by"),
}
NOT_TO_BE_GIVEN = {"feature_tokenization": {"const": True}}


def json_schema() -> dict[str, Any]:
    """The JSON schema of `RunConfig`, with a description of every key.

    What depends on several keys at once, or on the tables, it cannot tell: `nexusflow train` does.
    """
    schema = RunConfig.model_json_schema()
    definitions = schema["$defs"]
    for name, part in {**definitions, "RunConfig": schema}.items():
        part.pop("description", None)
        for key, field in part["properties"].items():
            field.pop("title", None)
            if (name, key) in ONE_OR_MORE:
                default = field.pop("default", None)
                part["properties"][key] = field = {"anyOf": [{"type": "string"}, field]}
                field |= {} if default is None else {"default": default}
            field |= NOT_TO_BE_GIVEN.get(key, {})
            field["description"] = DESCRIPTIONS[name][key]
    return {"$schema": DIALECT, **schema, "title": "NexusFlow configuration"}


def models(model: type[BaseModel] = RunConfig) -> dict[str, type[BaseModel]]:
    """The model and all that stand under it, by name."""
    found = {model.__name__: model}
    for field in model.model_fields.values():
        for inner in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                found |= models(inner)
    return found


def schema_text() -> str:
    """The schema as it is written to a file."""
    return json.dumps(json_schema(), indent=1) + "\n"


if __name__ == "__main__":
    print(schema_text(), end="")
