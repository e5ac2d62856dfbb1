"""Several processes each of which holds a part of the weights, of their gradients and of the optimizer's state: FSDP.

Fully sharded data parallel (Rajbhandari et al. 2020, stage 3) as PyTorch's `fully_shard` does it, set up by Fabric: the
weights come together for a step's forward and backward way, and the gradients are averaged on the way back. The running
average and the best epoch's weights are held whole by every process, which scores its share of the validation rows with
them, and checkpoints are written whole: they are those of any other number of processes.
"""

import copy
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import nn

from nexusflow.config import OptimizerConfig, TrainingConfig
from nexusflow.train.processes import Processes
from nexusflow.train.ranks import PATIENCE, Ranks
from nexusflow.train.world import Model, Rows

if TYPE_CHECKING:
    from lightning_fabric.strategies import Strategy
    from torch.distributed.device_mesh import DeviceMesh


class Sharded(Ranks):
    """One of several processes that hold the weights in parts."""

    in_parts, name = True, "fsdp"

    @staticmethod
    def strategy(asked: Processes, training: TrainingConfig) -> "Strategy":
        """Fabric's strategy for modules that are cut up by a function of one's own."""
        from lightning_fabric.strategies import ModelParallelStrategy

        return ModelParallelStrategy(
            parallelize_fn=_cut_up,
            data_parallel_size=asked.number,
            tensor_parallel_size=1,
            timeout=PATIENCE,
        )

    def set_up(self, module: nn.Module, config: OptimizerConfig) -> tuple[Any, Any]:
        self._keep(module)
        with self.together():
            wrapped = self.fabric.setup_module(Touched(module))
            # Only now there are the parts that it is to move.
            return wrapped, self.fabric.setup_optimizers(self.optimizer(module, config))

    def _keep(self, module: nn.Module) -> None:
        """A copy in which the weights come together whole."""
        self._whole = copy.deepcopy(module).requires_grad_(False).to(self.fabric.device)
        self._module = module

    def share(self, index_B: Rows) -> tuple[Rows, float]:
        mine_B, counts = super().share(index_B)
        # Gradients are averaged over the processes, not added up.
        return mine_B, counts * self.size

    def apart(self, module: nn.Module) -> AbstractContextManager[Any]:
        return nullcontext()

    def combine(self, parameters: Iterable[nn.Parameter], loss: float | None) -> float | None:
        if loss is None:
            raise MemoryError(
                f"Memory ran out. With distributed_strategy {self.name} the rows of a step cannot be read in halves: "
                "lower training.batch_size."
            )
        total = torch.tensor([loss / self.size], dtype=torch.float64)
        with self.together():
            dist.all_reduce(total, group=self.talk)
        return float(total)

    def whole(self, model: Model) -> Model:
        of = next(name for name, part in self._module.named_modules() if part is model)
        found: Any = self._whole.get_submodule(of)
        with torch.no_grad(), self.together():
            for ours, theirs in zip(found.parameters(), model.parameters(), strict=True):
                ours.copy_(_whole(theirs))
            for ours, theirs in zip(found.buffers(), model.buffers(), strict=True):
                ours.copy_(theirs)
        return found

    def load(self, model: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
        own = {name: _own(weights[name], value) for name, value in model.state_dict().items()}
        model.load_state_dict(own)

    def whole_state(self, state: dict[str, Any]) -> dict[str, Any]:
        with self.together():
            return {name: _whole(value) for name, value in state.items()}

    def own_state(self, state: dict[str, Any], weight: nn.Parameter) -> dict[str, Any]:
        return {name: _own(value, weight) if name != "step" else value for name, value in state.items()}


class Touched(nn.Module):
    """The loss, with every weight in it: a weight that one process uses in a step and another does not would have them
    exchange different gradients."""

    def __init__(self, loss_of: nn.Module) -> None:
        super().__init__()
        self.loss_of = loss_of

    def forward(self, index_B: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = self.loss_of(index_B)
        return loss + sum(0.0 * weight.sum() for weight in self.loss_of.parameters() if weight.requires_grad)


def _cut_up(module: nn.Module, mesh: "DeviceMesh") -> nn.Module:
    from torch.distributed.fsdp import fully_shard

    return fully_shard(module, mesh=mesh["data_parallel"])


def _own(value: torch.Tensor, like: Any) -> Any:
    """This process's part of a tensor that all of them have, cut up as another one is; nothing is exchanged."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(like, DTensor):
        return value
    there = value.to(like.device)
    return distribute_tensor(there, like.device_mesh, like.placements, src_data_rank=None)


def _whole(value: Any) -> Any:
    """A tensor of which each process has a part, whole; all of them ask for it."""
    from torch.distributed.tensor import DTensor

    return value.full_tensor() if isinstance(value, DTensor) else value
