"""Keeps a training's checkpoints while it runs, and brings it back to the last one; says what it cannot do."""

import time
from collections.abc import Callable

import torch

from nexusflow.train.checkpoint import Checkpoint, Checkpoints
from nexusflow.train.events import Note, OnEvent
from nexusflow.train.standing import Parts, Standing, capture, restore
from nexusflow.train.world import Answers, World

# Kept under a name of its own: the teacher's answers, which never change again.
TAUGHT = "taught"


class Keeper:
    """The checkpoints of one training and its clock; without `checkpoints` it keeps nothing.

    Of several processes the first one keeps them, and tells the others where the last one stood.
    """

    def __init__(self, checkpoints: Checkpoints | None, on_event: OnEvent, world: World) -> None:
        self.checkpoints, self.on_event, self.world = checkpoints, on_event, world
        self._saved = world.tell_checkpoint(checkpoints.latest() if checkpoints else None)
        self.seconds_before = float(self._saved.facts["seconds"]) if self._saved else 0.0
        # On the monotonic clock, as if there had been no break.
        self.started = time.monotonic() - self.seconds_before

    @property
    def now(self) -> float:
        """Seconds since the training began, breaks left out."""
        return time.monotonic() - self.started

    def pick_up(self, at: Standing, parts: Parts) -> Standing:
        """Where the last checkpoint stood, its weights and all else in their parts; without one, where it stands."""
        for name in self.checkpoints.damaged if self.checkpoints else ():
            self._say(f"The checkpoint {name} is damaged and passed over")
        if self._saved is None:
            return at
        at, self._saved = restore(self._saved, parts, started=self.started), None
        self._say(f"Resumed {at}")
        return at

    def keep(self, at: Standing, parts: Parts, *, if_due: bool = False) -> None:
        """Write down how it stands; `if_due` only where the last checkpoint is long ago."""
        checkpoints = self.checkpoints
        due = checkpoints is not None and (checkpoints.due or not if_due)
        if self.world.in_parts:
            # It takes all of them to write down what each has a part of.
            due = bool(self.world.agree(due)[0])
        if not due:
            return
        checkpoint = capture(at, parts, seconds=self.now)
        if checkpoints is not None:
            self._attempt(lambda: checkpoints.save(checkpoint))

    def taught(self, teach: Callable[[], Answers]) -> Answers:
        """The teacher's answers: those that are kept, else what `teach` gives, which is then kept; asked once for all
        processes."""
        return self.world.once(lambda: self._taught(teach))

    def _taught(self, teach: Callable[[], Answers]) -> Answers:
        if self.checkpoints is None:
            return teach()
        kept = self.checkpoints.read(TAUGHT)
        if kept is not None:
            return tuple(kept.tensors[f"{turn}"].numpy() for turn in range(kept.facts["turns"])) or None
        found, checkpoints = teach(), self.checkpoints
        tensors = {f"{turn}": torch.from_numpy(answer) for turn, answer in enumerate(found or ())}
        checkpoint = Checkpoint(tensors=tensors, facts={"turns": len(tensors)})
        self._attempt(lambda: checkpoints.keep(TAUGHT, checkpoint))
        return found

    def _attempt(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            why = error.strerror or type(error).__name__
            self._say(
                f"No checkpoint could be written ({why}). The training goes on; what was kept before stays"
            )

    def _say(self, message: str) -> None:
        self.on_event(Note(message=message, lasts=True))
