"""fit(): weights from examples. Events out, a question whether to stop in; knows no thread."""

import math
import time
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch

from nexusflow.config import TrainingConfig
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.errors import TrainingError
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.train.averaging import WeightAverage
from nexusflow.train.budget import COOLING_SHARE, Pace, rows_checked, settle
from nexusflow.train.calibrate import Calibration
from nexusflow.train.checkpoint import Checkpoints
from nexusflow.train.choosing import Choosing
from nexusflow.train.events import BatchDone, EpochEnded, Note, OnEvent, RunStarted, ShouldStop
from nexusflow.train.keeper import Keeper
from nexusflow.train.loss import LossOfRows
from nexusflow.train.predictor import Stopped
from nexusflow.train.readings import readings
from nexusflow.train.result import FitResult
from nexusflow.train.run import EpochRecord
from nexusflow.train.standing import Parts, Phase, Standing
from nexusflow.train.step import Step
from nexusflow.train.teacher import teach
from nexusflow.train.world import World

__all__ = ["FitResult", "fit"]

Teacher = Callable[..., tuple[npt.NDArray[np.float32], ...] | None]

SECONDS_BETWEEN_EVENTS = 0.2
TEACHING = "Gradient boosting answers the training rows that it has not seen"
GOING_ON = "The epoch is chosen; training goes on with the validation rows"
# Going on takes so many epochs as a share of those up to the best, from so much of the highest rate down to zero.
GOING_ON_EPOCHS, GOING_ON_RATE = 0.3, 0.3
# Of a time limit, the share that is kept for it, and the share after which the teacher begins nothing more.
GOING_ON_TIME, TEACHING_SHARE = 0.15, 0.2


def fit(
    *,
    model: NexusFormer,
    reader: Reader,
    training: TrainingConfig,
    on_event: OnEvent,
    should_stop: ShouldStop,
    run_id: str,
    scored_after: int = 0,
    teacher: Teacher = teach,
    checkpoints: Checkpoints | None = None,
    world: World | None = None,
) -> FitResult:
    """Train on the TRAIN examples, keep the epoch of least loss on the VALIDATION ones, go on from it with both.

    TEST is not touched. The caller seeds PyTorch. A time limit leaves room for the rows that the caller says it will
    score afterwards. TrainingError where there are no training rows or the loss is not finite.

    With `checkpoints` it goes on from the last one there, writes one after every epoch, every five minutes within one
    and where it is stopped, and ends with the same weights as if it had never been cut off: to the bit on one CPU with
    the same number of threads, as long as there is no time limit. Under one, what was used up before counts, and the
    learning rate follows the clock, which is never the same twice. A checkpoint that cannot be written is told, and
    the training goes on.

    Every process of a `world` calls it with the same model and rows; events, checkpoints and the question whether to
    stop are the first one's.
    """
    given = model, reader, training, on_event, should_stop, run_id, scored_after, teacher, checkpoints
    return _Fit(*given, world or World.alone(training)).run()


