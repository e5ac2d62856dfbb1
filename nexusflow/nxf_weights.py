"""How the weights of an optimised model lie in its file: whole numbers with a scale per row, or what pruning left.

A weight `w` is stored under its own name as floats, or as one of

- `w.int8` I8 [..., K] of -31 to 31, and `w.scale` F16 [...]: w = int8 * scale, exactly, in single precision;
- `w.mask` U8 [ceil(N / 8)], a bit for each of its N numbers, lowest bit first, and `w.kept` U8 [4, M], the bytes of
  the M numbers that are not zero, the lowest bytes of all of them first, since the highest are much alike.

What is stored follows from the weights and the steps alone, so that what was read is written again to the bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nexusflow.errors import ArtifactError

QUANTIZATION, PRUNING = "quantization", "pruning"
METHODS = (QUANTIZATION, PRUNING)
# Biases, norms and tiny tensors hold little and matter much.
FEWEST_NUMBERS = 128
# Of the 127 numbers on each side of zero 31 are used, which the zip packs into six bits: files are 76 % smaller; all
# 127 made them 70 % smaller. AUROC moved by 0.0001 and log loss by 0.0002 (benchmarks/optimise).
LEVELS = 31
# The smallest scale that F16 holds to full precision, and which is therefore found again to the bit.
SMALLEST_SCALE = 2.0**-14
LARGEST_SCALE = 65504.0
MOST_STEPS = 16


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that was done to the weights; `amount` is the share that pruning sets to zero, 0 for others."""

    method: str
    amount: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as the constructor reads them."""
        return dict(vars(self))


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """What was done to a model after its training: nothing where there are no steps.

    `metric` is the primary one on `rows` rows, as it was `before` the first step and is `after` the last, where tables
    were there to measure it on.
    """

    steps: tuple[Step, ...] = ()
    metric: str = ""
    rows: int = 0
    before: float | None = None
    after: float | None = None

    @property
    def quantized(self) -> bool:
        """Whether weights are whole numbers with a scale per row."""
        return any(step.method == QUANTIZATION for step in self.steps)

    @property
    def pruned(self) -> bool:
        """Whether weights were set to zero."""
        return any(step.method == PRUNING for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {**vars(self), "steps": [step.to_dict() for step in self.steps]}

    @classmethod
    def from_dict(cls, data: Any) -> "Optimisation":
        """What `to_dict` wrote; ValueError for anything else."""
        if not isinstance(data, Mapping) or set(data) != {"steps", "metric", "rows", "before", "after"}:
            raise ValueError("it says something else than steps and a metric")
        if not isinstance(data["steps"], list) or not 1 <= len(data["steps"]) <= MOST_STEPS:
            raise ValueError("it names no steps")
        if not isinstance(data["metric"], str) or type(data["rows"]) is not int or data["rows"] < 0:
            raise ValueError("it names no metric")
        for name in ("before", "after"):
            if data[name] is not None and type(data[name]) is not float:
                raise ValueError(f"its {name} is no number")
        return cls(**{**data, "steps": tuple(map(_step, data["steps"]))})


NOTHING = Optimisation()


def _step(data: Any) -> Step:
    if not isinstance(data, Mapping) or set(data) != {"method", "amount"} or data["method"] not in METHODS:
        raise ValueError(f"a step is none of {', '.join(METHODS)}")
    amount = data["amount"]
    if type(amount) is not float or not (0 < amount < 1 if data["method"] == PRUNING else amount == 0):
        raise ValueError("a step has an amount that it cannot have")
    return Step(**data)


def shrinkable(weight: Tensor) -> bool:
    """Whether a weight is one of those that optimisation changes: matrices and embeddings that are not tiny."""
    return weight.dim() >= 2 and weight.numel() >= FEWEST_NUMBERS and weight.dtype == torch.float32


def as_stored(weights: Mapping[str, Tensor], optimisation: Optimisation) -> dict[str, Tensor]:
    """The tensors of the file, by name. Pruned weights are expected to be zero where they were pruned."""
    stored: dict[str, Tensor] = {}
    for name, weight in weights.items():
        weight = weight.cpu()
        if optimisation.quantized and shrinkable(weight) and fits_int8(weight):
            stored[f"{name}.int8"], stored[f"{name}.scale"] = quantize(weight)
        # Whole numbers that are zero need no mask: the zip packs them into two bits.
        elif optimisation.pruned and not optimisation.quantized and shrinkable(weight):
            stored[f"{name}.mask"], stored[f"{name}.kept"] = _sparse(weight)
        else:
            stored[name] = weight
    return stored


def from_stored(
    stored: Mapping[str, Tensor], like: Mapping[str, Tensor], optimisation: Optimisation
) -> dict[str, Tensor]:
    """The weights that `as_stored` stored, of which `like` gives the shapes.

    ArtifactError where they are not stored as these steps store them.
    """
    if not optimisation.steps:
        return dict(stored)
    left, weights = dict(stored), {}
    for name, shape in ((name, weight.shape) for name, weight in like.items()):
        if f"{name}.int8" in left and f"{name}.scale" in left:
            weights[name] = _dequantized(name, left.pop(f"{name}.int8"), left.pop(f"{name}.scale"), shape)
        elif f"{name}.mask" in left and f"{name}.kept" in left:
            weights[name] = _dense(name, left.pop(f"{name}.mask"), left.pop(f"{name}.kept"), shape)
        elif name in left:
            weights[name] = left.pop(name)
    if left:
        raise ArtifactError(
            f"The weights hold {next(iter(left))[:80]!r}, which is of no layer of this network."
        )
    for name, weight in weights.items():
        for part, value in as_stored({name: weight}, optimisation).items():
            there = stored.get(part)
            if there is None or there.dtype != value.dtype or not torch.equal(there, value):
                raise ArtifactError(f"{part[:80]!r} is not stored as the steps of the optimisation store it.")
    return weights


def fits_int8(weight: Tensor) -> bool:
    """Whether every row's scale is a number of half precision."""
    return bool(weight.abs().max() <= LARGEST_SCALE * LEVELS)


