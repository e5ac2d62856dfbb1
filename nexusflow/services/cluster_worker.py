"""One of the processes of a training in a cluster: it takes the place that it is told, and goes torchrun's way.

It knows nothing of what started it: Ray makes an actor of it, and asks for events and for a stop beside the training.
"""

import logging
import os
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nexusflow.errors import TrainingError
from nexusflow.services.failing import told, unforeseen
from nexusflow.services.handing import Handed, receive
from nexusflow.services.storage import RunStore
from nexusflow.services.together import follow, following
from nexusflow.train.events import Event, event_to_dict
from nexusflow.train.place import MEETING, RUN_ID

log = logging.getLogger(__name__)

# What torchrun would call the run.
CLUSTER = "nexusflow-cluster"
# Seconds after which a file that another machine wrote is to be seen on this one.
LATE, LOOK = 5.0, 0.5


def place_of(rank: int, number: int, host: str, port: int, meeting: Path | None) -> dict[str, str]:
    """What a process is told: as torchrun would on a machine with this one process.

    For Ray shows each process the one GPU that is its own, and machines may have different numbers of them. Where all
    are on one machine they meet in a file, and no port is opened.
    """
    known = {
        "RANK": rank,
        "WORLD_SIZE": number,
        "LOCAL_RANK": 0,
        "LOCAL_WORLD_SIZE": 1,
        "GROUP_RANK": rank,
        "MASTER_ADDR": host,
        "MASTER_PORT": port,
        RUN_ID: CLUSTER,
    }
    given = {name: str(value) for name, value in known.items()}
    return given if meeting is None else {**given, MEETING: str(meeting)}


class Worker:
    """The process; what it is asked while it trains comes by other threads."""

    def __init__(self) -> None:
        self._events: list[dict[str, Any]] = []
        self._stop = False
        self._threads = 1

    def address(self) -> tuple[str, int]:
        """Where the others find this one: its machine, as Ray knows it, and a port that nobody uses now."""
        import ray

        host = str(ray.util.get_node_ip_address())
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as free:
            free.bind((host, 0))
            return host, int(free.getsockname()[1])

    def lacks(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that are not there on this machine."""
        until = time.monotonic() + LATE
        while True:
            lacking = [path for path in paths if not Path(path).exists()]
            if not lacking or time.monotonic() > until:
                return lacking
            time.sleep(LOOK)

    def take_place(self, environment: Mapping[str, str], threads: int) -> None:
        """Be this one of all processes, and use so many threads."""
        os.environ.update(environment)
        self._threads = threads

    def train(self, folder: str) -> dict[str, Any]:
        """Train what lies in the folder; nothing, or why it failed (see `nexusflow.services.failing`)."""
        try:
            from nexusflow.train.runtime import set_threads

            set_threads(self._threads)
            # Ray ends this process at once, and nothing would be cleared away at its end.
            with tempfile.TemporaryDirectory(prefix="nexusflow-worker-") as scratch:
                self._train(receive(Path(folder), Path(scratch)))
            return {}
        except BaseException as error:
            log.exception("the training failed")
            return told(error)

    def events(self, since: int) -> list[dict[str, Any]]:
        """What has been told, without the first so many."""
        return self._events[since:]

    def stop(self) -> None:
        """Stop within a batch; the first process decides for all."""
        self._stop = True

    def _train(self, handed: Handed) -> None:
        from nexusflow.services.project_run import go_on, train_project
        from nexusflow.services.resume import Resumable

        project = handed.project
        if following():
            follow(project.config, project.tables, project.schema, project.task)
        elif handed.resume:
            store = RunStore(handed.runs)
            found = Resumable(
                store=store,
                run=store.load(handed.run_id),
                config=project.config,
                tables=project.tables,
                schema=project.schema,
                task=project.task,
            )
            go_on(found, on_event=self._tell, should_stop=lambda: self._stop)
        else:
            train_project(
                project,
                handed.runs,
                name=handed.name,
                run_id=handed.run_id,
                on_event=self._tell,
                should_stop=lambda: self._stop,
            )

    def _tell(self, event: Event) -> None:
        self._events.append(event_to_dict(event))


def error_of(told: Mapping[str, Any], name: str, first: bool) -> TrainingError:
    """The error of a process, in the words that it has when torchrun starts it."""
    from nexusflow.services.runner import OUT_OF_MEMORY

    if told["known"] or told["memory"]:
        message = told["message"] if told["known"] else OUT_OF_MEMORY
        return TrainingError(message if first else f"{name}: {message}")
    return TrainingError(f"{name} {unforeseen(dict(told))}")
