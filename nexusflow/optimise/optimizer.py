"""A trained model made smaller: which steps, in which order, and the record of what they cost."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from nexusflow.artifact import TrainedModel, model_bytes, parts_of, save_model, weights_of
from nexusflow.errors import ConfigError
from nexusflow.nxf_weights import METHODS, PRUNING, QUANTIZATION, Optimisation, Step, as_stored, from_stored
from nexusflow.optimise.measure import Evaluation, compared, measured
from nexusflow.optimise.pruning import prune, pruned_share

MB = 1_000_000
USUAL_AMOUNT = 0.3
# Beyond half of the weights, scores fall where nobody looks on; with an amount of one's own it is one's own decision.
LARGEST_AMOUNT = 0.5
# How much worse the primary metric may be where a size is asked for; a share of it for values and for log loss.
MOST_LOSS = 0.01
# What the names and numbers of a measured metric add to a file, at most.
RECORD = 256

Steps = tuple[Step, ...]
OnStep = Callable[[float, str], None]


class Optimised(NamedTuple):
    """The smaller model, and what was measured of it and of the model before: `optimization_metadata` is JSON-able.

    `before` and `after` hold `bytes` on disk and, where there are rows to evaluate, `metrics`, `latency_ms` (a median
    of single rows) and `peak_memory_mb` (what loading the file and scoring a batch adds to a process, where it can be
    measured).
    """

    model: TrainedModel
    optimization_metadata: dict[str, Any]

    def save(self, path: Path | str) -> None:
        """Write the smaller model as a .nxf file."""
        save_model(Path(path), **parts_of(self.model))


class TargetOutOfReach(ConfigError):
    """A size that cannot be had; `closest_mb` is the smallest that can, in millions of bytes."""

    def __init__(self, message: str, closest_mb: float) -> None:
        super().__init__(message)
        self.closest_mb = closest_mb


def optimize_model(
    model: TrainedModel,
    method: str | Sequence[str] | None = None,
    amount: float | None = None,
    target_size_mb: float | None = None,
    *,
    evaluation: Evaluation | None = None,
    on_step: OnStep = lambda share, what: None,
) -> Optimised:
    """A copy of the model with int8 weights (`quantization`, the default), some set to zero (`pruning`), or both.

    `amount` is the share of weights that pruning removes, 0.3 by default. With `target_size_mb` (millions of bytes) the
    steps are found that reach it and lose least: int8 first, then as little pruning as will do, and pruning alone where
    int8 costs too much; `method` limits them.
    `evaluation` says which rows to measure on; without it only sizes are known. ConfigError where the settings
    contradict each other, TargetOutOfReach where the size cannot be had.
    """
    methods = _methods(method)
    _check(methods, amount, target_size_mb)
    work = _Work(model, evaluation)
    on_step(0.0, "Looking for the steps")
    if target_size_mb is None:
        smaller = work.after(_steps(methods or (QUANTIZATION,), amount))
    else:
        smaller = work.reaching(methods or METHODS, target_size_mb)
    on_step(0.3, "Measuring both models")
    metadata = compared(
        model, smaller, evaluation, lambda share: on_step(0.3 + 0.7 * share, "Measuring both models")
    )
    metadata["pruned_share"] = pruned_share(weights_of(smaller.model))
    metadata["target_size_mb"] = target_size_mb
    smaller = _recorded(smaller, metadata)
    metadata["after"]["bytes"] = len(model_bytes(**parts_of(smaller)))
    return Optimised(model=smaller, optimization_metadata=metadata)


def size_of(trained: TrainedModel) -> int:
    """The bytes of its file, with room for a record of what was measured."""
    return RECORD + len(model_bytes(**parts_of(trained)))


@dataclass(frozen=True)
class _Work:
    """The model to begin with, and the rows to choose by."""

    model: TrainedModel
    evaluation: Evaluation | None

    def new(self, steps: Steps, weights: dict[str, Tensor]) -> TrainedModel:
        """The model with these weights."""
        network = deepcopy(self.model.model).cpu()
        network.load_state_dict(weights, strict=False)
        optimisation = replace(self.model.optimisation, steps=(*self.model.optimisation.steps, *steps))
        return replace(self.model, model=network.eval(), optimisation=optimisation)

    def after(self, steps: Steps) -> TrainedModel:
        """The model after these steps."""
        weights = {name: weight.cpu() for name, weight in weights_of(self.model.model).items()}
        for step in steps:
            if step.method == PRUNING:
                weights = prune(weights, step.amount)
        done = Optimisation(steps=(*self.model.optimisation.steps, *steps))
        # What the file will hold: what is scored here is what is scored after loading, to the bit.
        return self.new(steps, from_stored(as_stored(weights, done), weights, done))

    def reaching(self, methods: Sequence[str], target_mb: float) -> TrainedModel:
        """The model of at most this size that loses least."""
        first: Steps = (Step(method=QUANTIZATION),) if QUANTIZATION in methods else ()
        tried = [self.model, *([self.after(first)] if first else [])]
        for candidate in tried:
            if size_of(candidate) <= target_mb * MB and self.bearable(candidate):
                return candidate
        if PRUNING not in methods:
            self.refuse(target_mb, tried)
        if not self.bearable(tried[-1]):
            # Numbers that are too coarse are no better with some of them gone: pruning is tried by itself.
            first = ()
        percent = self.least(first, target_mb)
        found = self.pruned(percent, first)
        if size_of(found) <= target_mb * MB and self.bearable(found):
            return found
        fewer = (self.pruned(each, first) for each in range(percent // 5 * 5, 0, -5))
        best = next((candidate for candidate in fewer if self.bearable(candidate)), None)
        return self.refuse(target_mb, [*tried, *([best] if best else [])])

    def pruned(self, percent: int, more: Steps) -> TrainedModel:
        return self.after((Step(method=PRUNING, amount=percent / 100), *more))

    def least(self, more: Steps, target_mb: float) -> int:
        """The fewest percent of weights that pruning must take, or the most that it may."""
        low, high = 0, round(100 * LARGEST_AMOUNT)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (
                (low, middle) if size_of(self.pruned(middle, more)) <= target_mb * MB else (middle, high)
            )
        return high

    def bearable(self, candidate: TrainedModel) -> bool:
        """Whether it loses little on the rows to choose by; without any, nobody can tell."""
        if self.evaluation is None or not len(self.evaluation.choose_N) or candidate is self.model:
            return True
        return measured(self.evaluation, self.model, candidate) <= MOST_LOSS

    def refuse(self, target_mb: float, reachable: Sequence[TrainedModel]) -> TrainedModel:
        closest = min((candidate for candidate in reachable if self.bearable(candidate)), key=size_of)
        size = size_of(closest) / MB
        done = closest.optimisation.steps[len(self.model.optimisation.steps) :]
        how = " and ".join(words(step) for step in done) or "as it is"
        raise TargetOutOfReach(
            f"The model cannot be made as small as {target_mb:g} MB; the closest is {_up(size):g} MB ({how}). Ask for "
            "that, or train a smaller network.",
            _up(size),
        )


def words(step: Step) -> str:
    """A step as it is told."""
    return "int8 weights" if step.method == QUANTIZATION else f"{step.amount:.0%} of the weights pruned"


def _up(megabytes: float) -> float:
    """Rounded up, so that it can be asked for."""
    return -(-round(megabytes * MB) // 1000) / 1000


def _recorded(smaller: TrainedModel, metadata: dict[str, Any]) -> TrainedModel:
    """The model with the metric that was measured in its record."""
    done = smaller.optimisation
    if not done.steps or not metadata.get("metric"):
        return smaller
    name = metadata["metric"]
    first = done.before if done.before is not None else metadata["before"]["metrics"][name]
    told = replace(
        done, metric=name, rows=metadata["rows"], before=first, after=metadata["after"]["metrics"][name]
    )
    return replace(smaller, optimisation=told)


def _methods(method: str | Sequence[str] | None) -> tuple[str, ...]:
    found = () if method is None else (method,) if isinstance(method, str) else tuple(method)
    unknown = [name for name in found if name not in METHODS]
    if unknown or len(set(found)) != len(found):
        raise ConfigError(
            f"The methods are {' and '.join(METHODS)}, each at most once; given were {list(found)!r}."
        )
    return found


def _check(methods: Sequence[str], amount: float | None, target_mb: float | None) -> None:
    if amount is not None and target_mb is not None:
        raise ConfigError(
            "An amount and a target size contradict each other: the target finds the amount. Give one."
        )
    if amount is not None and PRUNING not in methods:
        raise ConfigError("An amount says how much is pruned; without the method 'pruning' it has no effect.")
    if amount is not None and not 0 < amount < 1:
        raise ConfigError(f"The amount is a share of the weights between 0 and 1; it is {amount:g}.")
    if target_mb is not None and not 0 < target_mb < float("inf"):
        raise ConfigError(f"The target size is a number of megabytes above 0; it is {target_mb:g}.")


def _steps(methods: Sequence[str], amount: float | None) -> Steps:
    """Pruning comes first: the whole numbers are of what is left."""
    pruning = (Step(method=PRUNING, amount=float(amount or USUAL_AMOUNT)),) if PRUNING in methods else ()
    return (*pruning, *((Step(method=QUANTIZATION),) if QUANTIZATION in methods else ()))
