"""A finished model as a folder of JSON and safetensors. Loading verifies checksums and runs no code."""

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from nexusflow.config import RunConfig, parse_config
from nexusflow.data.preprocessing import Preprocessing
from nexusflow.errors import ArtifactError, NexusFlowError
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.nn.unfilled import Unfilled
from nexusflow.train.calibrate import Calibration
from nexusflow.train.interval import Interval
from nexusflow.train.run import Run

FORMAT = 3
# Format 1 knew no calibration: its models are as sure as training left them. Before format 3 no row modulated what its
# tables say.
READ = tuple(range(1, FORMAT + 1))
NEW_IN = {"calibration.": 2, "modulation.": 3}
UNREADABLE = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
MANIFEST, CONFIG, PREPROCESSING, CARD, WEIGHTS = (
    "manifest.json",
    "config.json",
    "preprocessing.json",
    "model.json",
    "weights.safetensors",
)


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A model ready to predict: the network in evaluation mode, what it was taught on, and the record of its run.

    `interval` says how far a predicted value may be off; None for classes, and where there was too little to tell.
    """

    model: NexusFormer
    preprocessing: Preprocessing
    config: RunConfig
    run: Run
    interval: Interval | None = None


def build_model(config: RunConfig, preprocessing: Preprocessing) -> NexusFormer:
    """An untrained network for this configuration and data."""
    datasets = {dataset.table: dataset for dataset in config.datasets}
    return NexusFormer(preprocessing.layout, config.architecture, datasets, masking=config.training.masking)


def save_model(
    folder: Path, *, model: NexusFormer, preprocessing: Preprocessing, config: RunConfig, run: Run
) -> None:
    """Write the model into `folder`, whole or not at all; only an older model there is replaced.

    ArtifactError where the folder holds something that is no model.
    """
    from safetensors.torch import save_file

    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise ArtifactError(f"{folder.name} holds files that are no model; choose an empty or a new folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".saving-"))
    try:
        _write_json(work / CONFIG, config.model_dump(mode="json"))
        _write_json(work / PREPROCESSING, preprocessing.to_dict())
        _write_json(work / CARD, run.to_dict())
        save_file(_weights(model), work / WEIGHTS)
        files = {name: _sha256(work / name) for name in (CONFIG, PREPROCESSING, CARD, WEIGHTS)}
        _write_json(work / MANIFEST, {"format": FORMAT, "files": files})
        _put_in_place(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def load_model(folder: Path) -> TrainedModel:
    """Read what `save_model` wrote; ArtifactError where a file is missing, changed, or of another format."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        number = _verify(folder)
        config = parse_config(_read_json(folder / CONFIG), source=CONFIG)
        preprocessing = Preprocessing.from_dict(_read_json(folder / PREPROCESSING))
        run = Run.from_dict(_read_json(folder / CARD))
        interval = Calibration.from_dict(run.calibration).interval
        with Unfilled():
            model = build_model(config, preprocessing)
        weights = load_file(folder / WEIGHTS)
        if weights.keys() != _stored(model, number):
            raise ArtifactError(
                f"The model in {folder.name} cannot be read: {WEIGHTS} belongs to another network. "
                "Copy the folder again, or train again."
            )
        if number < NEW_IN["modulation."]:
            model.modulation.make_neutral()
        model.load_state_dict(weights, strict=False)
    except ArtifactError:
        raise
    except (*UNREADABLE, SafetensorError) as error:
        reason = error.problems[0].message if isinstance(error, NexusFlowError) else type(error).__name__
        raise ArtifactError(
            f"The model in {folder.name} cannot be read ({reason}). Copy the folder again, or train again."
        ) from error
    return TrainedModel(
        model=model.eval(), preprocessing=preprocessing, config=config, run=run, interval=interval
    )


def _weights(model: NexusFormer) -> dict[str, Tensor]:
    """The weights by name; what layers share (as TabNet's steps do) is there once, under its first name."""
    first: dict[int, str] = {}
    found = model.state_dict(keep_vars=True)
    for name, value in found.items():
        first.setdefault(id(value), name)
    return {name: found[name].detach().contiguous() for name in first.values()}


def _stored(model: NexusFormer, number: int) -> set[str]:
    """The names of the weights that a model of this format has."""
    later = tuple(prefix for prefix, since in NEW_IN.items() if number < since)
    return {name for name in _weights(model) if not name.startswith(later)}


def _put_in_place(work: Path, folder: Path) -> None:
    """Move `work` to `folder`; the model that stood there is put back where that fails."""
    if not folder.exists():
        os.replace(work, folder)
        return
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".replaced-") as old:
        os.replace(folder, Path(old) / "model")
        try:
            os.replace(work, folder)
        except OSError:
            os.replace(Path(old) / "model", folder)
            raise


def _verify(folder: Path) -> int:
    """The number of the format, once every file is found to be as it was written."""
    if not (folder / MANIFEST).is_file():
        raise ArtifactError(f"There is no model in {folder}: {MANIFEST} is missing. Choose a model folder.")
    manifest = _read_json(folder / MANIFEST)
    found = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(manifest, dict) or found not in READ:
        raise ArtifactError(
            f"The model is of format {found!r}; this version reads formats 1 to {FORMAT}. Train again, or "
            "open it with the version that saved it."
        )
    files = manifest.get("files")
    if not isinstance(files, dict) or set(files) != {CONFIG, PREPROCESSING, CARD, WEIGHTS}:
        raise ArtifactError(f"{MANIFEST} does not list the files of a model. Train or copy the model again.")
    for name, digest in files.items():
        if not (folder / name).is_file():
            raise ArtifactError(f"{name} is missing from the model. Copy the whole folder again.")
        if _sha256(folder / name) != digest:
            raise ArtifactError(f"{name} has been changed since the model was saved. Copy the folder again.")
    return int(manifest["format"])


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
