"""Does NexusFormer earn its keep on the churn sample? `python -m benchmarks.churn.run`

Three seeds of the default settings on one split, beside LightGBM on the same aggregates and the generator's own
probability, which is the ceiling.
"""

import json
from pathlib import Path

import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.compare import Question, compare
from benchmarks.report import write_report
from nexusflow.config import ArchitectureConfig, TrainingConfig
from nexusflow.data.examples import make_examples
from nexusflow.data.load import load_files
from nexusflow.data.schema import Schema
from nexusflow.data.task import Part, Task
from sample_data import SAMPLES, sample_tables

SEEDS = [0, 1, 2]
ENCODER = "ft_transformer"


def question() -> Question:
    """The churn sample with its own schema and task."""
    folder = SAMPLES["churn"].folder
    return Question(
        tables=load_files(sample_tables("churn")),
        schema=Schema.from_dict(json.loads((folder / "schema.json").read_text(encoding="utf-8"))),
        task=Task.from_dict(json.loads((folder / "task.json").read_text(encoding="utf-8"))),
    )


def ceiling(asked: Question) -> float:
    """AUROC on the test rows of the probability that their labels were drawn with."""
    examples = make_examples(asked.tables, asked.schema, asked.task).part(Part.TEST)
    truth = pd.read_csv(SAMPLES["churn"].folder / "truth" / "probability.csv").set_index("customer_id")
    customers = asked.tables["customers"].frame["customer_id"].iloc[examples.row_N]
    return float(roc_auc_score(examples.target_N.astype(int), truth.loc[customers, "probability"]))


def main() -> None:
    """Run, and write the report beside this file."""
    asked = question()
    architecture, training = ArchitectureConfig(), TrainingConfig()
    results = compare(asked, architecture, training, SEEDS, ENCODER)
    best = ceiling(asked)
    test = results["methods"]["NexusFormer"]["test"]["mean"]
    config = {
        "seeds": SEEDS,
        "encoder": ENCODER,
        "architecture": architecture.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
    }
    write_report(Path(__file__).parent, config, {**results, "ceiling": best, "below_ceiling": best - test})


if __name__ == "__main__":
    main()
