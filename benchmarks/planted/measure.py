"""What every picture says of a model whose truth is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr

from benchmarks.planted.database import NOISE, TARGETS, Planted, question
from nexusflow.artifact import TrainedModel, build_model
from nexusflow.config import DatasetConfig, RunConfig, TargetConfig, TrainingConfig
from nexusflow.data.examples import make_examples
from nexusflow.data.preprocessing import fit_preprocessing
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.explain.ablation import ablation
from nexusflow.explain.attention import attention_maps, table_attention
from nexusflow.explain.attribution import by_column, integrated_gradients
from nexusflow.explain.faithfulness import deletion_check
from nexusflow.explain.flow import flow, reference
from nexusflow.explain.hiding import columns, roles
from nexusflow.explain.infidelity import infidelity, scores_of
from nexusflow.explain.masks import tabnet_masks
from nexusflow.explain.rows_read import rows_read
from nexusflow.services.noise import within_noise
from nexusflow.train.loop import fit
from nexusflow.train.metrics import score
from nexusflow.train.predictor import predict_logits
from nexusflow.train.run import Run, RunStatus
from nexusflow.train.runtime import seed_everything

# The tables that TabNet reads; the others have the default encoder.
TABNET = ("orders", "tickets", *NOISE)
# The share of what a table says from which on masks can be held to it.
READ = 0.2
Floats = npt.NDArray[np.floating[Any]]


def train(target: str, seed: int, customers: int, epochs: int | None) -> tuple[TrainedModel, Reader, Floats]:
    """A model of a planted target with the default settings, and the probability that each label was drawn with."""
    asked, probability = question(target, seed, customers)
    examples = make_examples(asked.tables, asked.schema, asked.task)
    config = RunConfig(
        target=TargetConfig(target_table="customers", target_column="left"),
        datasets=tuple(
            DatasetConfig.model_validate(
                {"name": name, "transformer_type": "tabnet" if name in TABNET else "ft_transformer"}
            )
            for name in asked.tables
        ),
        training=TrainingConfig(seed=seed, epochs=epochs),
    )
    preprocessing = fit_preprocessing(
        asked.tables,
        asked.schema,
        asked.task,
        examples,
        hops=config.architecture.hops,
        rows_per_key=config.architecture.rows_per_key,
    )
    reader = Reader(preprocessing, asked.tables, examples)
    seed_everything(seed)
    model = build_model(config, preprocessing)
    fit(
        model=model,
        reader=reader,
        training=config.training,
        on_event=lambda event: None,
        should_stop=lambda: False,
        run_id=target,
    )
    run = Run(
        id=target,
        name=target,
        status=RunStatus.FINISHED,
        created="2026-01-01T00:00:00+00:00",
        config=config.model_dump(mode="json"),
        task=asked.task.to_dict(),
        schema_fingerprint=asked.schema.fingerprint(),
        data_sha256={},
        seed=seed,
    )
    trained = TrainedModel(model=model, preprocessing=preprocessing, config=config, run=run)
    return trained, reader, probability[examples.row_N]


def reader_of(trained: TrainedModel, target: str, seed: int, customers: int) -> tuple[Reader, Floats]:
    """What a model that is kept reads, and the probability that each label was drawn with."""
    asked, probability = question(target, seed, customers)
    examples = make_examples(asked.tables, asked.schema, asked.task)
    return Reader(trained.preprocessing, asked.tables, examples), probability[examples.row_N]


def measure(
    target: str, trained: TrainedModel, reader: Reader, probability_N: Floats, *, rows: int
) -> dict[str, Any]:
    """Every picture's first places, what it gives to tables that say nothing, and how it stands to ablation.

    Over so many test rows; attributions are made of a quarter of them.
    """
    plan, test = TARGETS[target], np.flatnonzero(reader.examples.part_N == str(Part.TEST))
    index, few = test[:rows], test[: rows // 4]
    said = trained.preprocessing.unscale(predict_logits(trained.model, reader, test))
    kind, truth = trained.preprocessing.task.kind, reader.examples.target_N[test]
    by_role = ablation(trained, reader, index, roles(reader))
    by_cell = ablation(trained, reader, index, columns(reader))
    drawn = flow(trained, reader, index, reference(trained, reader, index)).drawn_BT
    rollout = drawn.sum(axis=0) / drawn.sum()
    maps = attention_maps(trained, reader, index)
    looked = table_attention(maps).mean(axis=0).to_numpy()
    found = integrated_gradients(trained, reader, few)
    groups = columns(reader)
    scores_NG = scores_of(found, groups)
    energy_G = (scores_NG**2).mean(axis=0)
    share_G = energy_G / energy_G.sum()
    mine, dealt = infidelity(trained, reader, few, groups, scores_NG)
    check = deletion_check(trained, reader, index, roles(reader), rollout)
    by_mask = _masks(trained, reader, index, plan)
    names = [role.name for role in reader.layout.roles]
    shares = {
        "ablation": by_role.frame["share"].to_numpy(),
        "cost": _share_of_cost(by_role.frame["cost"].to_numpy()),
        "rollout": rollout,
        "attention": looked / looked.sum(),
        "gradients": np.array([share_G[[t == name for t, _ in groups.keys]].sum() for name in names]),
    }
    total = maps.bias_O + maps.contribution_BTO.sum(axis=1)
    return {
        "auroc": score(kind, truth, said)["auroc"],
        "best_auroc": score(kind, truth, probability_N[test])["auroc"],
        "roles": {name: dict(zip(names, map(float, share), strict=True)) for name, share in shares.items()},
        "agreement_with_ablation": {
            name: float(spearmanr(share, shares["ablation"]).statistic) for name, share in shares.items()
        },
        "column_precision": {
            "gradients": _precision(by_column(found)[["role", "column"]], plan),
            "ablation": _precision(
                by_cell.frame.sort_values("share", ascending=False)[["table", "column"]], plan
            ),
            **{name: by_mask[name] for name in ("masks", "rows_hidden", "masks_where_read")},
        },
        "rows_read": by_mask["rows_read"],
        "masks_right_of_rows": by_mask["agree"],
        "within_noise": [name for name in NOISE if name in within_noise(check)],
        "matters": check.matters,
        "believed": check.faithful,
        "sentence": check.sentence,
        "gap": float(np.median(found.relative_gap)),
        "steps": found.steps,
        "infidelity": mine,
        "infidelity_random": dealt,
        "contributions_off": float(np.abs(total - maps.logit_BO).max()),
    }


def _precision(ranked: pd.DataFrame, plan: Planted) -> float | None:
    """Of as many first places as there are planted columns, the share that is planted or goes along with it."""
    if not plan.columns:
        return None
    top = [tuple(pair) for pair in ranked.head(len(plan.columns)).to_numpy()]
    return float(np.mean([pair in plan.columns | plan.beside for pair in top]))


def _share_of_cost(cost_T: Floats) -> Floats:
    """Of all that hiding a table costs the answers, each table's share; none where hiding it makes them better."""
    cost_T = np.maximum(cost_T, 0.0)
    return cost_T / max(1e-12, float(cost_T.sum()))


