"""Does NexusFormer earn its keep on the churn sample? `python -m benchmarks.churn.run`

Three seeds of the default settings, each with its own split (750 test rows alone would measure the luck of one draw),
beside LightGBM on the same aggregates and the generator's own probability, which is the ceiling.
"""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.compare import Question, compare
from benchmarks.report import spread, write_report
from nexusflow.config import ArchitectureConfig, TrainingConfig
from nexusflow.data.examples import make_examples
from nexusflow.data.load import load_files
from nexusflow.data.schema import Schema
from nexusflow.data.task import Part, Task
from sample_data import SAMPLES, sample_tables

SEEDS = [0, 1, 2]
ENCODER = "ft_transformer"


def question(seed: int) -> Question:
    """The churn sample with its own schema and task, split by this seed."""
    folder = SAMPLES["churn"].folder
    task = Task.from_dict(json.loads((folder / "task.json").read_text(encoding="utf-8")))
    return Question(
        tables=load_files(sample_tables("churn")),
        schema=Schema.from_dict(json.loads((folder / "schema.json").read_text(encoding="utf-8"))),
        task=replace(task, split=replace(task.split, seed=seed)),
    )


def ceiling(asked: Question) -> float:
    """AUROC on the test rows of the probability that their labels were drawn with."""
    examples = make_examples(asked.tables, asked.schema, asked.task).part(Part.TEST)
    truth = pd.read_csv(SAMPLES["churn"].folder / "truth" / "probability.csv").set_index("customer_id")
    customers = asked.tables["customers"].frame["customer_id"].iloc[examples.row_N]
    return float(roc_auc_score(examples.target_N.astype(int), truth.loc[customers, "probability"]))


def main() -> None:
    """Run, and write the report beside this file."""
    architecture, training = ArchitectureConfig(), TrainingConfig()
    results = compare(question, architecture, training, SEEDS, ENCODER)
    best = spread([ceiling(question(seed)) for seed in SEEDS])
    below = best["mean"] - results["methods"]["NexusFormer"]["test"]["mean"]
    config = {
        "seeds": SEEDS,
        "encoder": ENCODER,
        "architecture": architecture.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
    }
    write_report(Path(__file__).parent, config, {**results, "ceiling": best, "below_ceiling": below})


if __name__ == "__main__":
    main()
