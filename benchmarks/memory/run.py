"""How much memory do gradient checkpointing and flash attention spare? `python -m benchmarks.memory.run`

What a training step keeps for its gradient, with and without checkpointing: of each encoder, and of the whole network
on the churn sample. What attention over columns keeps, and the most memory that a process takes for it, at growing
lengths; and whether flash attention at ten times the length fits where plain attention fits.
"""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.memory.saved import attend, attention, peak_bytes, saved_bytes
from benchmarks.report import write_report
from nexusflow.artifact import build_model
from nexusflow.config import DatasetConfig, RunConfig
from nexusflow.nn.encoders.registry import build_encoder
from nexusflow.services.learn import prepared
from nexusflow.services.projects import load_project

CONFIG: dict[str, Any] = {
    "encoders": ["ft_transformer", "tabnet", "standard"],
    "complexities": ["small", "medium", "large"],
    "rows": 256,
    "columns": 20,
    "network": "configs/churn.yaml",
    "batch": 256,
    "width": 64,
    "heads": 4,
    "lengths": [512, 1024, 2048, 4096],
    "plain_length": 1536,
    "longer": 10,
    "seed": 0,
}
ROOT = Path(__file__).parents[2]


def encoders() -> dict[str, dict[str, float]]:
    """Bytes kept by a training step of each encoder, as it is and with checkpointing."""
    found = {}
    for name in CONFIG["encoders"]:
        for complexity in CONFIG["complexities"]:
            kept = []
            for spare in (False, True):
                torch.manual_seed(CONFIG["seed"])
                dataset = _dataset(name, complexity, spare)
                encoder = build_encoder(dataset, CONFIG["columns"], 0.1).train()
                token = torch.randn(
                    CONFIG["rows"], CONFIG["columns"], encoder.token_width, requires_grad=True
                )
                kept.append(saved_bytes(lambda e=encoder, t=token: e(t).row_RD.sum(), encoder.parameters()))
            found[f"{name} {complexity}"] = _against(*kept)
    return found


def _dataset(name: str, complexity: str, spare: bool) -> DatasetConfig:
    data = {"transformer_type": name, "complexity": complexity, "gradient_checkpointing": spare}
    return DatasetConfig.model_validate({"name": "t", **data})


def networks() -> dict[str, dict[str, float]]:
    """The same of a whole training step on a sample, all tables checkpointed."""
    config, tables, schema, task = load_project(ROOT / CONFIG["network"])
    reader, _ = prepared(config, tables, schema, task)
    batch = reader.batch(np.arange(CONFIG["batch"]))
    found = {}
    for complexity in CONFIG["complexities"]:
        kept = []
        for spare in (False, True):
            model = _network(config, reader.preprocessing, complexity, spare)
            torch.manual_seed(CONFIG["seed"])

            def step(model: Any = model) -> torch.Tensor:
                output = model(batch)
                return output.logit_BO.sum() + output.loss

            kept.append(saved_bytes(step, model.parameters()))
        found[complexity] = _against(*kept)
    return found


def _network(config: RunConfig, preprocessing: Any, complexity: str, spare: bool) -> torch.nn.Module:
    update = {"complexity": complexity, "gradient_checkpointing": spare}
    datasets = tuple(dataset.model_copy(update=update) for dataset in config.datasets)
    torch.manual_seed(CONFIG["seed"])
    return build_model(config.model_copy(update={"datasets": datasets}), preprocessing).train()


def _against(plain: int, spared: int) -> dict[str, float]:
    return {"plain_bytes": plain, "spared_bytes": spared, "less": 1 - spared / plain}


def lengths() -> dict[str, Any]:
    """Bytes kept, and peak bytes, of plain and of flash attention; the exponent of growth from length to length."""
    width, heads = CONFIG["width"], CONFIG["heads"]
    found: dict[str, Any] = {}
    for name, flash in (("plain", False), ("flash", True)):
        layer = attention(width, heads, flash=flash)
        kept = [_kept(layer, length) for length in CONFIG["lengths"]]
        peaks = [peak_bytes(length, width, heads, flash=flash) for length in CONFIG["lengths"]]
        found[name] = {
            "lengths": CONFIG["lengths"],
            "saved_bytes": kept,
            "peak_bytes": peaks,
            "exponents": [math.log2(after / before) for before, after in pairwise(kept)],
        }
    return found


def _kept(layer: torch.nn.Module, length: int) -> int:
    return saved_bytes(lambda: attend(layer, length, CONFIG["width"]), layer.parameters())


def longer() -> dict[str, Any]:
    """Plain attention at one length and flash attention at a multiple of it: bytes kept, and peak bytes."""
    width, heads, short = CONFIG["width"], CONFIG["heads"], CONFIG["plain_length"]
    long = CONFIG["longer"] * short
    plain, flash = (attention(width, heads, flash=way) for way in (False, True))
    kept = {"plain": _kept(plain, short), "flash": _kept(flash, long)}
    return {
        "plain_length": short,
        "flash_length": long,
        "saved_bytes": kept,
        "peak_bytes": {
            "plain": peak_bytes(short, width, heads, flash=False),
            "flash": peak_bytes(long, width, heads, flash=True),
        },
        # Flash keeps so many bytes per column, whatever the length.
        "length_that_fits": kept["plain"] / (kept["flash"] / long),
        "times_longer": kept["plain"] / (kept["flash"] / long) / short,
    }


def main() -> None:
    """Run, and write the report beside this file."""
    torch.set_num_threads(1)
    results = {
        "checkpointing": {"encoders": encoders(), "network": networks()},
        "attention": {**lengths(), "longer": longer()},
    }
    print(write_report(Path(__file__).parent, CONFIG, results))


if __name__ == "__main__":
    main()
