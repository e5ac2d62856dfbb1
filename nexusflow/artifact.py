"""A finished model as one file, model.nxf: JSON and safetensors in a zip. Loading verifies it and runs no code.

The file follows from what a run was given: what differs between two runs of one seed (its id, when it ran and for how
long) stays in the run's own record. docs/nxf.md tells the format.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nexusflow import __version__
from nexusflow.config import RunConfig, parse_config
from nexusflow.data.preprocessing import Preprocessing
from nexusflow.errors import ArtifactError, NexusFlowError
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.nn.unfilled import Unfilled
from nexusflow.nxf import AGAIN, ENDING, FORMAT, check_tensors, pack, read_json, sha256, unpack, whole
from nexusflow.nxf_folder import LAST_FORMAT, old_json, read_folder
from nexusflow.nxf_weights import NOTHING, Optimisation, as_stored, from_stored
from nexusflow.train.calibrate import Calibration
from nexusflow.train.interval import Interval
from nexusflow.train.run import Run

# Files begin where folders ended.
FIRST_FILE = LAST_FORMAT + 1
# Format 1 knew no calibration: its models are as sure as training left them. Before format 3 no row modulated what its
# tables say. Up to format 3 a model was a folder. Before format 5 rows had no answer of their own.
NEW_IN = {"calibration.": 2, "modulation.": 3, "reading.": 5}
UNREADABLE = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
MANIFEST, CONFIG, PREPROCESSING, CARD, WEIGHTS = (
    "manifest.json",
    "config.json",
    "preprocessing.json",
    "model.json",
    "weights.safetensors",
)
MEMBERS = (CONFIG, PREPROCESSING, CARD, WEIGHTS)
MODEL_FILE, OLD_FOLDER = f"model{ENDING}", "model"
OPTIMISATION = "optimisation"
# What two runs of one seed differ in; and an epoch's or a trial's seconds.
OF_ONE_RUN = ("id", "created", "seconds", "error")
MOST_HOPS, MOST_SLOTS = 3, 64


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A model ready to predict: the network in evaluation mode, what it was taught on, and the record of its run.

    `interval` says how far a predicted value may be off; None for classes, and where there was too little to tell.
    `optimisation` says what was done to the weights after training (`nexusflow.optimise`).
    """

    model: NexusFormer
    preprocessing: Preprocessing
    config: RunConfig
    run: Run
    interval: Interval | None = None
    optimisation: Optimisation = NOTHING


def build_model(config: RunConfig, preprocessing: Preprocessing) -> NexusFormer:
    """An untrained network for this configuration and data."""
    datasets = {dataset.table: dataset for dataset in config.datasets}
    return NexusFormer(preprocessing.layout, config.architecture, datasets, masking=config.training.masking)