def quantize(weight: Tensor) -> tuple[Tensor, Tensor]:
    """A weight [..., K] as int8 [..., K] and scale F16 [...]: int8 * scale is off by half a scale at most.

    The scale is the row's largest number over 31, rounded up, so that what was quantized is quantized to the same.
    """
    largest = weight.abs().amax(dim=-1).numpy().astype(np.float64)
    exact = np.maximum(largest / LEVELS, SMALLEST_SCALE)
    scale = exact.astype(np.float16)
    scale = np.where(scale.astype(np.float64) < exact, np.nextafter(scale, np.float16(np.inf)), scale)
    half = torch.from_numpy(np.asarray(scale, dtype=np.float16))
    return torch.round(weight.double() / half.double().unsqueeze(-1)).to(torch.int8), half


def dequantize(int8: Tensor, scale: Tensor) -> Tensor:
    """The weights [..., K] in single precision."""
    return int8.float() * scale.float().unsqueeze(-1)


def _dequantized(name: str, int8: Tensor, scale: Tensor, shape: torch.Size) -> Tensor:
    if int8.dtype != torch.int8 or scale.dtype != torch.float16 or not len(shape) >= 1:
        raise ArtifactError(f"The whole numbers of {name[:80]!r} are of another type.")
    if int8.shape != shape or scale.shape != shape[:-1]:
        raise ArtifactError(f"The whole numbers of {name[:80]!r} have another shape than the layer.")
    if not torch.isfinite(scale).all():
        raise ArtifactError(f"The scales of {name[:80]!r} are no numbers.")
    return dequantize(int8, scale)


def _sparse(weight: Tensor) -> tuple[Tensor, Tensor]:
    flat = weight.flatten().numpy().astype("<f4")
    mask = flat != 0
    planes = flat[mask].view(np.uint8).reshape(-1, 4).T.copy()
    return torch.from_numpy(np.packbits(mask, bitorder="little")), torch.from_numpy(planes)


def _dense(name: str, mask: Tensor, kept: Tensor, shape: torch.Size) -> Tensor:
    count = shape.numel()
    if mask.dtype != torch.uint8 or kept.dtype != torch.uint8 or mask.shape != ((count + 7) // 8,):
        raise ArtifactError(f"The mask of {name[:80]!r} has another type or shape than the layer.")
    here = np.unpackbits(mask.numpy(), bitorder="little")[:count].astype(bool)
    if kept.shape != (4, int(here.sum())):
        raise ArtifactError(f"{name[:80]!r} has more or fewer numbers than its mask says.")
    flat = np.zeros(count, dtype=np.float32)
    flat[here] = kept.numpy().T.copy().view("<f4")[:, 0]
    return torch.from_numpy(flat).reshape(shape)
