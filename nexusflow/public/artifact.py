"""A trained model with all that it needs to predict: saved as one file, loaded without running code."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from nexusflow.data.preprocessing import Preprocessing
from nexusflow.errors import ArtifactError
from nexusflow.explain.baseline import Baseline
from nexusflow.models import Tables, TrainedModel, load_model, public
from nexusflow.public.model import NexusFormer
from nexusflow.services.attributing import ATTRIBUTED
from nexusflow.services.optimising import optimise

if TYPE_CHECKING:
    from nexusflow.api import Explanation
    from nexusflow.nn.embed import TableEmbedding
    from nexusflow.train.run import Run


class NexusFlowModelArtifact:
    """A trained model, what its tables were taught to mean, and what was done to make it smaller.

    `model` is trained: a NexusFormer that a trainer has trained, or what `load_model` read. `preprocessors` and
    `feature_tokenizers` (the embedding of each table's cells, by table) are the model's own and may be left out;
    ArtifactError where they, or the model, do not belong together.
    """

    def __init__(
        self,
        model: TrainedModel | NexusFormer,
        preprocessors: Preprocessing | None = None,
        feature_tokenizers: "Mapping[str, TableEmbedding] | None" = None,
        optimization_metadata: Mapping[str, Any] | None = None,
    ) -> None:
        trained = model.trained if isinstance(model, NexusFormer) else model
        if trained is None:
            raise ArtifactError("The model is not trained yet: give it to NexusFlowTrainer.train first.")
        self.trained = trained
        if preprocessors is not None and preprocessors.to_dict() != trained.preprocessing.to_dict():
            raise ArtifactError("These preprocessors are not those that the model was trained with.")
        own = self.feature_tokenizers
        if feature_tokenizers is not None and (
            set(feature_tokenizers) != set(own) or any(feature_tokenizers[n] is not own[n] for n in own)
        ):
            raise ArtifactError("These feature_tokenizers are not those of the model; leave them out.")
        done = {"steps": trained.optimisation.to_dict()} if trained.optimisation.steps else {}
        self.optimization_metadata = dict(done if optimization_metadata is None else optimization_metadata)

    @property
    def preprocessors(self) -> Preprocessing:
        """How raw cells become numbers, fitted on training rows."""
        return self.trained.preprocessing

    @property
    def feature_tokenizers(self) -> "dict[str, TableEmbedding]":
        """The layer that turns each table's cells into tokens, by table."""
        network = self.trained.model
        return dict(zip(network.layout.tables, network.embeddings, strict=True))  # type: ignore[arg-type]

    @property
    def run(self) -> "Run":
        """The record of the training: metrics, history, baselines."""
        return self.trained.run

    @property
    def metrics(self) -> Mapping[str, Mapping[str, float]]:
        """The scores that training measured, by part and name; `optimization_metadata` has those after optimising."""
        return self.trained.run.metrics

    def predict(self, tables: Tables, *, as_of: str | None = None) -> pd.DataFrame:
        """A row per row of the entity table; see `TrainedModel.predict`."""
        return self.trained.predict(tables, as_of=as_of)

    def explain(
        self,
        tables: Tables,
        *,
        as_of: str | None = None,
        baseline: str = Baseline.MISSING,
        attributed: int = ATTRIBUTED,
    ) -> "Explanation":
        """The reasons for what it says of these tables; see `nexusflow.api.explain`."""
        return self.trained.explain(tables, as_of=as_of, baseline=baseline, attributed=attributed)

    def save(self, path: Path | str) -> Path:
        """Write the model where `load` finds it; returns the path."""
        self.trained.save(path)
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> "NexusFlowModelArtifact":
        """Read what `save`, the command line or the workbench wrote; ArtifactError where it cannot be read."""
        return cls(model=load_model(path))


def optimize_model(
    model: "NexusFlowModelArtifact | TrainedModel | Path | str",
    method: str | Sequence[str] | None = None,
    amount: float | None = None,
    *,
    target_size_mb: float | None = None,
    tables: Tables | None = None,
) -> NexusFlowModelArtifact:
    """A smaller copy of a model; its `optimization_metadata` says what was done and what it costs.

    `method` is `quantization` (int8 weights, the default), `pruning` (of `amount`, 0.3 by default), or both in a list.
    With `target_size_mb`, in millions of bytes, the steps are found that lose least; TargetOutOfReach, a ConfigError,
    names the closest size where it cannot be had. With `tables` scores, latency and memory are measured.
    """
    if isinstance(model, NexusFlowModelArtifact):
        model = model.trained
    trained = load_model(model) if isinstance(model, str | Path) else model
    found, _ = optimise(trained, tables, method=method, amount=amount, target_size_mb=target_size_mb)
    return NexusFlowModelArtifact(public(found.model), optimization_metadata=found.optimization_metadata)
