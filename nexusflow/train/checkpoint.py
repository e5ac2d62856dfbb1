"""Checkpoints as files: tensors in safetensors, all else in JSON, whole or not there, and never a pickle."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

# An epoch that lasts longer is interrupted by a checkpoint.
SECONDS_BETWEEN = 300.0
# The one before the last is kept for the day on which the last is damaged.
KEPT = 2

Write = Callable[[Path, bytes], None]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Tensors by name, and plain facts that JSON can hold."""

    tensors: Mapping[str, torch.Tensor]
    facts: Mapping[str, Any]


class Checkpoints:
    """The checkpoints in one folder: `N.safetensors` with `N.json`, which is written last and holds the digests.

    `write` writes a file whole or not at all. Those that are damaged are passed over, and named in `damaged`.
    """

    def __init__(self, folder: Path, write: Write) -> None:
        self.folder, self._write = folder, write
        self.damaged: list[str] = []
        self.saved = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last one is so old that another is worth its time."""
        return time.monotonic() - self.saved >= SECONDS_BETWEEN

    def save(self, checkpoint: Checkpoint) -> None:
        """Add a checkpoint, and then remove all but the last two; an OSError leaves those before it as they were."""
        numbers = self._numbers()
        self.keep(f"{(numbers[-1] if numbers else 0) + 1:06d}", checkpoint)
        for number in self._numbers()[:-KEPT]:
            self._drop(f"{number:06d}")
        self.saved = time.monotonic()

    def latest(self) -> Checkpoint | None:
        """The newest one that is whole; None where there is none."""
        found = (self.read(f"{number:06d}") for number in reversed(self._numbers()))
        return next((checkpoint for checkpoint in found if checkpoint is not None), None)

    def keep(self, name: str, checkpoint: Checkpoint) -> None:
        """Write a checkpoint under a name of its own, which stays."""
        from safetensors.torch import save

        content, facts = save(_apart(checkpoint.tensors)), json.dumps(checkpoint.facts)
        digests = {"tensors_sha256": _sha256(content), "facts_sha256": _sha256(facts.encode())}
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._write(self.folder / f"{name}.safetensors", content)
            self._write(self.folder / f"{name}.json", json.dumps({**digests, "facts": facts}).encode())
        except OSError:
            self._drop(name)
            raise

    def read(self, name: str) -> Checkpoint | None:
        """What was kept under this name; None where nothing was, or what is there is damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            sheet = json.loads((self.folder / f"{name}.json").read_bytes())
            content, facts = (self.folder / f"{name}.safetensors").read_bytes(), str(sheet["facts"])
            digests = sheet["tensors_sha256"], sheet["facts_sha256"]
            if digests != (_sha256(content), _sha256(facts.encode())):
                raise ValueError("not what was written")
            return Checkpoint(tensors=load(content), facts=json.loads(facts))
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            if any((self.folder / f"{name}.{ending}").exists() for ending in ("json", "safetensors")):
                self.damaged.append(name)
            return None

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _numbers(self) -> list[int]:
        return sorted({int(path.stem) for path in self.folder.glob("*.json") if path.stem.isdecimal()})

    def _drop(self, name: str) -> None:
        # The sheet first: without it there is no checkpoint, with it alone there is a damaged one.
        for ending in ("json", "safetensors"):
            (self.folder / f"{name}.{ending}").unlink(missing_ok=True)


def _apart(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """All on the CPU, each with memory of its own: what layers share (as TabNet's steps do) is there by every name."""
    found, seen = {}, set()
    for name, value in tensors.items():
        here = value.detach().cpu().contiguous()
        memory = here.untyped_storage().data_ptr()
        found[name] = here.clone() if memory in seen else here
        seen.add(memory)
    return found


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
