"""Recorded attention, averaged honestly.

Axis letters: B rows, T roles, S slots, P passes, L blocks, H heads.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.explain.explanation import AttentionMaps, Floats

BATCH = 256


def attention_maps(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> AttentionMaps:
    """What the model looks at for these examples; the predictions are the same as without looking."""
    parts = []
    device = next(trained.model.parameters()).device
    with torch.inference_mode():
        for at in range(0, len(index_N), BATCH):
            if should_stop():
                break
            index = index_N[at : at + BATCH]
            output = trained.model(reader.batch(index).to(device), record=True)
            evidence = output.evidence
            assert evidence is not None
            parts.append(
                {
                    "attention_PLBHTT": (evidence.attention_PLBHTT, 2),
                    "slot_attention_PLBHTS": (evidence.slot_attention_PLBHTS, 2),
                    "pair_PBTT": (evidence.pair_PBTT, 1),
                    "gate_PLBTE": (evidence.gate_PLBTE, 2),
                    "prediction_PBO": (evidence.prediction_PBO, 1),
                    "passes_B": (output.passes_B, 0),
                    "contribution_BTO": (output.contribution_BTO, 0),
                    "shape_BTO": (output.shape_BTO, 0),
                    "logit_BO": (output.logit_BO, 0),
                    "present_BT": (output.present_BT, 0),
                    "row_BTS": (torch.from_numpy(reader.context(index).row_BTS), 0),
                }
            )
    joined: dict[str, Any] = {
        name: None if value is None else torch.cat([p[name][0] for p in parts], dim=axis).cpu().numpy()
        for name, (value, axis) in parts[0].items()
    }
    bias = output.bias_O.cpu().numpy()
    return AttentionMaps(roles=tuple(r.name for r in reader.layout.roles), bias_O=bias, **joined)


def table_attention(
    maps: AttentionMaps, *, iteration: int | None = None, head: int | None = None
) -> pd.DataFrame:
    """Roles x roles: how much each (row) looks at each (column), a mean over the examples where it is present.

    Over the passes that an example really used, or of one pass (from 1) for the examples that used it; over all blocks;
    over all heads, or of one (from 1). Rows that are present nowhere are NaN.
    """
    attention, used_PB = _chosen(maps, iteration, head)
    weight = used_PB[:, :, None] & maps.present_BT[None]
    total = (attention * weight[..., None]).sum(axis=(0, 1))
    count = weight.sum(axis=(0, 1))[:, None]
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return pd.DataFrame(mean, index=list(maps.roles), columns=list(maps.roles))


def pair_attention(
    maps: AttentionMaps, role: int, context: int, *, iteration: int | None = None, head: int | None = None
) -> Floats:
    """How much `role` looks at `context` in each example [B], as `table_attention` takes its mean.

    NaN where one of them is absent, or where the example did not use the pass.
    """
    attention, used_PB = _chosen(maps, iteration, head)
    total = (attention[:, :, role, context] * used_PB).sum(axis=0)
    count = used_PB.sum(axis=0)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    present = maps.present_BT[:, role] & maps.present_BT[:, context]
    return np.asarray(np.where(present, mean, np.nan))


def _chosen(
    maps: AttentionMaps, iteration: int | None, head: int | None
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Attention [P, B, T, T] over the chosen heads, and which passes [P, B] count."""
    attention = maps.attention_PLBHTT.mean(axis=1)
    attention = attention.mean(axis=2) if head is None else attention[:, :, head - 1]
    passes = np.arange(1, len(attention) + 1)[:, None]
    used_PB = passes <= maps.passes_B[None]
    if iteration is not None:
        used_PB = used_PB & (passes == iteration)
    return attention, used_PB


def slot_attention(maps: AttentionMaps, position: int) -> Floats:
    """How much each role's summary looks at each of its slots for one example; [T, S], a mean over what it used."""
    used = maps.slot_attention_PLBHTS[: maps.passes_B[position], :, position]
    return np.asarray(used.mean(axis=(0, 1, 2)))
