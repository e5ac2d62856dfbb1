"""What a training step keeps for its gradient, and the most memory that a process takes for one."""

import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from nexusflow.nn.attention import SelfAttention

WARM = 64


def saved_bytes(step: Callable[[], Tensor], weights: Iterable[Tensor]) -> int:
    """The bytes of all tensors that the step saves for its backward pass; each storage once, weights left out."""
    held: dict[int, int] = {}
    own = {weight.untyped_storage().data_ptr() for weight in weights}
    # Held until they are counted, so that no address is taken twice.
    alive: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
            alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = step()
    del result
    return sum(held.values())


def attention(width: int, heads: int, *, flash: bool) -> SelfAttention:
    """The product's attention over columns."""
    torch.manual_seed(0)
    layer = SelfAttention(width, heads)
    layer.fused = flash
    return layer


def attend(layer: nn.Module, length: int, width: int) -> Tensor:
    """A forward pass over one row of so many columns. Flash is asked for by name: nothing else may stand in for it."""
    given = torch.randn(1, length, width, requires_grad=True)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION) if layer.fused else nullcontext():
        return layer(given)


def peak_bytes(length: int, width: int, heads: int, *, flash: bool) -> int:
    """By how much a forward and backward pass raises the peak memory of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.memory.saved", *map(str, (length, width, heads, int(flash)))]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _peak() -> int:
    """The high-water mark of this process alone: getrusage would begin at that of the process that started it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


def main() -> None:
    """Print the bytes of one pass."""
    length, width, heads, flash = map(int, sys.argv[1:])
    torch.set_num_threads(1)
    layer = attention(width, heads, flash=bool(flash))
    attend(layer, WARM, width).sum().backward()
    before = _peak()
    attend(layer, length, width).sum().backward()
    print(_peak() - before)


if __name__ == "__main__":
    main()
