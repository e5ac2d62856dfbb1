"""TabNet's masks: which columns an encoder let through, step by step (Arik & Pfister 2019, section 3).

Axis letters: G steps, R rows, C columns.
"""

import numpy as np
import numpy.typing as npt
import torch

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.explain.explanation import Floats, MaskSummary

BATCH = 256


def tabnet_masks(
    trained: TrainedModel, reader: Reader, index_N: npt.NDArray[np.int64]
) -> dict[str, MaskSummary]:
    """The masks of every table that TabNet reads, over all rows that these examples read; none where no table is."""
    steps: dict[str, list[Floats]] = {}
    totals: dict[str, list[Floats]] = {}
    device = next(trained.model.parameters()).device
    with torch.inference_mode():
        for at in range(0, len(index_N), BATCH):
            output = trained.model(reader.batch(index_N[at : at + BATCH]).to(device))
            for table, mask in output.masks.items():
                mask_GRC = mask.cpu().numpy()
                steps.setdefault(table, []).append(mask_GRC)
                totals.setdefault(table, []).append(
                    aggregate(mask_GRC, output.step_weights[table].cpu().numpy())
                )
    summaries = {}
    for table, parts in steps.items():
        mask_GRC, total_RC = np.concatenate(parts, axis=1), np.concatenate(totals[table])
        if mask_GRC.shape[1] == 0:
            continue
        summaries[table] = MaskSummary(
            columns=reader.layout.tables[table].columns,
            step_GC=mask_GRC.mean(axis=1),
            aggregate_C=total_RC.mean(axis=0),
            rows=mask_GRC.shape[1],
        )
    return summaries


def aggregate(mask_GRC: Floats, weight_GR: Floats) -> Floats:
    """Steps weighed by how much each added to the row, normalised so that a row's columns sum to one; [R, C].

    A row to which no step added anything takes the plain mean of its steps.
    """
    weight = np.where(weight_GR.sum(axis=0, keepdims=True) > 0, weight_GR, 1.0)
    total = (mask_GRC * weight[..., None]).sum(axis=0)
    return np.asarray(total / np.maximum(total.sum(axis=1, keepdims=True), 1e-12))
