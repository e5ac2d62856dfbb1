"""The configuration that NexusFlow promises to train, as it is, from a project folder of three CSVs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nexusflow.artifact import load_model
from nexusflow.config import read_config
from nexusflow.errors import ConfigError, DataError
from nexusflow.nn.attention import SelfAttention
from nexusflow.services.projects import load_project
from nexusflow.services.runner import model_folder, new_run, run_training
from nexusflow.services.storage import RunStore
from nexusflow.train.run import RunStatus

FILE = """\
project_name: customer_churn
target:
  target_table: customers.csv
  target_column: churn_risk
datasets:
  - name: customers.csv
    transformer_type: ft_transformer
    complexity: large
    primary_key: customer_id
  - name: transactions.csv
    transformer_type: tabnet
    complexity: medium
    primary_key: transaction_id
    foreign_keys:
      - columns: customer_id
        references_table: customers.csv
        references_columns: customer_id
  - name: support_tickets.csv
    transformer_type: standard
    complexity: small
    foreign_keys:
      - columns: customer_id
        references_table: customers.csv
        references_columns: customer_id
architecture:
  global_embed_dim: 256
  refinement_iterations: 6
  use_moe: true
  num_experts: 8
  use_flash_attn: true
"""
# Every further key that is promised, each with a value that is not its default.
MORE = (
    FILE.replace("complexity: large\n", "complexity: small\n")
    .replace("complexity: medium\n", "complexity: small\n    num_decision_steps: 2\n    use_moe: true\n")
    .replace(
        "    primary_key: customer_id\n",
        "    primary_key: customer_id\n    categorical_columns: [plan]\n    numerical_columns: [age]\n"
        "    feature_selection: true\n    flash_attention: false\n    gradient_checkpointing: true\n",
    )
    .replace(
        "    primary_key: transaction_id\n",
        "    primary_key: transaction_id\n    numerical_columns: [amount]\n    feature_selection: true\n",
    )
    .replace("transformer_type: standard\n", "transformer_type: standard\n    categorical_columns: [topic]\n")
    .replace("global_embed_dim: 256", "global_embed_dim: 16\n  top_k_contexts: 2")
    + "training:\n  epochs: 1\n  device: cpu\n  baselines: false\n  use_advanced_preprocessing: false\n"
    "  auto_detect_types: false\n  handle_missing: simple\n  feature_tokenization: true\n"
)


def write_tables(folder: Path) -> None:
    rng = np.random.default_rng(0)
    ids = [f"C{n}" for n in range(80)]
    amounts = rng.exponential(size=160)
    who = rng.integers(0, 80, 160)
    spent = pd.Series(amounts).groupby(who).sum().reindex(range(80), fill_value=0)
    frames = {
        "customers": pd.DataFrame(
            {
                "customer_id": ids,
                "age": np.where(rng.random(80) < 0.2, np.nan, rng.integers(18, 90, 80)),
                "plan": rng.choice(["a", "b", None], 80),
                "churn_risk": (spent < spent.median()).astype(int),
            }
        ),
        "transactions": pd.DataFrame(
            {"transaction_id": range(160), "customer_id": np.array(ids)[who], "amount": amounts.round(3)}
        ),
        "support_tickets": pd.DataFrame(
            {"customer_id": rng.choice(ids, 60), "topic": rng.choice(["price", "access"], 60)}
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)


def project(root: Path, text: str, *, beside: bool = False) -> Path:
    """A project folder; the tables lie in datasets/, or beside the file."""
    path = root / "configs" / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    write_tables(path.parent if beside else root / "datasets")
    return path


def trained(path: Path):
    """Trained as the command line trains it, and loaded again."""
    config, tables, schema, task = load_project(path)
    store = RunStore(path.parent / "runs")
    store.create(new_run("r-1", name=config.project_name, config=config, schema=schema, task=task))
    run = run_training(
        config=config,
        tables=tables,
        schema=schema,
        task=task,
        store=store,
        run_id="r-1",
        on_event=lambda event: None,
        should_stop=lambda: False,
    )
    assert run.status is RunStatus.FINISHED, run.error
    return run, load_model(model_folder(store, "r-1"))


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_promised_file_trains_as_it_is(tmp_path: Path) -> None:
    # One epoch, for the time that it takes; the file says nothing of it.
    path = project(tmp_path, FILE + "training: {epochs: 1, baselines: false}\n")
    run, loaded = trained(path)
    config = loaded.config
    assert (config.architecture.global_embed_dim, config.architecture.num_experts) == (256, 8)
    assert set(loaded.preprocessing.layout.tables) == {"customers", "transactions", "support_tickets"}
    ways = [m.fused for m in loaded.model.modules() if isinstance(m, SelfAttention)]
    assert len(ways) == 3 + 1 and all(ways), "three layers of a large encoder, one of a small one"
    assert run.metrics["test"]


def test_the_promised_file_says_all_that_is_needed(tmp_path: Path) -> None:
    config, tables, schema, task = load_project(project(tmp_path, FILE, beside=True))
    assert config == read_config(FILE, source="again")
    assert (task.entity_table, task.target_column, str(task.kind)) == ("customers", "churn_risk", "binary")
    assert [str(key) for key in schema.foreign_keys] == [
        "transactions(customer_id) → customers(customer_id)",
        "support_tickets(customer_id) → customers(customer_id)",
    ]
    assert len(tables) == 3


def test_every_further_key_reaches_the_network_and_what_it_reads(tmp_path: Path) -> None:
    _, loaded = trained(project(tmp_path, MORE))
    customers, transactions, tickets = loaded.model.encoders
    assert list(loaded.model.layout.tables) == ["customers", "transactions", "support_tickets"]
    assert customers.gate is not None and customers.checkpointing and not tickets.checkpointing
    assert transactions.experts is not None and transactions.gate is None and transactions.steps == 2
    assert {m.fused for m in customers.modules() if isinstance(m, SelfAttention)} == {False}
    assert {m.fused for m in tickets.modules() if isinstance(m, SelfAttention)} == {True}
    assert all(block.cross.contexts == 2 for block in loaded.model.blocks)
    featurizer = loaded.preprocessing.featurizers["customers"]
    assert featurizer.fills and list(featurizer.numeric) == ["age"]
    assert type(featurizer.numeric["age"]).__name__ == "StandardScale"


@pytest.mark.parametrize(
    ("right", "wrong", "line", "words"),
    [
        ("target_table: customers.csv", "target_table: customer.csv", 3, "Did you mean 'customers'?"),
        ("target_column: churn_risk", "target_column: churnrisk", 4, "Did you mean 'churn_risk'?"),
        ("primary_key: transaction_id", "primary_key: transactionid", 13, "Did you mean 'transaction_id'?"),
        ("      - columns: customer_id", "      - columns: custmer_id", 15, "Did you mean 'customer_id'?"),
        (
            "references_table: customers.csv",
            "references_table: clients.csv",
            16,
            "The datasets are: customers",
        ),
        ("references_columns: customer_id", "references_columns: agee", 17, "Did you mean 'age'?"),
        (
            "primary_key: transaction_id",
            "text_columns:\n    - amount\n    - amuont",
            15,
            "Did you mean 'amount'?",
        ),
        ("primary_key: transaction_id", "time_column: when", 13, "Its columns are: transaction_id"),
        ("  - name: support_tickets.csv", "  - name: tickets.csv", 18, "Name it by `path`"),
        ("complexity: large", "text_columns: [plan]\n    ignored_columns: [plan]", 9, "under two kinds"),
        ("architecture:", "training: {auto_detect_types: false}\narchitecture:", 6, "'age', 'plan'."),
    ],
)
def test_what_does_not_fit_the_tables_is_told_with_its_line(
    tmp_path: Path, right: str, wrong: str, line: int, words: str
) -> None:
    assert right in FILE
    path = project(tmp_path, FILE.replace(right, wrong, 1))
    with pytest.raises((ConfigError, DataError)) as caught:
        load_project(path)
    first = str(caught.value.problems[0])
    assert first.startswith(f"file {path}, line {line}"), first
    assert words in first
