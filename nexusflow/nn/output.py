"""What the network returns; evidence travels with the answer.

Axis letters: B seeds, T roles, S slots, H heads, L blocks, P passes (refinement iterations), E experts, O outputs,
G TabNet steps, R_t rows and C_t columns of table t.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class EncoderOutput:
    """Rows of one table as vectors.

    row_RD [R_t, D]; mask_GRC [G, R_t, C_t] for encoders that choose columns (each row of each step sums to one), else
    None; step_weight_GR [G, R_t], how much each step adds to the row; loss, a scalar added to the training loss.
    """

    row_RD: Tensor
    mask_GRC: Tensor | None = None
    step_weight_GR: Tensor | None = None
    loss: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was looked at, kept only when asked for.

    attention_PLBHTT: cross-contextual attention between roles, each [.., t, :] sums to one over the roles that are
    present; slot_attention_PLBHTS: attention of a role's summary over its slots; pair_PBTT: the norm of the pair state;
    gate_PLBTE: share of each expert per role (None without experts); prediction_PBO: the logits after each pass.
    """

    attention_PLBHTT: Tensor
    slot_attention_PLBHTS: Tensor
    pair_PBTT: Tensor
    gate_PLBTE: Tensor | None
    prediction_PBO: Tensor


@dataclass(frozen=True, kw_only=True)
class ModelOutput:
    """The prediction and how it is made up.

    logit_BO; contribution_BTO sums over T, with `bias_O`, to logit_BO; shape_BTO, the part of it that each feature and
    the role's rows say by themselves, without attention; passes_B int64, the refinement passes each row used;
    present_BT bool, whether the role has a row or summary; masks by table [G, R_t, C_t] and step weights [G, R_t] for
    encoders that have them; loss, the auxiliary training loss (scalar); answers_BO, the logits of the summaries and of
    the rows alone, of which logit_BO is the mean before it is calibrated; evidence where asked for.
    """

    logit_BO: Tensor
    contribution_BTO: Tensor
    shape_BTO: Tensor
    bias_O: Tensor
    passes_B: Tensor
    present_BT: Tensor
    masks: Mapping[str, Tensor]
    step_weights: Mapping[str, Tensor]
    loss: Tensor
    answers_BO: tuple[Tensor, Tensor]
    evidence: Evidence | None = None
