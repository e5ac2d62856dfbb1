"""A training in a Ray cluster: workers are placed, told their places, followed, stopped and heard; none outlives it.

Ray places plain actors here and carries what they say. It does not join them: that is done by the road that torchrun's
processes go (`nexusflow.services.together`), with its strategies, its laws and its words.
"""

import os
import secrets
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nexusflow
from nexusflow.errors import ConfigError, TrainingError
from nexusflow.services.cluster_share import Cluster, Node, Share, refuse_settings, share_out
from nexusflow.services.cluster_worker import Worker, error_of, place_of
from nexusflow.services.handing import ASKED_FILE, Handed, hand_over
from nexusflow.services.launch import loopback
from nexusflow.services.project_run import Project, Trained, trained
from nexusflow.services.resume import Resumable
from nexusflow.services.storage import RunStore, new_run_id
from nexusflow.train.events import Note, OnEvent, ShouldStop, event_from_dict
from nexusflow.train.place import process_name
from nexusflow.train.run import RunStatus

# How long room is waited for, in seconds: a cluster that grows by itself takes minutes.
ROOM = 600.0
# Once one has failed the others notice it themselves, and say so; after this they are ended.
GRACE, LOOK = 5.0, 0.2
# Nothing travels through Ray's store of objects here; this is about the least that it takes.
STORE_BYTES = 80 * 2**20
MEETING_FILE = "meeting"


def train_in_cluster(
    project: Project,
    runs: Path,
    cluster: Cluster,
    *,
    name: str = "",
    on_event: OnEvent = lambda event: None,
    should_stop: ShouldStop = lambda: False,
) -> Trained:
    """What `train_project` gives, by processes that Ray starts; `runs` must be reached by all of their machines.

    ConfigError where Ray is not installed or the settings do not go with a cluster, TrainingError where no cluster
    answers, has no room, or a process fails. KeyboardInterrupt where it is stopped before it has begun.
    """
    handed = Handed(project=project, runs=runs.resolve(), run_id=new_run_id(), name=name)
    return _train(handed, cluster, on_event, should_stop)


def resume_in_cluster(
    found: Resumable,
    cluster: Cluster,
    *,
    on_event: OnEvent = lambda event: None,
    should_stop: ShouldStop = lambda: False,
) -> Trained:
    """Go on with a run that was found to be resumable; see `train_in_cluster`."""
    assert found.source is not None
    project = Project(
        source=found.source, config=found.config, tables=found.tables, schema=found.schema, task=found.task
    )
    handed = Handed(project=project, runs=found.store.root.resolve(), run_id=found.run.id, resume=True)
    return _train(handed, cluster, on_event, should_stop)


def _train(handed: Handed, cluster: Cluster, on_event: OnEvent, should_stop: ShouldStop) -> Trained:
    training = handed.project.config.training
    refuse_settings(training)
    ray = _ray(cluster)
    on_event(Note(message="Looking for the cluster"))
    with _connected(ray, cluster):
        share = share_out(_nodes(ray), training, cluster)
        on_event(Note(message="Handing the tables over"))
        with _handed_over(handed, cluster) as folder, _placed(ray, share, on_event, should_stop) as workers:
            crew = _Crew(ray, workers, share, folder, on_event, should_stop)
            crew.take_places(cluster.local, (folder / ASKED_FILE, handed.runs))
            failed = crew.follow()
    store = RunStore(handed.runs)
    if failed is not None:
        _write_down(store, handed.run_id, str(failed))
        raise failed
    return trained(store, store.load(handed.run_id))


