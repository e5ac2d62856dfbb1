"""What the model would say if some rows were otherwise: changed, gone or added. Axis letters: T roles, O outputs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.explain.cut_down import cut_down
from nexusflow.explain.explanation import Edit, Floats


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the model says of one example: value [O] as it is shown, logit [O], and what each role adds to it [T, O]."""

    value_O: Floats
    logit_O: Floats
    contribution_TO: Floats


def what_if(
    trained: TrainedModel, reader: Reader, index: int, edits: Mapping[str, Edit]
) -> tuple[Said, Said]:
    """What is said of an example as the tables are, and as they would be with these edits by table.

    Only the rows that it can read are looked at. The example's cutoff stays. DataError where its own row would be gone,
    or a value does not fit its column.
    """
    other = cut_down(reader, index, edits).reader
    return _said(trained, reader, index), _said(trained, other, 0)


def _said(trained: TrainedModel, reader: Reader, index: int) -> Said:
    device = next(trained.model.parameters()).device
    trained.model.eval()
    with torch.inference_mode():
        output = trained.model(reader.batch(np.array([index])).to(device))
    logit_BO = output.logit_BO.float().cpu().numpy()
    return Said(
        value_O=np.atleast_1d(trained.preprocessing.unscale(logit_BO)[0]),
        logit_O=logit_BO[0],
        contribution_TO=output.contribution_BTO[0].float().cpu().numpy(),
    )
