"""A finished model as a folder of JSON and safetensors. Loading verifies checksums and runs no code."""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexusflow.config import RunConfig, parse_config
from nexusflow.data.preprocessing import Preprocessing
from nexusflow.errors import ArtifactError, NexusFlowError
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.train.run import Run

FORMAT = 1
MANIFEST, CONFIG, PREPROCESSING, CARD, WEIGHTS = (
    "manifest.json",
    "config.json",
    "preprocessing.json",
    "model.json",
    "weights.safetensors",
)


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A model ready to predict: the network in evaluation mode, what it was taught on, and the record of its run."""

    model: NexusFormer
    preprocessing: Preprocessing
    config: RunConfig
    run: Run


def build_model(config: RunConfig, preprocessing: Preprocessing) -> NexusFormer:
    """An untrained network for this configuration and data."""
    datasets = {dataset.table: dataset for dataset in config.datasets}
    return NexusFormer(
        preprocessing.layout, config.architecture, datasets, masking=config.training.masking
    )


def save_model(
    folder: Path, *, model: NexusFormer, preprocessing: Preprocessing, config: RunConfig, run: Run
) -> None:
    """Write the model into `folder`, whole or not at all; an older model there is replaced."""
    from safetensors.torch import save_file

    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".saving-"))
    try:
        _write_json(work / CONFIG, config.model_dump(mode="json"))
        _write_json(work / PREPROCESSING, preprocessing.to_dict())
        _write_json(work / CARD, run.to_dict())
        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, work / WEIGHTS)
        files = {name: _sha256(work / name) for name in (CONFIG, PREPROCESSING, CARD, WEIGHTS)}
        _write_json(work / MANIFEST, {"format": FORMAT, "files": files})
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def load_model(folder: Path) -> TrainedModel:
    """Read what `save_model` wrote; ArtifactError where a file is missing, changed, or of another format."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    _verify(folder)
    try:
        config = parse_config(_read_json(folder / CONFIG), source=CONFIG)
        preprocessing = Preprocessing.from_dict(_read_json(folder / PREPROCESSING))
        run = Run.from_dict(_read_json(folder / CARD))
        model = build_model(config, preprocessing)
        model.load_state_dict(load_file(folder / WEIGHTS))
    except ArtifactError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError) as error:
        reason = error.problems[0].message if isinstance(error, NexusFlowError) else str(error).splitlines()[0]
        raise ArtifactError(f"The model in {folder.name} cannot be read: {reason}") from error
    return TrainedModel(model=model.eval(), preprocessing=preprocessing, config=config, run=run)


def _verify(folder: Path) -> None:
    if not (folder / MANIFEST).is_file():
        raise ArtifactError(f"There is no model in {folder}: {MANIFEST} is missing. Choose a model folder.")
    manifest = _read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise ArtifactError(f"The model is of format {found!r}; this version reads format {FORMAT}.")
    files = manifest.get("files")
    if not isinstance(files, dict) or set(files) != {CONFIG, PREPROCESSING, CARD, WEIGHTS}:
        raise ArtifactError(f"{MANIFEST} does not list the files of a model. Train or copy the model again.")
    for name, digest in files.items():
        if not (folder / name).is_file():
            raise ArtifactError(f"{name} is missing from the model. Copy the whole folder again.")
        if _sha256(folder / name) != digest:
            raise ArtifactError(f"{name} has been changed since the model was saved. Copy the folder again.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data, indent=1), encoding="utf-8")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path.name} is not readable: {error}. Copy the folder again.") from error