def _masks(
    trained: TrainedModel, reader: Reader, index: npt.NDArray[np.int64], plan: Planted
) -> dict[str, float | None]:
    """Of the columns that TabNet lets through most, in tables where some are planted, the share that is (`masks`), and
    the same of those whose hiding from TabNet alone moves answers most (`rows_hidden`): no mask can know better what
    answers draw on.

    `rows_read` is how much of what such a table says goes through its rows at all, `masks_where_read` the share where
    that is a fifth or more, and `agree` how often a mask's first place is that of hiding from TabNet alone.
    """
    right: dict[str, list[bool]] = {"masks": [], "rows_hidden": [], "masks_where_read": []}
    shares, agree = [], []
    for table, mask in tabnet_masks(trained, reader, index).items():
        wanted = {column for role, column in plan.columns if role == table}
        if not wanted:
            continue
        named = wanted | {column for role, column in plan.beside if role == table}
        read = rows_read(trained, reader, index, table)
        first = {"masks": mask.aggregate_C, "rows_hidden": read.change_C}
        hits = {
            name: [mask.columns[c] in named for c in np.argsort(-value_C)[: len(wanted)]]
            for name, value_C in first.items()
        }
        right["masks"] += hits["masks"]
        right["rows_hidden"] += hits["rows_hidden"]
        right["masks_where_read"] += hits["masks"] if read.share >= READ else []
        shares.append(read.share)
        agree.append(mask.aggregate_C.argmax() == read.change_C.argmax())
    found: dict[str, float | None] = {name: _mean(values) for name, values in right.items()}
    return {**found, "rows_read": _mean(shares), "agree": _mean(agree)}


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