class _Fit:
    def __init__(
        self,
        model: NexusFormer,
        reader: Reader,
        training: TrainingConfig,
        on_event: OnEvent,
        should_stop: ShouldStop,
        run_id: str,
        scored_after: int,
        teacher: Teacher,
        checkpoints: Checkpoints | None,
        world: World,
    ) -> None:
        self.reader, self.on_event, self.should_stop, self.world = reader, on_event, should_stop, world
        keeper = self.keeper = Keeper(checkpoints, on_event, world)
        self.last_event = time.monotonic()
        if training.max_minutes is not None:
            minutes = training.max_minutes + keeper.seconds_before / 60
            training = training.model_copy(update={"max_minutes": minutes})
        training = self.training = settle(training, reader)
        self.readings = readings(reader, training.seed)
        self.taught: tuple[npt.NDArray[np.float32], ...] | None = None
        self.epochs = training.epochs or 1
        self.run_id, self.kind = run_id, reader.preprocessing.task.kind
        self.train_N = np.flatnonzero(reader.examples.part_N == str(Part.TRAIN))
        if not len(self.train_N):
            raise TrainingError("There are no training rows. Change the split.")
        self.choosing = Choosing(reader, self.readings[0], training, should_stop, world)
        self.of_epoch = min(len(self.train_N), training.rows_per_epoch or len(self.train_N))
        self.batch_size = training.batch_size or self.of_epoch
        self.batches = math.ceil(self.of_epoch / self.batch_size)
        self.plain = model
        # The scores of earlier weights say nothing of these.
        model.calibration.fill(1.0, 0.0)
        self.rows = LossOfRows(model, reader, world.fabric.device)
        self.average = WeightAverage(model.to(world.fabric.device), training.weight_averaging)
        self.loss_of, self.optimizer = world.set_up(self.rows, training.optimizer)
        kept = GOING_ON_TIME if training.refit else 0.0
        self.pace = Pace(
            steps=self.batches * self.epochs,
            minutes=None if training.max_minutes is None else (1 - kept) * training.max_minutes,
            rows_after=rows_checked(len(self.choosing.rows_N)) + scored_after,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self.pace.rate)
        self.shuffle, self.teacher = np.random.default_rng(training.seed), teacher
        self.step = Step(
            world,
            self.loss_of,
            self.optimizer,
            clipping=training.gradient_clipping,
            rows=self.batch_size,
            on_event=on_event,
            on_loss=self._learnt,
            late=world.size == 1 and world.fabric.device.type == "cuda",
        )
        self.at = Standing(best_state=self._state())

    def run(self) -> FitResult:
        weights = sum(p.numel() for p in self.plain.parameters())
        self.on_event(RunStarted(run_id=self.run_id, parameters=weights, epochs=self.epochs))
        try:
            self._teach()
        except Stopped:
            return self._result(stopped=True)
        self.pace.begin()
        self.at.begin(self.shuffle, self.keeper.now)
        self.at = self.keeper.pick_up(self.at, self._parts())
        try:
            if self.at.phase is Phase.LEARNING:
                self._learn_epochs()
                self._choose()
            if self.at.phase is Phase.GOING_ON:
                self._go_on()
            self.at.phase = Phase.DONE
            self._keep()
        except Stopped:
            self._keep()
            self.world.load(self.plain, self.at.best_state)
            return self._result(stopped=True)
        return self._result(stopped=False)

    def _learn_epochs(self) -> None:
        at = self.at
        while len(at.history) < self.epochs and not (at.history and self._finished()):
            epoch = len(at.history) + 1
            record, logit_NO = self._epoch(epoch)
            at.history.append(record)
            # A score of ranks is coarse on few validation rows; the loss chooses epochs that score better elsewhere.
            if not at.best_epoch or record.val_loss < at.best:
                at.best, at.best_epoch = record.val_loss, epoch
                at.best_state, at.said = self._state(), logit_NO
            at.begin(self.shuffle, self.keeper.now)
            left = (self.epochs - epoch) * float(np.mean([e.seconds for e in at.history]))
            left = min(left, self.pace.seconds_left)
            self.on_event(EpochEnded(record=record, epochs=self.epochs, seconds_left=left))
            self._keep()

    def _choose(self) -> None:
        """The weights of the best epoch, from which to go on where the settings say so."""
        at = self.at
        if self.choosing.some:
            self.average.average.load_state_dict(at.best_state)
            at.said = self.choosing.logits(self.average.average, self.choosing.rows_N, at.best_epoch)
        self.world.load(self.plain, at.best_state)
        if self.training.refit:
            at.phase = Phase.GOING_ON
            self.average = WeightAverage(self.world.whole(self.plain), self.training.weight_averaging)
            at.begin(self.shuffle, self.keeper.now)
            if (limit := self.training.max_minutes) is not None:
                at.until = self.pace.end + GOING_ON_TIME * limit * 60 - self.keeper.started

    def _keep(self, *, if_due: bool = False) -> None:
        self.keeper.keep(self.at, self._parts(), if_due=if_due)

    def _parts(self) -> Parts:
        return Parts(
            model=self.plain,
            average=self.average,
            optimizer=self.optimizer,
            schedule=self.schedule,
            world=self.world,
            pace=self.pace,
            order=self.shuffle,
            step=self.step,
        )

    def _teach(self) -> None:
        share, minutes = self.training.distillation, self.training.max_minutes
        if not share:
            return
        until = math.inf if minutes is None else self.keeper.started + TEACHING_SHARE * minutes * 60

        def ask() -> tuple[npt.NDArray[np.float32], ...] | None:
            self.on_event(Note(message=TEACHING))
            return self.teacher(
                self.readings,
                share,
                seed=self.training.seed,
                should_stop=self.should_stop,
                until=until,
                on_draw=lambda draw, of: self.on_event(Note(message=f"{TEACHING}: {draw} of {of}")),
            )

        self.taught = self.keeper.taught(ask)

    def _go_on(self) -> None:
        """Learn from the validation rows too, the latest there are where the split is by time."""
        at = self.at
        until = math.inf if at.until is None else at.until
        rows = np.concatenate([self.train_N, self.choosing.rows_N])
        epochs = max(1, round(GOING_ON_EPOCHS * at.best_epoch))
        of_epoch = round(self.of_epoch * len(rows) / len(self.train_N))
        batches = math.ceil(of_epoch / self.batch_size)
        total = epochs * batches
        highest = [GOING_ON_RATE * base for base in self.schedule.base_lrs]
        self.on_event(Note(message=GOING_ON))
        self.plain.train()
        for step, index in enumerate(self._again(rows, epochs, of_epoch)):
            if step < at.batch:
                continue
            gone = (self.keeper.now - at.began) / max(1e-9, until - at.began)
            stop, clock = self.world.agree(self.should_stop(), gone)
            if stop:
                raise Stopped
            if clock >= 1:
                break
            for group, high in zip(self.optimizer.param_groups, highest, strict=True):
                group["lr"] = high * (1 - step / total) * min(1.0, (1 - clock) / COOLING_SHARE)
            self.world.draw(self.training.seed, 0, step)  # no epoch has this number
            self.step.learn(index, f"step {step + 1} with the validation rows")
            self.average.update(self.world.whole(self.plain))
            at.batch = step + 1
            self._keep(if_due=at.batch % batches > 0)
        self.step.settle()
        self.world.load(self.plain, self.average.average.state_dict())

    def _again(
        self, rows_N: npt.NDArray[np.int64], epochs: int, of_epoch: int
    ) -> Iterator[npt.NDArray[np.int64]]:
        """Batches of these rows over so many epochs, the validation rows read as those that are learned from."""
        turns = readings(self.reader, self.training.seed, (Part.TRAIN, Part.VALIDATION))
        for epoch in range(epochs):
            turn = epoch % len(turns)
            self.rows.turn_to(turns[turn], self.taught[turn] if self.taught else None)
            yield from self._shuffled(rows_N, of_epoch)

    def _result(self, *, stopped: bool) -> FitResult:
        calibration, metrics, whole = Calibration(), dict[str, float](), None
        said, refitted = self.at.said, self.training.refit and self.at.phase is Phase.DONE
        if said is not None:
            calibration, metrics = self.choosing.calibrate(self.plain, said, learned=refitted)
            whole = calibration.apply(said) if len(said) == len(self.choosing.rows_N) else None
        self.plain.eval()
        return FitResult(
            history=tuple(self.at.history),
            best_epoch=self.at.best_epoch,
            calibration=calibration,
            metrics=metrics,
            validation_logit_NO=whole,
            stopped=stopped,
            refitted=refitted,
            seconds=self.keeper.now,
        )

    def _state(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.average.average.state_dict().items()}

    def _finished(self) -> bool:
        waited = len(self.at.history) - self.at.best_epoch
        patience_ended = self.training.early_stopping and waited >= self.training.patience
        return bool(self.world.agree(patience_ended or self.pace.over)[0])

    def _epoch(self, epoch: int) -> tuple[EpochRecord, npt.NDArray[np.float32]]:
        """An epoch, or what a checkpoint left of it; and what the network then says of the rows that choose."""
        at = self.at
        self.plain.train()
        turn = (epoch - 1) % len(self.readings)
        self.rows.turn_to(self.readings[turn], self.taught[turn] if self.taught else None)
        for number, index in enumerate(self._shuffled(self.train_N, self.of_epoch), start=1):
            if number <= at.batch:
                continue
            if self._over():
                break
            self.world.draw(self.training.seed, epoch, number)
            self._step(epoch, number, index)
            at.batch = number
            self.pace.learnt(len(index))
            self._keep(if_due=True)
        self.step.settle()
        loss, metrics, logit_NO = self.choosing.judge(self.average.average, epoch)
        told = EpochRecord(
            epoch=epoch,
            train_loss=float(np.average(at.losses, weights=at.sizes)),
            val_loss=loss,
            val_metrics=metrics,
            seconds=self.keeper.now - at.began,
            learning_rate=float(self.schedule.get_last_lr()[0]),
        )
        return EpochRecord(**self.world.tell(told.to_dict())), logit_NO

    def _over(self) -> bool:
        """Whether the epoch ends before the next batch, which else goes by the first process's learning rates."""
        groups, over = self.optimizer.param_groups, bool(self.at.batch) and self.pace.over
        stop, ends, *rates = self.world.agree(self.should_stop(), over, *(group["lr"] for group in groups))
        if stop:
            raise Stopped
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
        return bool(ends)

    def _shuffled(self, rows_N: npt.NDArray[np.int64], most: int) -> Iterator[npt.NDArray[np.int64]]:
        order = self.shuffle.permutation(rows_N)[:most]
        for at in range(0, len(order), self.batch_size):
            coming = order[at + self.batch_size : at + 2 * self.batch_size]
            first = self.world.share(coming)[0][: self.step.rows_at_once] if len(coming) else None
            self.rows.batch_of.announce(first)
            yield order[at : at + self.batch_size]

    def _learnt(self, loss: float, rows: int) -> None:
        if self.at.phase is Phase.LEARNING:
            self.at.losses.append(loss)
            self.at.sizes.append(rows)

    def _step(self, epoch: int, number: int, index: npt.NDArray[np.int64]) -> None:
        self.step.learn(index, f"epoch {epoch}, batch {number}")
        self.schedule.step()
        self.average.update(self.world.whole(self.plain))
        now = time.monotonic()
        if self.at.losses and now - self.last_event >= SECONDS_BETWEEN_EVENTS:
            self.last_event = now
            done, loss = self.pace.fraction((epoch - 1) * self.batches + number), self.at.losses[-1]
            event = BatchDone(epoch=epoch, batch=number, batches=self.batches, loss=loss, fraction=done)
            self.on_event(event)
