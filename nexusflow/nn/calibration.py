"""How sure the network may be: one scale and one shift for all logits, found after training and not trained.

Everything that an answer is made up of is scaled with it, so that contributions still sum to the logit. It stands
outside the refinement, which goes on seeing the logits that it was trained on.
"""

from dataclasses import replace

import torch
from torch import Tensor, nn

from nexusflow.nn.output import ModelOutput


class LogitCalibration(nn.Module):
    """logit -> scale * logit + shift; the identity until `fill` is called."""

    scale: Tensor
    shift: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("shift", torch.zeros(()))

    def fill(self, scale: float, shift: float) -> None:
        """Set both; the scale must be above zero, so that the order of predictions stays."""
        if not scale > 0:
            raise ValueError(f"the scale of logits must be above zero; it is {scale}")
        self.scale.fill_(scale)
        self.shift.fill_(shift)

    def forward(self, output: ModelOutput) -> ModelOutput:
        """The answer with its logits, contributions, bias and the predictions of each pass calibrated."""
        evidence = output.evidence
        if evidence is not None:
            evidence = replace(evidence, prediction_PBO=self.logits(evidence.prediction_PBO))
        return replace(
            output,
            logit_BO=self.logits(output.logit_BO),
            contribution_BTO=self.scale * output.contribution_BTO,
            shape_BTO=self.scale * output.shape_BTO,
            bias_O=self.logits(output.bias_O),
            evidence=evidence,
        )

    def logits(self, logit: Tensor) -> Tensor:
        """Calibrated logits of any shape."""
        return self.scale * logit + self.shift
