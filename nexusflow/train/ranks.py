"""Several processes that train one model on Lightning Fabric: each its share of every step, the same weights in all.

Gradients are added up after a step's way back and not along it, as PyTorch's own wrapper would: so a process whose
memory runs out, or whose loss is not finite, can say so in the same exchange, and no other one waits for it in vain.
Which weights a process used in a step (passes and experts differ) then needs no second look at the graph either.

Random numbers of a step are drawn from the seed, the process and the step's place. No state of theirs outlives a step,
and a checkpoint is the same for any number of processes.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from nexusflow.config import OptimizerConfig, TrainingConfig
from nexusflow.errors import TrainingError
from nexusflow.train.checkpoint import Checkpoint
from nexusflow.train.place import Place, place, process_name
from nexusflow.train.predictor import BATCH, Stopped
from nexusflow.train.processes import Processes
from nexusflow.train.runtime import cores, effective_precision, seed_everything
from nexusflow.train.world import Answers, Logits, Rows, World

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import Strategy

# How long a process waits for the others: they read tables and fit trees meanwhile. One that has died is noticed at
# once.
PATIENCE = timedelta(hours=6)

Told = TypeVar("Told")


class LeftAlone(TrainingError):
    """Another process has ended in the middle of the training."""


class Ranks(World):
    """One of several processes; `rank` counts from 0 over all machines."""

    def __init__(self, fabric: "Fabric") -> None:
        super().__init__(fabric)
        self.rank, self.size = fabric.global_rank, fabric.world_size
        # What is said between steps is said by the processors, so that no GPU is waited for.
        self.talk = None if dist.get_backend() == "gloo" else dist.new_group(backend="gloo", timeout=PATIENCE)

    @classmethod
    def join(
        cls, training: TrainingConfig, at: Place, asked: Processes, meeting: Path | None = None
    ) -> "Ranks":
        """Meet the other processes, in a file where all are on this machine, else where torchrun says."""
        from lightning_fabric import Fabric
        from lightning_fabric.plugins.environments import TorchElasticEnvironment

        # It tells on the console what the run's own record says.
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        with _others_needed(at.rank, at.number):
            if meeting is not None:
                backend = "nccl" if asked.device == "cuda" else "gloo"
                dist.init_process_group(
                    backend,
                    init_method=meeting.resolve().as_uri(),
                    rank=at.rank,
                    world_size=at.number,
                    timeout=PATIENCE,
                )
            fabric = Fabric(
                accelerator="gpu" if asked.device == "cuda" else "cpu",
                devices=asked.devices,
                num_nodes=asked.nodes,
                strategy=cls.strategy(asked, training),
                precision=effective_precision(training, asked.device),  # type: ignore[arg-type]
                plugins=[TorchElasticEnvironment()],
            )
            fabric.launch()
            return cls(fabric)

    @staticmethod
    def strategy(asked: Processes, training: TrainingConfig) -> "Strategy":
        """How Fabric joins the processes."""
        from lightning_fabric.strategies import DDPStrategy

        # Buffers are the same everywhere from the start; sending them again would be an exchange of its own.
        return DDPStrategy(timeout=PATIENCE, broadcast_buffers=False)

    def set_up(self, module: nn.Module, config: OptimizerConfig) -> tuple[Any, Any]:
        with self.together():
            return super().set_up(module, config)

    def share(self, index_B: Rows) -> tuple[Rows, float]:
        mine_B = np.array_split(index_B, self.size)[self.rank]
        return (mine_B, 1.0) if len(mine_B) else (index_B[:1], 0.0)

    def draw(self, seed: int, *moment: int) -> None:
        drawn = np.random.SeedSequence([seed % 2**64, self.rank, *moment]).generate_state(1, np.uint64)
        seed_everything(int(drawn[0]))

    def agree(self, *facts: float) -> tuple[float, ...]:
        told = torch.tensor(facts, dtype=torch.float64)
        with self.together():
            dist.broadcast(told, 0, group=self.talk)
        return tuple(told.tolist())

    def tell(self, facts: Any) -> Any:
        return json.loads(self._bytes(json.dumps(facts).encode()))

    def tell_checkpoint(self, checkpoint: Checkpoint | None) -> Checkpoint | None:
        if not self.tell(checkpoint is not None):
            return None
        facts = self.tell(checkpoint.facts if checkpoint is not None else None)
        return Checkpoint(tensors=self._tensors(dict(checkpoint.tensors) if checkpoint else {}), facts=facts)

    def once(self, work: Callable[[], Answers]) -> Answers:
        stopped, found = False, None
        if self.rank == 0:
            try:
                with _threads_of_all():
                    found = work()
            except Stopped:
                stopped = True
        stopped, some = self.tell([stopped, found is not None])
        if stopped:
            raise Stopped
        told = self._tensors({f"{turn}": torch.from_numpy(each) for turn, each in enumerate(found or ())})
        return tuple(told[f"{turn}"].numpy() for turn in range(len(told))) if some else None

    def apart(self, module: nn.Module) -> AbstractContextManager[Any]:
        return self.fabric.no_backward_sync(module)  # type: ignore[arg-type]

    def combine(self, parameters: Iterable[nn.Parameter], loss: float | None) -> float | None:
        weights = [weight for weight in parameters if weight.requires_grad]
        sizes = [weight.numel() for weight in weights]
        # One exchange for all: the gradients, who used which weight, the loss, and whether memory ran out.
        sums = torch.zeros(sum(sizes) + len(weights) + 2, dtype=weights[0].dtype, device=weights[0].device)
        *parts, used, told = sums.split([*sizes, len(weights), 2])
        if loss is None:
            told[1] = 1.0
        else:
            told[0] = loss
            for number, (weight, part) in enumerate(zip(weights, parts, strict=True)):
                if weight.grad is not None:
                    part.copy_(weight.grad.reshape(-1))
                    used[number] = 1.0
        with self.together():
            dist.all_reduce(sums)
        loss, out_of_memory = told.tolist()
        if out_of_memory:
            return None
        for weight, part, by in zip(weights, parts, used.tolist(), strict=True):
            weight.grad = part.view_as(weight) if by else None
        return loss

    def logits(self, predict: Callable[[Rows], Logits], rows_N: Rows, outputs: int) -> Logits:
        # Batches as one process would make them, for what is said of a row can depend on those beside it in its last
        # bits.
        mine = [at for at in range(0, len(rows_N), BATCH) if at // BATCH % self.size == self.rank]
        said_NO, stopped = torch.zeros(len(rows_N), outputs), torch.zeros(1)
        try:
            answer_NO = predict(np.concatenate([rows_N[at : at + BATCH] for at in mine] or [rows_N[:0]]))
            for number, at in enumerate(mine):
                said_NO[at : at + BATCH] = torch.from_numpy(answer_NO[number * BATCH : (number + 1) * BATCH])
        except Stopped:
            stopped.fill_(1.0)
        whole = torch.cat([said_NO.reshape(-1), stopped])
        with self.together():
            dist.all_reduce(whole, group=self.talk)
        if whole[-1]:
            raise Stopped
        return whole[:-1].reshape(said_NO.shape).numpy()

    def leave(self) -> None:
        with self.together():
            dist.barrier(group=self.talk)
        dist.destroy_process_group()

    def _bytes(self, content: bytes) -> bytes:
        """The first process's bytes."""
        length = torch.tensor([len(content)])
        with self.together():
            dist.broadcast(length, 0, group=self.talk)
            told = torch.empty(int(length), dtype=torch.uint8)
            if self.rank == 0:
                told.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
            dist.broadcast(told, 0, group=self.talk)
        return told.numpy().tobytes()

    def _tensors(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The first process's tensors, on the processor."""
        from safetensors.torch import load, save

        ours = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        return load(self._bytes(save(ours) if self.rank == 0 else b""))

    def together(self) -> AbstractContextManager[None]:
        """Within it an exchange that fails is told in words."""
        return _others_needed(self.rank, self.size)


@contextmanager
def _threads_of_all() -> Iterator[None]:
    """While the others wait, this process has their threads on this machine too."""
    at, own = place(), torch.get_num_threads()
    torch.set_num_threads(max(own, min(cores(), own * (at.here if at else 1))))
    try:
        yield
    finally:
        torch.set_num_threads(own)


@contextmanager
def _others_needed(rank: int, number: int) -> Iterator[None]:
    """What PyTorch says where another process is gone, in words."""
    try:
        yield
    except (RuntimeError, ConnectionError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        first, *_ = [*str(error).strip().splitlines(), type(error).__name__]
        # Without the place in PyTorch's code, and without its advice.
        told = re.sub(r"^\[[^\]]*\] *", "", first).partition(" This is typically")[0].rstrip(".")
        raise LeftAlone(
            f"{process_name(rank, number)} lost the others: one of them has ended, and says itself why ({told[:300]})."
        ) from error
