"""A small trained model whose truth is known, for every test of explanations."""

import numpy as np
import pandas as pd
import pytest
import torch
from random_database import SCHEMA, TASK, random_frames, table_set

from nexusflow.artifact import TrainedModel, build_model
from nexusflow.config import ArchitectureConfig, DatasetConfig, RunConfig, TargetConfig, TrainingConfig
from nexusflow.data.examples import make_examples, scoring_examples
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.train.loop import fit
from nexusflow.train.run import Run, RunStatus


def _frames() -> dict[str, pd.DataFrame]:
    """A database in which the number of late, large orders decides, and nothing else does."""
    rng = np.random.default_rng(0)
    frames = random_frames(7, customers=400, orders=2400)
    orders, customers = frames["orders"], frames["customers"]
    orders["amount"] = rng.exponential(10, len(orders))
    joined = orders.merge(customers[["customer", "as_of"]], on="customer")
    known = joined[joined["when"] <= joined["as_of"]]
    mean = customers["customer"].map(known.groupby("customer")["amount"].mean()).fillna(0.0)
    frames["customers"] = customers.assign(left=(mean > mean.median()).astype(int))
    return frames


@pytest.fixture(scope="package")
def opened() -> tuple[TrainedModel, Reader]:
    torch.manual_seed(0)
    tables = table_set(_frames())
    examples = make_examples(tables, SCHEMA, TASK)
    fitted = fit_preprocessing(tables, SCHEMA, TASK, examples, hops=2, rows_per_key=4)
    encoders = {"orders": "tabnet", "items": "standard"}
    config = RunConfig(
        target=TargetConfig(target_table="customers", target_column="left"),
        datasets=tuple(
            DatasetConfig.model_validate({"name": n, "transformer_type": encoders.get(n, "ft_transformer")})
            for n in SCHEMA.tables
        ),
        architecture=ArchitectureConfig(global_embed_dim=16, num_heads=2, dropout=0.0),
        training=TrainingConfig(epochs=12, batch_size=64),
    )
    model = build_model(config, fitted)
    fit(
        model=model,
        reader=Reader(fitted, tables, examples),
        training=config.training,
        on_event=lambda event: None,
        should_stop=lambda: False,
        run_id="planted",
    )
    run = Run(
        id="planted",
        name="planted",
        status=RunStatus.FINISHED,
        created="2026-01-01T00:00:00+00:00",
        config=config.model_dump(mode="json"),
        task=TASK.to_dict(),
        schema_fingerprint=SCHEMA.fingerprint(),
        data_sha256={},
        seed=0,
    )
    trained = TrainedModel(model=model, preprocessing=fitted, config=config, run=run)
    return trained, Reader(fitted, tables, scoring_examples(tables, SCHEMA, TASK))
