"""Model files taken apart and put together again, as someone would who changes them on purpose."""

import hashlib
import json
import zipfile
from pathlib import Path

from safetensors.torch import load, save

from nexusflow.artifact import load_model, parts_of, save_model
from nexusflow.nxf import pack

MEMBERS = ("config.json", "preprocessing.json", "model.json", "weights.safetensors")
FILES = ("manifest.json", *MEMBERS)


def taken_apart(path: Path) -> dict[str, bytes]:
    """The members by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def put_together(path: Path, members: dict[str, bytes]) -> None:
    """Write the members as they are, in the form that model files have."""
    path.write_bytes(pack(members))


def sealed(members: dict[str, bytes], /, **changes: object) -> dict[str, bytes]:
    """The members with a manifest that fits them, `changes` put into it."""
    listed = {
        name: {"sha256": hashlib.sha256(members[name]).hexdigest(), "bytes": len(members[name])}
        for name in MEMBERS
        if name in members
    }
    manifest = {**json.loads(members["manifest.json"]), "members": listed, **changes}
    return {**members, "manifest.json": json.dumps(manifest).encode()}


def changed(path: Path, name: str, change) -> None:
    """Change a member's JSON, and make the manifest fit."""
    members = taken_apart(path)
    members[name] = json.dumps(change(json.loads(members[name]))).encode()
    put_together(path, sealed(members))


def silenced(path: Path) -> Path:
    """The model file with a network whose rows say nothing by themselves, as before format 5."""
    trained = load_model(path)
    trained.model.reading.make_silent()
    save_model(path, **parts_of(trained))
    return path


def without_reading(weights: bytes) -> bytes:
    """The weights that a network had before format 5."""
    return save({name: value for name, value in load(weights).items() if not name.startswith("reading.")})


def as_folder(path: Path, folder: Path, number: int = 3, run: dict | None = None) -> Path:
    """The model as NexusFlow saved it in formats 1 to 3: a folder with the same members, and a record with an id."""
    members = taken_apart(path)
    del members["manifest.json"]
    members["weights.safetensors"] = without_reading(members["weights.safetensors"])
    made = run or {"id": "r-01", "created": "2026-01-01T00:00:00+00:00", "seconds": 1.5, "error": None}
    record = {**json.loads(members["model.json"]), **made}
    for name in ("history", "trials"):
        record[name] = [{"seconds": 0.5, **each} for each in record[name]]
    members["model.json"] = json.dumps(record).encode()
    folder.mkdir(parents=True)
    for name, content in members.items():
        (folder / name).write_bytes(content)
    seal_folder(folder, number)
    return folder


def seal_folder(folder: Path, number: int = 3) -> None:
    """A manifest of format 1 to 3 that fits the files."""
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in MEMBERS}
    (folder / "manifest.json").write_text(json.dumps({"format": number, "files": digests}))
