"""What the validation rows say of a network: which epoch is best, and how sure it may be."""

import numpy as np
import numpy.typing as npt
import torch

from nexusflow.config import TrainingConfig
from nexusflow.data.reader import Reader
from nexusflow.data.task import Part
from nexusflow.errors import TrainingError
from nexusflow.nn.heads import task_loss
from nexusflow.nn.nexusformer import NexusFormer
from nexusflow.train.budget import MOST_CHOOSING
from nexusflow.train.calibrate import Calibration, calibrate
from nexusflow.train.events import ShouldStop
from nexusflow.train.metrics import row_losses, score
from nexusflow.train.predictor import predict_answers, predict_logits
from nexusflow.train.step import WAY_OUT
from nexusflow.train.weighing import weigh
from nexusflow.train.world import Logits, World


class Choosing:
    """The validation rows `rows_N`, of which at most 10,000, `drawn_N`, choose; logits are [N, O] in their order."""

    def __init__(
        self,
        reader: Reader,
        reading: Reader,
        training: TrainingConfig,
        should_stop: ShouldStop,
        world: World,
    ) -> None:
        self.reader, self.reading, self.should_stop, self.world = reader, reading, should_stop, world
        self.interval, self.kind = training.interval, reader.preprocessing.task.kind
        self.rows_N = self.drawn_N = np.flatnonzero(reader.examples.part_N == str(Part.VALIDATION))
        if len(self.rows_N) > MOST_CHOOSING:
            drawn = np.random.default_rng(training.seed).permutation(self.rows_N)[:MOST_CHOOSING]
            self.drawn_N = np.sort(drawn)

    @property
    def some(self) -> bool:
        """Whether not all of them choose."""
        return len(self.drawn_N) < len(self.rows_N)

    def logits(self, model: NexusFormer, rows_N: npt.NDArray[np.int64], epoch: int) -> Logits:
        """What the network says of these rows; TrainingError where that is not finite, Stopped when asked to."""

        def predict(rows_N: npt.NDArray[np.int64]) -> Logits:
            return predict_logits(model, self.reading, rows_N, should_stop=self.should_stop)

        return self._finite(self.world.logits(predict, rows_N, self.reading.layout.outputs), epoch)

    def judge(self, model: NexusFormer, epoch: int) -> tuple[float, dict[str, float], Logits]:
        """The loss and the scores of those that choose, and what the network said of them.

        Its rows' own answer is given the share that suits them, and keeps it.
        """
        preprocessing, target = self.reader.preprocessing, self.reader.examples.target_N[self.drawn_N]

        def predict(rows_N: npt.NDArray[np.int64]) -> Logits:
            both = predict_answers(model, self.reading, rows_N, should_stop=self.should_stop)
            return np.concatenate(both, axis=1)

        outputs = self.reading.layout.outputs
        said = self._finite(self.world.logits(predict, self.drawn_N, 2 * outputs), epoch)
        first, second = torch.from_numpy(said).split(outputs, dim=1)

        def whole(share: float) -> Logits:
            return np.asarray(torch.lerp(first, second, share).numpy())

        # What is the same for every row tells no row from another; a mean with it would only shrink.
        silent = len(said) > 1 and not bool(second.std(dim=0).any())
        share = 0.0
        if not silent:
            share = weigh(
                lambda share: row_losses(self.kind, target, preprocessing.unscale(whole(share))),
                self.reader.examples.cutoff_N[self.drawn_N],
                later=preprocessing.task.split.method == "time",
            )
        model.reading.share.fill_(share)
        logit_NO = whole(share)
        scaled = torch.from_numpy(preprocessing.scale(target))
        loss = task_loss(self.kind, torch.from_numpy(logit_NO), scaled)
        return float(loss), score(self.kind, target, preprocessing.unscale(logit_NO)), logit_NO

    def _finite(self, logit_NO: Logits, epoch: int) -> Logits:
        if not np.isfinite(logit_NO).all():
            raise TrainingError(f"Validation predictions are not finite after epoch {epoch}. {WAY_OUT}")
        return logit_NO

    def calibrate(
        self, model: NexusFormer, said_NO: Logits, *, learned: bool
    ) -> tuple[Calibration, dict[str, float]]:
        """Make the network as sure as they say, from what it said of all or of those that choose; its scores then.

        `learned`: the network has learned from them since.
        """
        of_N = self.rows_N if len(said_NO) == len(self.rows_N) else self.drawn_N
        preprocessing, examples = self.reader.preprocessing, self.reader.examples
        target, cutoff_N = examples.target_N[of_N], examples.cutoff_N[of_N]
        found = calibrate(preprocessing, target, said_NO, self.interval, cutoff_N=cutoff_N)
        found = found.with_level_of(said_NO) if learned else found
        model.calibration.fill(found.scale, found.shift)
        return found, score(self.kind, target, preprocessing.unscale(found.apply(said_NO)))
