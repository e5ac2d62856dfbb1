"""What outlives the process: runs and their events as files, whole or absent, never half-written."""

import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from nexusflow.errors import TrainingError
from nexusflow.nxf import whole
from nexusflow.train.events import Event, event_from_dict, event_to_dict
from nexusflow.train.run import Run, RunStatus

try:
    import fcntl
except ImportError:  # pragma: no cover
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

RUN_FILE = "run.json"
EVENTS_FILE = "events.jsonl"
# What explains the answers of a run, worked out on request.
INSIGHT_FOLDER = "insight"
LOCK_FILE = ".lock"
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_UNFINISHED = (RunStatus.QUEUED, RunStatus.RUNNING)


def home() -> Path:
    """Where workspaces are kept: the environment's NEXUSFLOW_HOME, or `.nexusflow` in the user's folder."""
    named = os.environ.get("NEXUSFLOW_HOME")
    return Path(named) if named else Path.home() / ".nexusflow"


def new_run_id(now: datetime | None = None) -> str:
    """A run id that sorts by time, such as 20261123-181502-ab12."""
    return f"{now or datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole: a reader, or a crash, sees the old content or the new, never a part."""
    whole(path, content)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write plain data as a JSON file, whole."""
    # Without an indent the encoder is the fast one; what is drawn on the canvas is written with every stroke.
    write_bytes(path, json.dumps(data, ensure_ascii=True).encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """What `write_json` wrote, or None where there is no such file."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold the folder against other threads and processes that do the same; where the system has no such locks
    (Windows) against nobody.
    """
    if fcntl is None:
        yield
        return
    with (folder / LOCK_FILE).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Hold:
    """A sign that a run has a living owner; the system takes it down with the process, however that ends."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._file = path, path.open("ab")
        if fcntl is not None:
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def __enter__(self) -> "Hold":
        return self

    def __exit__(self, *error: object) -> None:
        self.let_go()

    def let_go(self) -> None:
        """Be the owner no more; once is enough."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def _is_held(path: Path) -> bool:
    """Whether a living process holds this; where the system has no such locks (Windows) nobody is seen to."""
    if fcntl is None:
        return False
    try:
        with path.open("rb") as file:
            # Shared, so that two who look at the same moment do not take each other for the owner.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


class RunStore:
    """The runs under one folder, a folder each: `run.json`, `events.jsonl`, and what the training saves."""

    def __init__(self, folder: Path) -> None:
        self.root = folder

    def folder(self, run_id: str) -> Path:
        """Where a run's files lie; TrainingError for an id that is none."""
        if not _RUN_ID.fullmatch(run_id):
            raise TrainingError("A run id consists of letters, digits and dashes.")
        return self.root / run_id

    def create(self, run: Run) -> None:
        """Make the folder of a new run and write it down; TrainingError where the id is taken."""
        try:
            self.folder(run.id).mkdir(parents=True)
        except FileExistsError:
            raise TrainingError(f"There already is a run {run.id}.") from None
        self.save(run)

    def hold(self, run_id: str) -> Hold:
        """Be the owner of a run, from before it is created until its last state is saved."""
        return Hold(self._hold_file(run_id))

    def is_held(self, run_id: str) -> bool:
        """Whether the run has a living owner, in this process or another one on this machine."""
        return _is_held(self._hold_file(run_id))

    def save(self, run: Run) -> None:
        """Write the run's state in place of the last one."""
        run.save(self.folder(run.id) / RUN_FILE)

    def load(self, run_id: str) -> Run:
        """A run's last state; TrainingError where there is no such run."""
        path = self.folder(run_id) / RUN_FILE
        if not path.is_file():
            raise TrainingError(f"There is no run {run_id}; it may have been deleted.")
        return Run.load(path)

    def is_explained(self, run_id: str) -> bool:
        """Whether anything that explains the run's answers has been worked out, and is kept with it."""
        folder = self.folder(run_id) / INSIGHT_FOLDER
        # What begins with a dot is half-written.
        return any(folder.glob("[!.]*"))

    def __contains__(self, run_id: object) -> bool:
        return isinstance(run_id, str) and (self.folder(run_id) / RUN_FILE).is_file()

    def list(self) -> tuple[Run, ...]:
        """Every readable run, newest first."""
        runs = sorted(self._readable(), key=lambda run: (run.created, run.id), reverse=True)
        return tuple(runs)

    def delete(self, run_id: str) -> None:
        """Remove a run and its files; a run that is not there is no error."""
        folder = self.folder(run_id)
        if folder.is_dir():
            gone = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.deleted")
            os.replace(folder, gone)
            shutil.rmtree(gone, ignore_errors=True)
            self._hold_file(run_id).unlink(missing_ok=True)

    def append_event(self, run_id: str, event: Event) -> None:
        """Add an event to the run's record."""
        path = self.folder(run_id) / EVENTS_FILE
        with path.open("ab") as file:
            # A crash can leave half a line; the next event must not be lost to it.
            if file.tell() and not _ends_line(path):
                file.write(b"\n")
            file.write(json.dumps(event_to_dict(event)).encode() + b"\n")

    def events(self, run_id: str) -> tuple[Event, ...]:
        """The run's events in order; a line cut short by a crash is left out."""
        path = self.folder(run_id) / EVENTS_FILE
        if not path.is_file():
            return ()
        return tuple(_readable_events(path))

    def mark_interrupted(self) -> tuple[str, ...]:
        """Mark runs that a stopped process left queued or running, when a server starts; gives their ids.

        A run whose owner lives, in another server of the same folder, goes on untouched.
        """
        unfinished = [run for run in self._readable() if run.status in _UNFINISHED]
        return tuple(run.id for run in unfinished if self.settled(run).status is RunStatus.INTERRUPTED)

    def settled(self, run: Run) -> Run:
        """The run, or as it stands now, or marked as interrupted where its owner is gone."""
        if run.status not in _UNFINISHED or self.is_held(run.id):
            return run
        # Its owner may have saved the end and let go since it was read.
        run = self.load(run.id)
        if run.status in _UNFINISHED:
            run = interrupted(run)
            self.save(run)
            self._hold_file(run.id).unlink(missing_ok=True)
        return run

    def _hold_file(self, run_id: str) -> Path:
        folder = self.folder(run_id)
        return folder.with_name(f".{folder.name}.owner")

    def _readable(self) -> Iterator[Run]:
        if not self.root.is_dir():
            return
        for path in sorted(self.root.glob(f"[!.]*/{RUN_FILE}")):
            try:
                yield Run.load(path)
            except (ValueError, KeyError, TypeError) as error:
                log.warning("run %s cannot be read: %s", path.parent.name, type(error).__name__)


def interrupted(run: Run) -> Run:
    """The run as it stands once its process is gone."""
    message = "The server or the program stopped while this run was under way."
    return replace(run, status=RunStatus.INTERRUPTED, error=message)


def mark_all_interrupted(root: Path | None = None) -> None:
    """Mark what a stopped server left unfinished in every workspace under `root` (default: `home()`)."""
    for runs in (root or home()).glob("workspaces/*/runs"):
        RunStore(runs).mark_interrupted()


def _ends_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _readable_events(path: Path) -> Iterator[Event]:
    for line in path.read_bytes().splitlines():
        try:
            yield event_from_dict(json.loads(line))
        except (ValueError, KeyError, TypeError):
            log.warning("an event of run %s cannot be read", path.parent.name)
