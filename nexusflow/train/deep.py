"""Several processes that share the gradients and the optimizer's state by DeepSpeed (ZeRO 2, Rajbhandari et al. 2020).

Its engine steps and clips; checkpoints are written whole, as those of any other number of processes, by asking it for
what it has cut up.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from nexusflow.config import OptimizerConfig, TrainingConfig
from nexusflow.train.optimizer import make_optimizer
from nexusflow.train.processes import Processes
from nexusflow.train.ranks import PATIENCE
from nexusflow.train.sharded import Sharded, Touched

if TYPE_CHECKING:
    from lightning_fabric.strategies import Strategy


class Deep(Sharded):
    """One of several processes of a DeepSpeed engine."""

    name = "deepspeed"

    @staticmethod
    def strategy(asked: Processes, training: TrainingConfig) -> "Strategy":
        """Fabric's, of stage 2, which clips by itself."""
        from lightning_fabric.strategies import DeepSpeedStrategy

        strategy = DeepSpeedStrategy(stage=2, timeout=PATIENCE)
        settings: Any = strategy.config
        settings["gradient_clipping"] = training.gradient_clipping
        return strategy

    def set_up(self, module: nn.Module, config: OptimizerConfig) -> tuple[Any, Any]:
        self._keep(module)
        with self.together():
            wrapped, engine = self.fabric.setup(Touched(module), make_optimizer(module, config))
        self._engine = EngineOptimizer(engine)
        return wrapped, self._engine

    def clip(self, module: nn.Module, optimizer: torch.optim.Optimizer, most: float) -> None:
        """The engine does it in its step."""

    def load(self, model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
        model.load_state_dict(weights)
        # It has a copy of its part, from which it would take its next step.
        self._engine.cut_up.refresh_fp32_params()

    def whole_state(self, state: dict[str, Any]) -> dict[str, Any]:
        return state

    def own_state(self, state: dict[str, Any], weight: nn.Parameter) -> dict[str, Any]:
        return state


class EngineOptimizer(torch.optim.Optimizer):
    """The engine's optimizer, by the weights that it moves: each group of them is one flat part in each process."""

    def __init__(self, engine: Any) -> None:
        self.engine, self.cut_up, self.plain = engine, engine.optimizer, engine.optimizer.optimizer
        groups = zip(self.cut_up.bit16_groups, self.plain.param_groups, strict=True)
        super().__init__([{"params": list(weights), "lr": flat["lr"]} for weights, flat in groups], {})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """No gradients."""
        self.engine.zero_grad()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step of the engine, at the rates of these groups."""
        for ours, theirs in zip(self.param_groups, self.plain.param_groups, strict=True):
            theirs["lr"] = ours["lr"]
        self.engine.step()

    def state_dict(self) -> dict[str, Any]:
        """What the engine keeps, of every weight whole; all processes ask for it."""
        from deepspeed.utils import safe_get_full_optimizer_state

        self._link()
        state: dict[int, dict[str, Any]] = {}
        groups: list[dict[str, Any]] = []
        for group, kept in zip(self.param_groups, self._kept(), strict=True):
            first = sum(len(each["params"]) for each in groups)
            groups.append({**group, "params": list(range(first, first + len(group["params"])))})
            names = sorted(name for name, value in kept.items() if torch.is_tensor(value) and name != "step")
            for number, weight in enumerate(group["params"] if kept else (), start=first):
                state[number] = {name: safe_get_full_optimizer_state(weight, name) for name in names}
                if "step" in kept:
                    state[number]["step"] = torch.as_tensor(kept["step"]).clone()
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:  # type: ignore[override]
        """Give the engine its parts of what `state_dict` gave."""
        from deepspeed.utils import safe_set_full_optimizer_state

        given, number = state_dict["state"], 0
        found = [given.get(at, {}) for at in range(sum(len(group["params"]) for group in self.param_groups))]
        for group, flat, kept in zip(
            self.param_groups, self.cut_up.single_partition_of_fp32_groups, self._kept(), strict=True
        ):
            for name, value in found[number].items():
                # A group's weights have taken the same number of steps.
                kept[name] = value.clone() if name == "step" else torch.zeros_like(flat)
            number += len(group["params"])
        self._link()
        weights = [weight for group in self.param_groups for weight in group["params"]]
        for weight, state in zip(weights, found, strict=True):
            for name, value in state.items():
                if name != "step":
                    safe_set_full_optimizer_state(weight, value.to(weight.device), name)
        for ours, theirs in zip(self.param_groups, state_dict["param_groups"], strict=True):
            ours["lr"] = theirs["lr"]

    def _kept(self) -> list[dict[str, Any]]:
        """What the optimizer keeps of this process's part of each group."""
        return [self.plain.state[flat] for flat in self.cut_up.single_partition_of_fp32_groups]

    def _link(self) -> None:
        """Let the engine find what is kept of each weight; of itself it looks after its first step, at one group."""
        from deepspeed.utils import lazy_init_hp_params_optimizer_state

        parts = self.cut_up.single_partition_of_fp32_groups
        for weights, flat in zip(self.cut_up.bit16_groups, parts, strict=True):
            lazy_init_hp_params_optimizer_state(weights, flat, self.plain.state)
