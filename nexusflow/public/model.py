"""NexusFormer as it is asked for in a program: encoders and a few words on the architecture, without data."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from nexusflow.artifact import build_model
from nexusflow.config import ArchitectureConfig, DatasetConfig, RunConfig
from nexusflow.data.batch import Batch
from nexusflow.errors import ConfigError
from nexusflow.models import TrainedModel
from nexusflow.nn.nexusformer import NexusFormer as Network
from nexusflow.nn.output import ModelOutput
from nexusflow.public.data import RelationalData, table_name
from nexusflow.public.encoders import Encoder


class NexusFormer(nn.Module):
    """The bundled model with these encoders, one for each table.

    `moe_experts` experts take the place of the transition in every block (0: a dense one); `architecture` takes every
    other key of the configuration's `architecture`, such as `global_embed_dim` or `refinement_iterations`. The
    weights come with the data, in `build` or in training. ConfigError where the encoders do not fit the tables.
    """

    def __init__(
        self,
        encoders: Sequence[Encoder] = (),
        *,
        cross_attention: bool = True,
        moe_experts: int = 0,
        **architecture: Any,
    ) -> None:
        super().__init__()
        self.encoders = tuple(encoders)
        experts = {"use_moe": True, "num_experts": moe_experts} if moe_experts else {}
        self.settings = {"cross_attention": cross_attention, **experts, **architecture}
        self.network: Network | None = None
        self.trained: TrainedModel | None = None
        # What is wrong with the words is told now, not when hours of training begin.
        self.architecture(ArchitectureConfig())

    def architecture(self, rest: ArchitectureConfig) -> ArchitectureConfig:
        """The architecture that is asked for; what is not said is as in `rest`."""
        from nexusflow.config import parse_config

        asked = {**rest.model_dump(exclude_unset=True), **self.settings}
        target = {"target_table": "table", "target_column": "target"}
        given = {"target": target, "datasets": [{"name": "table"}], "architecture": asked}
        return parse_config(given, source="NexusFormer(...)").architecture

    def configure(self, config: RunConfig) -> RunConfig:
        """The configuration with this architecture and these encoders."""
        architecture = self.architecture(config.architecture)
        return config.model_copy(
            update={"architecture": architecture, "datasets": self._datasets(config.datasets)}
        )

    def build(self, data: RelationalData) -> Network:
        """The network for these data, with new weights; `forward` uses it from now on."""
        data = data.with_settings(**_differing(data.config, self.configure(data.config)))
        self.network = build_model(data.config, data.reader.preprocessing)
        return self.network

    def forward(self, batch: Batch) -> ModelOutput:
        """Predict a batch of a loader; ConfigError where no data were seen yet."""
        if self.network is None:
            raise ConfigError("The model has no weights yet: train it, or call build(data) first.")
        return self.network(batch)

    def _datasets(self, known: Sequence[DatasetConfig]) -> tuple[DatasetConfig, ...]:
        if not self.encoders:
            return tuple(known)
        named = [encoder for encoder in self.encoders if encoder.table is not None]
        if named and len(named) < len(self.encoders):
            raise ConfigError("Either every encoder names its table, or none does and they stand in order.")
        tables = [dataset.table for dataset in known]
        if not named:
            if len(self.encoders) != len(known):
                raise ConfigError(
                    f"There are {len(self.encoders)} encoders for {len(known)} tables ({', '.join(tables)}). "
                    "Give one for each, in this order, or name their tables with table=."
                )
            chosen = dict(zip(tables, self.encoders, strict=True))
        else:
            chosen = {table_name(encoder.table or ""): encoder for encoder in named}
            unknown = [name for name in chosen if name not in tables]
            if unknown:
                raise ConfigError(f"There is no table {unknown[0]!r}; there are: {', '.join(tables)}.")
        return tuple(chosen[d.table].dataset(d.name, d) if d.table in chosen else d for d in known)


def _differing(before: RunConfig, after: RunConfig) -> dict[str, Any]:
    return {"architecture": after.architecture, "datasets": after.datasets} if after != before else {}