def save_model(
    path: Path,
    *,
    model: NexusFormer,
    preprocessing: Preprocessing,
    config: RunConfig,
    run: Run,
    optimisation: Optimisation = NOTHING,
) -> None:
    """Write the model as the file `path`, whole or not at all; only an older model there is replaced.

    ArtifactError where `path` does not end in .nxf, or is something that is no model.
    """
    if path.suffix != ENDING:
        raise ArtifactError(f"A model file ends in {ENDING}; {path.name!r} does not.")
    if path.exists() and (not path.is_file() or path.open("rb").read(4) not in (b"PK\3\4", b"")):
        raise ArtifactError(f"{path.name} is there already and is no model; choose another name.")
    content = model_bytes(
        model=model, preprocessing=preprocessing, config=config, run=run, optimisation=optimisation
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    whole(path, content)


def model_bytes(
    *,
    model: NexusFormer,
    preprocessing: Preprocessing,
    config: RunConfig,
    run: Run,
    optimisation: Optimisation = NOTHING,
) -> bytes:
    """The content of the model's file; the same for the same model, to the bit."""
    from safetensors.torch import save

    weights = weights_of(model)
    lost = _not_finite(weights)
    if lost:
        raise ArtifactError(
            f"The network has no numbers in {lost}: the training diverged. Lower its learning rate."
        )
    stored = as_stored(weights, optimisation)
    changed = _differs(from_stored(stored, weights, optimisation), weights)
    if changed:
        raise ArtifactError(
            f"The weights have changed since the model was optimised, as in {changed}. Optimise it again."
        )
    optimised = {OPTIMISATION: optimisation.to_dict()} if optimisation.steps else {}
    members = {
        CONFIG: _json(config.model_dump(mode="json")),
        PREPROCESSING: _json(preprocessing.to_dict()),
        CARD: _json({**card(run), **optimised}),
        WEIGHTS: save(stored),
    }
    listed = {name: {"sha256": sha256(content), "bytes": len(content)} for name, content in members.items()}
    manifest = {"format": FORMAT, "nexusflow": __version__, "members": listed}
    return pack({MANIFEST: _json(manifest), **members})


def load_model(path: Path) -> TrainedModel:
    """Read what `save_model` wrote, or a model's folder of before; ArtifactError says what is wrong with any other."""
    from safetensors import SafetensorError

    try:
        if path.is_dir():
            number, members = read_folder(path, MEMBERS)
            return _built(number, members, old_json)
        if not path.exists():
            raise ArtifactError(f"There is no model {path}. Choose a {ENDING} file.")
        number, members = _read_file(path)
        return _built(number, members, read_json)
    except ArtifactError:
        raise
    except (*UNREADABLE, SafetensorError) as error:
        reason = error.problems[0].message if isinstance(error, NexusFlowError) else type(error).__name__
        raise ArtifactError(f"The model {path.name} cannot be read ({reason}). {AGAIN}") from error


def find_model(place: Path) -> Path:
    """The model file or folder that is meant by itself or by the folder of its run; ArtifactError where none is."""
    if place.is_file():
        return place
    for inside in (place / MODEL_FILE, place / OLD_FOLDER / MANIFEST, place / MANIFEST):
        if inside.is_file():
            return inside if inside.suffix == ENDING else inside.parent
    raise ArtifactError(
        f"There is no model in {place}. Give the {ENDING} file that `nexusflow train` printed, or its run's folder."
    )


def card(run: Run) -> dict[str, Any]:
    """The record of a run without what is of that one run alone; a loss that is no number is None."""
    data = {name: value for name, value in run.to_dict().items() if name not in OF_ONE_RUN}
    for name in ("history", "trials"):
        data[name] = [{k: _number(v) for k, v in each.items() if k != "seconds"} for each in data[name]]
    return data


def same_run(one: Run, other: Run) -> bool:
    """Whether two records tell of the same training, whatever they are called."""
    first, second = (json.loads(_json({**card(run), "name": ""})) for run in (one, other))
    return bool(first == second)


def parts_of(trained: TrainedModel) -> dict[str, Any]:
    """What `save_model` and `model_bytes` take of a model."""
    names = ("model", "preprocessing", "config", "run", "optimisation")
    return {name: getattr(trained, name) for name in names}


def _read_file(path: Path) -> tuple[int, dict[str, bytes]]:
    members = unpack(path, (MANIFEST, *MEMBERS))
    manifest = read_json(members.pop(MANIFEST), MANIFEST)
    if not isinstance(manifest, dict):
        raise ArtifactError(f"{MANIFEST} says nothing of a model. {AGAIN}")
    number = manifest.get("format")
    if type(number) is int and number > FORMAT:
        raise ArtifactError(
            f"The model is of format {number}, and this is NexusFlow {__version__}, which reads formats up to "
            f"{FORMAT}. It needs {_needed(manifest)}."
        )
    if type(number) is not int or number < FIRST_FILE:
        raise ArtifactError(
            f"The model is of format {str(number)[:40]!r}, and there is no such format. {AGAIN}"
        )
    listed = manifest.get("members")
    if not isinstance(listed, dict) or set(listed) != set(members):
        raise ArtifactError(f"{MANIFEST} does not list the members of a model. {AGAIN}")
    for name, content in members.items():
        if listed[name] != {"sha256": sha256(content), "bytes": len(content)}:
            raise ArtifactError(f"{name} has been changed since the model was saved. {AGAIN}")
    return number, members


def _needed(manifest: Mapping[str, Any]) -> str:
    """The version that wrote it, where it says so in a few numbers."""
    said = str(manifest.get("nexusflow"))
    return (
        f"NexusFlow {said} or newer"
        if re.fullmatch(r"\d{1,4}(\.\d{1,4}){1,3}", said)
        else "a newer NexusFlow"
    )


def _built(number: int, members: Mapping[str, bytes], parse: Any) -> TrainedModel:
    """The network that the members describe, in evaluation mode."""
    from safetensors.torch import load

    config = parse_config(parse(members[CONFIG], CONFIG), source=CONFIG)
    preprocessing = Preprocessing.from_dict(parse(members[PREPROCESSING], PREPROCESSING))
    if not (0 <= preprocessing.hops <= MOST_HOPS and 1 <= preprocessing.slots <= MOST_SLOTS):
        raise ArtifactError(
            f"{PREPROCESSING} asks for more hops or rows than there are in any model. {AGAIN}"
        )
    about = dict(parse(members[CARD], CARD))
    optimised = about.pop(OPTIMISATION, None)
    optimisation = NOTHING if optimised is None else Optimisation.from_dict(optimised)
    run = _run(about, members)
    interval = Calibration.from_dict(run.calibration).interval
    check_tensors(members[WEIGHTS], WEIGHTS)
    with Unfilled():
        model = build_model(config, preprocessing)
    weights = from_stored(load(members[WEIGHTS]), weights_of(model), optimisation)
    if weights.keys() != _stored(model, number):
        raise ArtifactError(f"The model cannot be read: {WEIGHTS} belongs to another network. {AGAIN}")
    if lost := _not_finite(weights):
        raise ArtifactError(f"{WEIGHTS} holds no numbers (NaN) in {lost}. {AGAIN}")
    if number < NEW_IN["modulation."]:
        model.modulation.make_neutral()
    if number < NEW_IN["reading."]:
        model.reading.make_silent()
    model.load_state_dict(weights, strict=False)
    return TrainedModel(
        model=model.eval(),
        preprocessing=preprocessing,
        config=config,
        run=run,
        interval=interval,
        optimisation=optimisation,
    )


def _run(data: dict[str, Any], members: Mapping[str, bytes]) -> Run:
    """The record of the run; a file says nothing of its id, so that the content gives it one."""
    if "id" not in data:
        digest = sha256("".join(sha256(content) for content in members.values()).encode())
        data = {**data, "id": f"model-{digest[:12]}", "created": "", "seconds": 0.0}
        for name in ("history", "trials"):
            data[name] = [{**each, "seconds": 0.0} for each in data[name]]
        losses = ("train_loss", "val_loss")
        data["history"] = [
            {k: math.nan if v is None and k in losses else v for k, v in each.items()}
            for each in data["history"]
        ]
    return Run.from_dict(data)


def weights_of(model: NexusFormer) -> dict[str, Tensor]:
    """The weights by name; what layers share (as TabNet's steps do) is there once, under its first name."""
    first: dict[int, str] = {}
    found = model.state_dict(keep_vars=True)
    for name, value in found.items():
        first.setdefault(id(value), name)
    return {name: found[name].detach().contiguous() for name in first.values()}


def _stored(model: NexusFormer, number: int) -> set[str]:
    """The names of the weights that a model of this format has."""
    later = tuple(prefix for prefix, since in NEW_IN.items() if number < since)
    return {name for name in weights_of(model) if not name.startswith(later)}


def _differs(some: Mapping[str, Tensor], others: Mapping[str, Tensor]) -> str:
    """The first weights that are not equal; empty where all are."""
    return next((name for name, value in some.items() if not torch.equal(value, others[name].cpu())), "")


def _not_finite(weights: Mapping[str, Tensor]) -> str:
    """The first weights that hold something else than numbers; empty where none do."""
    return next((name for name, value in weights.items() if not torch.isfinite(value).all()), "")


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _json(data: Any) -> bytes:
    return json.dumps(data, indent=1, allow_nan=False).encode("ascii")