@contextmanager
def _handed_over(handed: Handed, cluster: Cluster) -> Iterator[Path]:
    """The folder that workers find the training in, as long as it lasts."""
    storage = (cluster.storage or handed.runs).resolve()
    for place in (handed.runs, storage):
        place.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".cluster-", dir=storage))
    try:
        if not cluster.local:
            # Made for one user, and read by workers that others may run.
            folder.chmod(0o755)
        # Workers of this machine reach all that the command reaches.
        reached = Path(storage.anchor) if cluster.local else cluster.storage or folder
        hand_over(handed, folder, reached)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _ray(cluster: Cluster) -> Any:
    """Ray, imported; ConfigError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if cluster.local:
        # What its processes inherit is set before Ray reads it. Nobody else on this machine is to give it work.
        os.environ.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)})
        # Its processes are to be as quick as others that the command would start.
        os.environ.setdefault("RAY_worker_niceness", "0")
        # The name says less than it does: without it Ray listens on all interfaces, also where it is given an address.
        os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
        root = str(Path(nexusflow.__file__).parents[1])
        known = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (root, known)))
    try:
        import ray
    except ImportError:
        raise ConfigError("--cluster needs Ray: pip install 'nexusflow[cluster]'.") from None
    return ray


@contextmanager
def _connected(ray: Any, cluster: Cluster) -> Iterator[None]:
    from nexusflow.train.runtime import cores

    given: dict[str, Any] = {"address": cluster.address, "log_to_driver": False, "logging_level": "ERROR"}
    if cluster.local:
        # As many as are asked for, where these are more: the system shares them out.
        given["num_cpus"] = max(cores(), (cluster.workers or 1) * (cluster.cores or 1))
        given |= {"include_dashboard": False, "object_store_memory": STORE_BYTES}
    try:
        # What is wrong is told by errors; warnings beside them are for programmers.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(**given)
    # Ray raises errors of many kinds here, some of them bare ones.
    except Exception as error:
        ray.shutdown()
        why = _first_line(error).rstrip(".")
        if cluster.local:
            raise TrainingError(f"Ray did not start on this machine: {why}.") from error
        raise TrainingError(
            f"No Ray cluster answers at {cluster.address}: {why}. Start one by ray start, or name another "
            "(docs/scaling.md has the commands)."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _nodes(ray: Any) -> list[Node]:
    return [
        Node(cores=int(node["Resources"].get("CPU", 0)), gpus=int(node["Resources"].get("GPU", 0)))
        for node in ray.nodes()
        if node["Alive"]
    ]


@contextmanager
def _placed(ray: Any, share: Share, on_event: OnEvent, should_stop: ShouldStop) -> Iterator[list[Any]]:
    """The workers, once the cluster has room for all of them; they are ended after it."""
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    group = placement_group([share.bundle] * share.workers, strategy="PACK")
    workers: list[Any] = []
    try:
        _wait_for_room(group, share, on_event, should_stop)
        actor = ray.remote(Worker)
        for number in range(share.workers):
            there = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number)
            options = {"num_cpus": share.cores, "num_gpus": share.gpus, "scheduling_strategy": there}
            # One trains, one tells, one stops.
            workers.append(actor.options(**options, max_concurrency=3).remote())
        yield workers
    finally:
        for worker in workers:
            ray.kill(worker)
        remove_placement_group(group)


def _wait_for_room(group: Any, share: Share, on_event: OnEvent, should_stop: ShouldStop) -> None:
    began, said = time.monotonic(), False
    while not group.wait(1):
        if should_stop():
            raise KeyboardInterrupt
        if time.monotonic() - began > ROOM:
            raise TrainingError(
                f"The cluster had no room for {share.words} within {ROOM / 60:.0f} minutes. Lower --workers or "
                "--worker-cores, or wait until others have ended."
            )
        if not said:
            on_event(Note(message=f"Waiting for room for {share.words}", lasts=True))
            said = True


@dataclass
class _Failure:
    """The error of a worker, and whether it only says that another one is gone."""

    rank: int
    error: TrainingError
    left: bool


class _Crew:
    """The workers of a training."""

    def __init__(
        self,
        ray: Any,
        workers: Sequence[Any],
        share: Share,
        folder: Path,
        on_event: OnEvent,
        should_stop: ShouldStop,
    ) -> None:
        self.ray, self.workers, self.share, self.folder = ray, workers, share, folder
        self.on_event, self.should_stop = on_event, should_stop
        self.told, self.stopping = 0, False

    def take_places(self, local: bool, needed: Sequence[Path]) -> None:
        """Tell each who it is; TrainingError where one cannot start, or does not reach the files that it needs."""
        asked = [w.lacks.remote([str(path) for path in needed]) for w in self.workers]
        for rank, lacking in enumerate(self._answers(asked)):
            if lacking:
                raise TrainingError(
                    f"{self._name(rank)} does not reach {lacking[0]} on its machine. Give --storage (and --out) a "
                    "folder that all machines have under the same path."
                )
        host, port = self._answers([self.workers[0].address.remote()])[0]
        meeting = self.folder / MEETING_FILE if local else None
        for rank, worker in enumerate(self.workers):
            place = place_of(rank, len(self.workers), host, port, meeting)
            place |= loopback() if local else {}
            self._answers([worker.take_place.remote(place, self.share.cores)])

    def follow(self) -> TrainingError | None:
        """Pass events on until all have ended; the error of the one that is the reason, if any."""
        running = {worker.train.remote(str(self.folder)): rank for rank, worker in enumerate(self.workers)}
        failures: list[_Failure] = []
        first_ended = False
        patience = float("inf")
        while running and time.monotonic() < patience:
            done, _ = self.ray.wait(list(running), timeout=LOOK)
            self._pass_on()
            if not self.stopping and self.should_stop():
                self.workers[0].stop.remote()
                self.stopping = True
            for each in done:
                rank = running.pop(each)
                failure = self._end_of(each, rank)
                first_ended |= rank == 0 and failure is None
                if failure is not None:
                    failures.append(failure)
                if failure is not None or first_ended:
                    patience = min(patience, time.monotonic() + GRACE)
        if first_ended:
            return None
        if not failures:
            return TrainingError("The workers ended without a word of what came of the training.")
        return next((each for each in failures if not each.left), failures[0]).error

    def _pass_on(self) -> None:
        """The events since; a worker that is gone is told by its end."""
        try:
            events = self.ray.get(self.workers[0].events.remote(self.told))
        except self.ray.exceptions.RayError:
            return
        self.told += len(events)
        for event in events:
            self.on_event(event_from_dict(event))

    def _end_of(self, ended: Any, rank: int) -> _Failure | None:
        try:
            told: Mapping[str, Any] = self.ray.get(ended)
        except self.ray.exceptions.RayError as error:
            message = f"{self._name(rank)} was ended in the middle of the training. {_first_line(error)}"
            return _Failure(rank, TrainingError(message), False)
        if not told:
            return None
        return _Failure(rank, error_of(told, self._name(rank), rank == 0), told["left"])

    def _answers(self, asked: Sequence[Any]) -> list[Any]:
        try:
            while True:
                done, waiting = self.ray.wait(list(asked), num_returns=len(asked), timeout=1)
                if not waiting:
                    return list(self.ray.get(list(asked)))
                if self.should_stop():
                    raise KeyboardInterrupt
        except self.ray.exceptions.RayError as error:
            raise TrainingError(
                f"A worker could not start: {_first_line(error)} Every machine needs NexusFlow and what it is built "
                "on, in the versions of this one."
            ) from error

    def _name(self, rank: int) -> str:
        return process_name(rank, len(self.workers))


def _write_down(store: RunStore, run_id: str, why: str) -> None:
    """Why a run failed: the first process knows it only where it is the reason itself, or still lives."""
    if (store.folder(run_id) / "run.json").is_file():
        store.save(replace(store.load(run_id), status=RunStatus.FAILED, error=why))


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:300]
