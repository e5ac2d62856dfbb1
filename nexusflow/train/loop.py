"""fit(): weights from examples. Events out, a question whether to stop in; knows no thread."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from nexusflow.config import TrainingConfig
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.errors import TrainingError
from nexusflow.nn.heads import task_loss
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.train.averaging import WeightAverage
from nexusflow.train.budget import COOLING_SHARE, MOST_CHOOSING, Pace, rows_checked, settle
from nexusflow.train.calibrate import Calibration, calibrate
from nexusflow.train.events import BatchDone, EpochEnded, Note, OnEvent, RunStarted, ShouldStop
from nexusflow.train.loss import LossOfRows
from nexusflow.train.metrics import score
from nexusflow.train.optimizer import make_optimizer
from nexusflow.train.predictor import Stopped, predict_logits
from nexusflow.train.readings import readings
from nexusflow.train.run import EpochRecord
from nexusflow.train.runtime import choose_device, effective_precision
from nexusflow.train.teacher import teach

Teacher = Callable[..., tuple[npt.NDArray[np.float32], ...] | None]

SECONDS_BETWEEN_EVENTS = 0.2
TEACHING = "Gradient boosting answers the training rows that it has not seen"
GOING_ON = "The epoch is chosen; training goes on with the validation rows"
# Going on takes so many epochs as a share of those up to the best, from so much of the highest rate down to zero.
GOING_ON_EPOCHS, GOING_ON_RATE = 0.3, 0.3
# Of a time limit, the share that is kept for it.
GOING_ON_TIME = 0.15
# Of a time limit, the share after which the teacher begins nothing more.
TEACHING_SHARE = 0.2
WAY_OUT = (
    "Lower training.optimizer.lr, look for infinite or extreme values in the target, or set "
    "training.precision to 32-true."
)


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """What happened; the model holds the weights of `best_epoch` (0 where none ended) or what came of them, calibrated.

    `validation_logit_NO` is what the calibrated network said of the validation rows before it learned from them, in
    their order; None where no epoch ended, or where it was stopped before it had said it of them all. `metrics` are
    the scores of those that it did say it of.
    """

    history: tuple[EpochRecord, ...]
    best_epoch: int
    calibration: Calibration
    metrics: Mapping[str, float]
    validation_logit_NO: npt.NDArray[np.float32] | None
    stopped: bool
    seconds: float


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
) -> FitResult:
    """Train on the TRAIN examples, keep the epoch of least loss on the VALIDATION ones, go on from it with both.

    TEST is not touched. The caller seeds PyTorch. A time limit leaves room for the rows that the caller says it will
    score afterwards. TrainingError where there are no training rows or the loss is not finite.
    """
    return _Fit(model, reader, training, on_event, should_stop, run_id, scored_after, teacher).run()


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
    ) -> None:
        from lightning_fabric import Fabric

        self.reader, self.on_event, self.should_stop = reader, on_event, should_stop
        training = self.training = settle(training, reader)
        self.readings = readings(reader, training.seed)
        self.taught: tuple[npt.NDArray[np.float32], ...] | None = None
        self.epochs = training.epochs or 1
        self.run_id, self.kind = run_id, reader.preprocessing.task.kind
        self.device = choose_device(training)
        self.fabric = Fabric(
            accelerator="gpu" if self.device == "cuda" else "cpu",
            devices=1,
            precision=effective_precision(training, self.device),
        )
        self.train_N = np.flatnonzero(reader.examples.part_N == str(Part.TRAIN))
        self.validation_N = np.flatnonzero(reader.examples.part_N == str(Part.VALIDATION))
        if not len(self.train_N):
            raise TrainingError("There are no training rows. Change the split.")
        self.choosing_N = self.validation_N
        if len(self.validation_N) > MOST_CHOOSING:
            drawn = np.random.default_rng(training.seed).permutation(self.validation_N)[:MOST_CHOOSING]
            self.choosing_N = np.sort(drawn)
        # What the network of the best epoch says of which validation rows.
        self.said: npt.NDArray[np.float32] | None = None
        self.said_of_N = self.choosing_N
        self.of_epoch = min(len(self.train_N), training.rows_per_epoch or len(self.train_N))
        self.batch_size = training.batch_size or self.of_epoch
        self.batches = math.ceil(self.of_epoch / self.batch_size)
        self.plain = model
        # The scores of earlier weights say nothing of these.
        model.calibration.fill(1.0, 0.0)
        self.rows = LossOfRows(model, reader, self.device)
        optimizer = make_optimizer(model, training.optimizer)
        self.loss_of, self.optimizer = self.fabric.setup(self.rows, optimizer)
        kept = GOING_ON_TIME if training.refit else 0.0
        self.pace = Pace(
            steps=self.batches * self.epochs,
            minutes=None if training.max_minutes is None else (1 - kept) * training.max_minutes,
            rows_after=rows_checked(len(self.validation_N)) + scored_after,
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self.pace.rate)
        self.average = WeightAverage(model, training.weight_averaging)
        self.shuffle = np.random.default_rng(training.seed)
        self.teacher = teacher
        self.started = self.last_event = time.monotonic()

    def run(self) -> FitResult:
        weights = sum(p.numel() for p in self.plain.parameters())
        self.on_event(RunStarted(run_id=self.run_id, parameters=weights, epochs=self.epochs))
        try:
            self._teach()
        except Stopped:
            return self._result([], 0, stopped=True)
        self.pace.begin()
        history: list[EpochRecord] = []
        best = math.inf
        best_epoch, best_state, stopped = 0, self._state(), False
        for epoch in range(1, self.epochs + 1):
            try:
                record = self._epoch(epoch)
            except Stopped:
                stopped = True
                break
            history.append(record)
            # A score of ranks is coarse on few validation rows; the loss chooses epochs that score better elsewhere.
            if not best_epoch or record.val_loss < best:
                best, best_epoch, best_state = record.val_loss, epoch, self._state()
                self.said, self.said_of_N = self.choosing_logit_NO, self.choosing_N
            left = self._seconds_left(history)
            self.on_event(EpochEnded(record=record, epochs=self.epochs, seconds_left=left))
            if self._finished(epoch, best_epoch):
                break
        self.plain.load_state_dict(best_state)
        try:
            if best_epoch and len(self.choosing_N) < len(self.validation_N):
                self.said = self._said_of(self.plain, self.validation_N, f"epoch {best_epoch}")
                self.said_of_N = self.validation_N
            if self.training.refit and best_epoch and not stopped:
                self._go_on(best_epoch)
        except Stopped:
            stopped = True
            self.plain.load_state_dict(best_state)
        return self._result(history, best_epoch, stopped=stopped)

    def _calibrate(self) -> tuple[Calibration, dict[str, float]]:
        """Make the network as sure as the validation rows say, from what it said of them; and its scores then."""
        if self.said is None:
            return Calibration(), {}
        preprocessing, examples = self.reader.preprocessing, self.reader.examples
        target, cutoff_N = examples.target_N[self.said_of_N], examples.cutoff_N[self.said_of_N]
        found = calibrate(preprocessing, target, self.said, self.training.interval, cutoff_N=cutoff_N)
        self.plain.calibration.fill(found.scale, found.shift)
        return found, score(self.kind, target, preprocessing.unscale(found.apply(self.said)))

    def _teach(self) -> None:
        share, minutes = self.training.distillation, self.training.max_minutes
        if share:
            self.on_event(Note(message=TEACHING))
            self.taught = self.teacher(
                self.readings,
                share,
                seed=self.training.seed,
                should_stop=self.should_stop,
                until=math.inf if minutes is None else self.started + TEACHING_SHARE * minutes * 60,
                on_draw=lambda draw, of: self.on_event(Note(message=f"{TEACHING}: {draw} of {of}")),
            )

    def _go_on(self, best_epoch: int) -> None:
        """Learn from the validation rows too, the latest there are where the split is by time."""
        began, limit = time.monotonic(), (self.training.max_minutes or math.inf) * 60
        until = self.pace.end + GOING_ON_TIME * limit
        rows = np.concatenate([self.train_N, self.validation_N])
        epochs = max(1, round(GOING_ON_EPOCHS * best_epoch))
        of_epoch = round(self.of_epoch * len(rows) / len(self.train_N))
        total = epochs * math.ceil(of_epoch / self.batch_size)
        highest = [GOING_ON_RATE * base for base in self.schedule.base_lrs]
        average = WeightAverage(self.plain, self.training.weight_averaging)
        self.on_event(Note(message=GOING_ON))
        self.plain.train()
        for step, index in enumerate(self._again(rows, epochs, of_epoch)):
            clock = (time.monotonic() - began) / max(1e-9, until - began)
            if self.should_stop():
                raise Stopped
            if clock >= 1:
                break
            for group, high in zip(self.optimizer.param_groups, highest, strict=True):
                group["lr"] = high * (1 - step / total) * min(1.0, (1 - clock) / COOLING_SHARE)
            self._learn(index, f"step {step + 1} with the validation rows")
            average.update(self.plain)
        self.plain.load_state_dict(average.average.state_dict())

    def _again(
        self, rows_N: npt.NDArray[np.int64], epochs: int, of_epoch: int
    ) -> Iterator[npt.NDArray[np.int64]]:
        """Batches of these rows over so many epochs, the validation rows read as those that are learned from."""
        turns = readings(self.reader, self.training.seed, (Part.TRAIN, Part.VALIDATION))
        for epoch in range(epochs):
            turn = epoch % len(turns)
            self.rows.turn_to(turns[turn], self.taught[turn] if self.taught else None)
            yield from self._shuffled(rows_N, of_epoch)

    def _result(self, history: list[EpochRecord], best_epoch: int, *, stopped: bool) -> FitResult:
        calibration, metrics = self._calibrate()
        whole = self.said if len(self.said_of_N) == len(self.validation_N) else None
        self.plain.eval()
        return FitResult(
            history=tuple(history),
            best_epoch=best_epoch,
            calibration=calibration,
            metrics=metrics,
            validation_logit_NO=None if whole is None else calibration.apply(whole),
            stopped=stopped,
            seconds=time.monotonic() - self.started,
        )

    def _state(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.average.average.state_dict().items()}

    def _finished(self, epoch: int, best_epoch: int) -> bool:
        patience_ended = self.training.early_stopping and epoch - best_epoch >= self.training.patience
        return patience_ended or self.pace.over

    def _seconds_left(self, history: list[EpochRecord]) -> float:
        left = (self.epochs - len(history)) * float(np.mean([e.seconds for e in history]))
        return min(left, self.pace.seconds_left)

    def _epoch(self, epoch: int) -> EpochRecord:
        began = time.monotonic()
        losses: list[float] = []
        sizes: list[int] = []
        self.plain.train()
        turn = (epoch - 1) % len(self.readings)
        self.rows.turn_to(self.readings[turn], self.taught[turn] if self.taught else None)
        for number, index in enumerate(self._shuffled(self.train_N, self.of_epoch), start=1):
            if self.should_stop():
                raise Stopped
            if losses and self.pace.over:
                break
            losses.append(self._step(epoch, number, index))
            sizes.append(len(index))
            self.pace.learnt(len(index))
        loss, metrics = self._validate(epoch)
        return EpochRecord(
            epoch=epoch,
            train_loss=float(np.average(losses, weights=sizes)),
            val_loss=loss,
            val_metrics=metrics,
            seconds=time.monotonic() - began,
            learning_rate=float(self.schedule.get_last_lr()[0]),
        )

    def _shuffled(self, rows_N: npt.NDArray[np.int64], most: int) -> Iterator[npt.NDArray[np.int64]]:
        order = self.shuffle.permutation(rows_N)[:most]
        for at in range(0, len(order), self.batch_size):
            yield order[at : at + self.batch_size]

    def _step(self, epoch: int, number: int, index: npt.NDArray[np.int64]) -> float:
        value = self._learn(index, f"epoch {epoch}, batch {number}")
        self.schedule.step()
        self.average.update(self.plain)
        now = time.monotonic()
        if now - self.last_event >= SECONDS_BETWEEN_EVENTS:
            self.last_event = now
            done = self.pace.fraction((epoch - 1) * self.batches + number)
            self.on_event(
                BatchDone(epoch=epoch, batch=number, batches=self.batches, loss=value, fraction=done)
            )
        return value

    def _learn(self, index: npt.NDArray[np.int64], where: str) -> float:
        """One step of the optimizer; the loss before it."""
        loss = self.loss_of(torch.from_numpy(index))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(f"The loss became {value} in {where}. {WAY_OUT}")
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        if self.training.gradient_clipping:
            self.fabric.clip_gradients(
                self.loss_of,
                self.optimizer,
                max_norm=self.training.gradient_clipping,
                error_if_nonfinite=False,
            )
        self.optimizer.step()
        return value

    def _said_of(
        self, model: NexusFormer, rows_N: npt.NDArray[np.int64], when: str
    ) -> npt.NDArray[np.float32]:
        logit_NO = predict_logits(model, self.readings[0], rows_N, should_stop=self.should_stop)
        if not np.isfinite(logit_NO).all():
            raise TrainingError(f"Validation predictions are not finite after {when}. {WAY_OUT}")
        return logit_NO

    def _validate(self, epoch: int) -> tuple[float, dict[str, float]]:
        logit = self._said_of(self.average.average, self.choosing_N, f"epoch {epoch}")
        self.choosing_logit_NO = logit
        preprocessing, target = self.reader.preprocessing, self.reader.examples.target_N[self.choosing_N]
        loss = task_loss(self.kind, torch.from_numpy(logit), torch.from_numpy(preprocessing.scale(target)))
        return float(loss), score(self.kind, target, preprocessing.unscale(logit))
