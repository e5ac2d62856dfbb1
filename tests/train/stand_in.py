"""A small network and reader with the surface that the loop uses, so that its laws are tested apart from the data."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from nexusflow.config import OptimizerConfig, TrainingConfig
from nexusflow.data.layout import Layout
from nexusflow.data.preprocessing import Preprocessing
from nexusflow.data.schema import Schema
from nexusflow.data.task import Examples, Task, TaskKind
from nexusflow.nn.calibration import LogitCalibration
from nexusflow.nn.reading import HALF
from nexusflow.train.loop import FitResult, fit

CLASSES = {TaskKind.BINARY: ("no", "yes"), TaskKind.MULTICLASS: ("a", "b", "c"), TaskKind.REGRESSION: ()}
QUICK = TrainingConfig(
    epochs=3,
    batch_size=16,
    device="cpu",
    optimizer=OptimizerConfig(lr=0.03),
    weight_averaging=0.5,
    distillation=0.0,
    refit=False,
)


@dataclass(frozen=True)
class Rows:
    """A batch: features and targets."""

    x_BF: Tensor
    target_B: Tensor

    def to(self, device: str) -> "Rows":
        return Rows(self.x_BF.to(device), self.target_B.to(device))


@dataclass(frozen=True)
class Output:
    """What the stand-in network returns."""

    logit_BO: Tensor
    loss: Tensor

    @property
    def answers_BO(self) -> tuple[Tensor, Tensor]:  # noqa: N802
        """Both answers are the whole."""
        return self.logit_BO, self.logit_BO


class Reading(nn.Module):
    """Where the share of the second answer is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("share", torch.tensor(HALF))


class Network(nn.Module):
    """Two layers, with dropout so that seeds matter."""

    def __init__(self, outputs: int = 1, features: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features, 16), nn.LayerNorm(16), nn.GELU(), nn.Dropout(dropout), nn.Linear(16, outputs)
        )
        self.reading, self.calibration = Reading(), LogitCalibration()

    def forward(self, batch: Rows) -> Output:
        return Output(self.calibration.logits(self.layers(batch.x_BF)), batch.x_BF.new_zeros(()))


@dataclass
class FakeReader:
    """Features that tell the target; remembers the batches it was asked for."""

    x_NF: np.ndarray
    examples: Examples
    preprocessing: Preprocessing
    asked: list[np.ndarray] = field(default_factory=list)

    @property
    def layout(self) -> Layout:
        return Layout(tables={}, roles=(), slots=1, outputs=self.preprocessing.task.outputs, summary_names=())

    def __len__(self) -> int:
        return len(self.examples)

    def batch(self, index_B: np.ndarray) -> Rows:
        self.asked.append(index_B)
        p = self.preprocessing
        target = (self.examples.target_N[index_B] - p.target_mean) / p.target_std
        return Rows(torch.from_numpy(self.x_NF[index_B]), torch.from_numpy(target.astype(np.float32)))

    def own_features(self, index_N: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        return self.x_NF[index_N][:, 2:], ("noise", "noise again")

    def features(self, index_N: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        return self.x_NF[index_N], ("signal", "signal again", "noise", "noise again")


def fake_reader(
    kind: TaskKind = TaskKind.BINARY,
    rows: int = 120,
    *,
    parts: tuple[float, float] = (0.6, 0.8),
    seed: int = 0,
) -> FakeReader:
    """Rows whose first two features decide the target; `parts` are where validation and test begin."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4)).astype(np.float32)
    signal = x[:, 0] + x[:, 1]
    target = {
        TaskKind.BINARY: (signal > 0).astype(np.float32),
        TaskKind.MULTICLASS: np.digitize(signal, [-0.6, 0.6]).astype(np.float32),
        TaskKind.REGRESSION: (100 + 20 * signal).astype(np.float32),
    }[kind]
    place = np.arange(rows) / rows
    part = np.where(place < parts[0], "train", np.where(place < parts[1], "validation", "test"))
    return with_target(x, target, part, kind)


def with_target(x: np.ndarray, target: np.ndarray, part: np.ndarray, kind: TaskKind) -> FakeReader:
    """A reader of these rows."""
    task = Task(entity_table="t", target_column="y", kind=kind, classes=CLASSES[kind])
    zeros = np.zeros(len(x), dtype=np.int64)
    examples = Examples(
        row_N=np.arange(len(x)), cutoff_N=zeros, target_N=target.astype(np.float32), part_N=part
    )
    regression = kind is TaskKind.REGRESSION
    preprocessing = Preprocessing(
        schema=Schema(tables={}, foreign_keys=()),
        task=task,
        hops=0,
        slots=1,
        featurizers={},
        windows={},
        summaries=(),
        scales=(),
        target_mean=float(target[part == "train"].mean()) if regression else 0.0,
        target_std=float(target[part == "train"].std()) if regression else 1.0,
    )
    return FakeReader(x, examples, preprocessing)


def trained(
    reader: FakeReader,
    training: TrainingConfig = QUICK,
    *,
    model: nn.Module | None = None,
    on_event=lambda event: None,
    should_stop=lambda: False,
    **more,
) -> tuple[nn.Module, FitResult]:
    """A stand-in network after fit(), seeded by the training's seed."""
    torch.manual_seed(training.seed)
    model = model or Network(reader.layout.outputs)
    result = fit(
        model=model,
        reader=reader,
        training=training,
        on_event=on_event,
        should_stop=should_stop,
        run_id="r-01",
        **more,
    )
    return model, result
