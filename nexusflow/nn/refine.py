"""Adaptive refinement: the answer is fed back until it stands still.

The recycling of AlphaFold (Jumper et al. 2021, Algorithms 30 to 32): shared weights, a random number of passes in
training with the gradient of the last alone, and at inference a stop per row once its prediction moves less than the
threshold. A row's stop depends on that row alone.

Axis letters: B seeds, T roles, D width, P pair width, O outputs.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from nexusflow.config import ArchitectureConfig
from nexusflow.nn.block import BlockTrace


@dataclass(frozen=True, kw_only=True)
class State:
    """Summaries [B, T, D], pair state [B, T, T, P], and the logits [B, O] of the pass that made them, if any."""

    m_BTD: Tensor
    z_BTTP: Tensor
    logit_BO: Tensor | None


@dataclass(frozen=True, kw_only=True)
class Refined:
    """Each row's answer at its own last pass; what each pass looked at where it was recorded."""

    logit_BO: Tensor
    contribution_BTO: Tensor
    passes_B: Tensor
    loss: Tensor
    traces: list[list[BlockTrace]] = field(default_factory=list)
    pairs: list[Tensor] = field(default_factory=list)
    logits: list[Tensor] = field(default_factory=list)


OnePass = Callable[[State], tuple[State, Tensor, Tensor, list[BlockTrace]]]


class Refinement(nn.Module):
    """Feeds back the last summaries, pair state and logits; without a previous pass nothing is added."""

    def __init__(self, width: int, pair_width: int, outputs: int, config: ArchitectureConfig) -> None:
        super().__init__()
        self.most, self.threshold = config.refinement_iterations, config.convergence_threshold
        if self.most > 1:
            self.norm_m, self.norm_z = nn.LayerNorm(width), nn.LayerNorm(pair_width)
            self.embed = nn.Sequential(nn.Linear(outputs, width), nn.Tanh(), nn.Linear(width, width))

    def recycle(self, start: State, state: State | None) -> tuple[Tensor, Tensor]:
        """The inputs of the next pass."""
        if state is None or state.logit_BO is None:
            return start.m_BTD, start.z_BTTP
        seed = self.embed(state.logit_BO).unsqueeze(1)
        m_BTD = start.m_BTD + self.norm_m(state.m_BTD)
        m_BTD = torch.cat([m_BTD[:, :1] + seed, m_BTD[:, 1:]], dim=1)
        return m_BTD, start.z_BTTP + self.norm_z(state.z_BTTP)

    def forward(
        self,
        one_pass: OnePass,
        start: State,
        passes_B: Tensor | None,
        *,
        record: bool,
        share: Tensor | float = 1.0,
    ) -> Refined:
        """Run the passes; `passes_B` fixes their number per row. Of the whole answer `share` is what they refine."""
        if self.training and passes_B is None:
            return self._train(one_pass, start)
        return self._infer(one_pass, start, passes_B, record=record, share=share)

    def _train(self, one_pass: OnePass, start: State) -> Refined:
        passes = int(torch.randint(1, self.most + 1, ()))
        state = State(m_BTD=start.m_BTD, z_BTTP=start.z_BTTP, logit_BO=None)
        with torch.no_grad():
            for _ in range(passes - 1):
                state = one_pass(state)[0]
        state, contribution, loss, _ = one_pass(state)
        assert state.logit_BO is not None
        count = torch.full((len(state.logit_BO),), passes, device=state.logit_BO.device)
        return Refined(logit_BO=state.logit_BO, contribution_BTO=contribution, passes_B=count, loss=loss)

    def _infer(
        self,
        one_pass: OnePass,
        start: State,
        passes_B: Tensor | None,
        *,
        record: bool,
        share: Tensor | float,
    ) -> Refined:
        state = State(m_BTD=start.m_BTD, z_BTTP=start.z_BTTP, logit_BO=None)
        traces: list[list[BlockTrace]] = []
        pairs: list[Tensor] = []
        logits: list[Tensor] = []
        for number in range(1, self.most + 1):
            state, contribution, extra, trace = one_pass(state)
            assert state.logit_BO is not None
            if number == 1:
                logit, parts, loss = state.logit_BO, contribution, extra
                running = torch.ones(len(logit), dtype=torch.bool, device=logit.device)
                passes = torch.ones(len(logit), dtype=torch.int64, device=logit.device)
            else:
                moved = share * (state.logit_BO - logit).abs().amax(dim=1)
                logit = torch.where(running[:, None], state.logit_BO, logit)
                parts = torch.where(running[:, None, None], contribution, parts)
                passes = torch.where(running, number, passes)
                loss = loss + extra
                running = running & (moved >= self.threshold)
            if passes_B is not None:
                running = passes_B > number
            if record:
                traces.append(trace)
                pairs.append(state.z_BTTP)
                logits.append(logit)
            elif not bool(running.any()):
                break
        return Refined(
            logit_BO=logit,
            contribution_BTO=parts,
            passes_B=passes,
            loss=loss,
            traces=traces,
            pairs=pairs,
            logits=logits,
        )
