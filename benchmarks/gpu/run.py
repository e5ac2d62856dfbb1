"""What does a graphics card make of a training? `benchmarks/gpu.sh`, or `python -m benchmarks.gpu.run`

Rows a second, peak memory and the share of time in which the card waits, for each precision, on the churn sample with
growing batches; and attention over columns, forward and backward, by FlashAttention and by the plain kernel at growing
length. Without a card it ends with 2; `--device cpu` runs all of it at small sizes and prints what it finds.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.report import write_report

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
CONFIG: dict[str, Any] = {
    "project": "configs/churn.yaml",
    "batches": [256, 512, 1024],
    "precisions": ["32-true", "bf16-mixed", "16-mixed"],
    "steps": 20,
    "lengths": [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072],
    "heads": 4,
    "head_width": 64,
    "repeats": 5,
}
# Steps at the beginning of every training that are not counted: kernels are chosen and memory is taken in them.
WARMING = 2
NO_CARD = "There is no CUDA device here; --device cpu tries all of it at small sizes."
SMALL = {**CONFIG, "batches": [64], "steps": 2, "lengths": [32, 64], "head_width": 16, "repeats": 1}


def wait(device: str) -> None:
    """Until the device has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def peak(device: str) -> int | None:
    """The most bytes that were held since the last call; None where nobody counts."""
    if device != "cuda":
        return None
    most = torch.cuda.max_memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    return most


def training(config: dict[str, Any], device: str, precision: str, batch: int) -> dict[str, Any]:
    """Rows a second of the loop's steps, peak memory, and the share of time in which no kernel runs."""
    from benchmarks.step.worker import project, read
    from nexusflow.train.loop import fit

    asked, *rest = project(ROOT / config["project"])
    reader, model = read(asked, *rest)
    changes = {"batch_size": batch, "precision": precision, "device": device, "epochs": 1000}
    settings = asked.training.model_copy(update={**changes, "distillation": 0.0, "refit": False})
    batches = int((reader.examples.part_N == "train").sum()) // batch
    count = max(1, min(config["steps"], batches - WARMING))

    def steps(begin: Callable[[], object] = nothing, end: Callable[[], object] = nothing) -> float:
        window = Window(count, device, begin, end)
        fit(
            model=model,
            reader=reader,
            training=settings,
            on_event=lambda event: None,
            should_stop=window.is_over,
            run_id="gpu",
        )
        return window.seconds

    steps()
    peak(device)
    seconds = sorted(steps() for _ in range(config["repeats"]))[config["repeats"] // 2]
    held = peak(device)
    return {
        "rows_per_second": batch * count / seconds,
        "peak_bytes": held,
        "waiting": waiting(device, steps),
    }


def nothing() -> None:
    """Where nobody looks."""


class Window:
    """The seconds of `count` steps, all within one epoch, whose end would count too; the first of a training warm up.

    `begin` and `end` are called where the time begins and where it has ended, with nothing left to do for the device.
    """

    def __init__(
        self, count: int, device: str, begin: Callable[[], object], end: Callable[[], object]
    ) -> None:
        self.count, self.device, self.begin, self.end = count, device, begin, end
        self.asked, self.seconds, self.began = 0, math.nan, math.nan

    def is_over(self) -> bool:
        """Asked before every step, and answered with yes after the last."""
        first, self.asked = self.asked == WARMING, self.asked + 1
        over = self.asked > WARMING + self.count
        if first:
            wait(self.device)
            self.begin()
            self.began = time.perf_counter()
        elif over and math.isnan(self.seconds):
            wait(self.device)
            self.seconds = time.perf_counter() - self.began
            self.end()
        return over


def waiting(device: str, work: Callable[..., float]) -> float | None:
    """The share of the time of `work`, which it returns, in which the card runs no kernel and copies nothing.

    Looked at is only what comes between the two calls that `work` makes, where its time begins and where it ends.
    """
    from torch.profiler import ProfilerActivity, profile

    if device != "cuda":
        work()
        return None
    seen = profile(activities=[ProfilerActivity.CUDA])
    seconds = work(seen.start, seen.stop)
    spans = sorted(
        (event.time_range.start, event.time_range.end)
        for event in seen.events()
        if event.device_type == torch.autograd.DeviceType.CUDA
    )
    return 1 - busy(spans) / 1e6 / seconds


def busy(spans: list[tuple[float, float]]) -> float:
    """How long at least one of these spans, in order of their beginning, was under way."""
    total, until = 0.0, float("-inf")
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def attention(config: dict[str, Any], device: str, length: int, kernel: SDPBackend) -> dict[str, Any] | None:
    """Seconds and peak bytes of attention forward and backward; None where memory does not hold it."""
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    shape, took = (1, config["heads"], length, config["head_width"]), []
    try:
        q, k, v = (torch.randn(shape, device=device, dtype=dtype, requires_grad=True) for _ in range(3))
        for number in range(config["repeats"] + 1):
            if number == 1:
                peak(device)
            wait(device)
            began = time.perf_counter()
            with sdpa_kernel(kernel):
                scaled_dot_product_attention(q, k, v).sum().backward()
            wait(device)
            took.append(time.perf_counter() - began)
    except torch.OutOfMemoryError:
        return None
    return {"seconds": sorted(took[1:])[len(took[1:]) // 2], "peak_bytes": peak(device)}


def lengths(config: dict[str, Any], device: str) -> dict[str, Any]:
    """Both kernels at every length, and what the one saves over the other where both fit."""
    kernels = {"flash": SDPBackend.FLASH_ATTENTION, "plain": SDPBackend.MATH}
    found: dict[str, Any] = {name: {} for name in kernels}
    for length in config["lengths"]:
        for name, kernel in kernels.items():
            found[name][length] = attention(config, device, length, kernel)
            if device == "cuda":
                torch.cuda.empty_cache()
    both = [n for n in config["lengths"] if found["flash"][n] and found["plain"][n]]
    found["times_faster"] = {n: found["plain"][n]["seconds"] / found["flash"][n]["seconds"] for n in both}
    return found


def measured(config: dict[str, Any], device: str) -> dict[str, Any]:
    """All of it."""
    steps = {
        f"{precision}, {batch} rows": training(config, device, precision, batch)
        for precision in config["precisions"]
        for batch in config["batches"]
    }
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    return {"device": name, "training": steps, "attention": lengths(config, device)}


def main(arguments: list[str] | None = None) -> int:
    """Run; the exit status."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    device = asked.parse_args(arguments).device
    if device == "cuda" and not torch.cuda.is_available():
        print(NO_CARD, file=sys.stderr)
        return 2
    if device == "cpu":
        print(json.dumps(measured(SMALL, device), indent=1))
    else:
        print(write_report(HERE, CONFIG, measured(CONFIG, device)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
