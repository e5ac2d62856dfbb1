"""Encoders of a table, said by their size alone: the columns are known when the data are."""

from typing import Any, ClassVar

from torch import Tensor, nn

from nexusflow.config import Complexity, DatasetConfig
from nexusflow.errors import ConfigError
from nexusflow.nn.encoders.base import SIZES, TableEncoder
from nexusflow.nn.encoders.registry import build_encoder

DROPOUT = 0.1


class Encoder(nn.Module):
    """A table encoder of this `complexity` (small, medium, large), for the table called `table`.

    Without `table` encoders stand in the order of the tables. Like PyTorch's lazy modules it gets its weights when
    it first sees its columns: in a model from the data, by itself from the first tokens [R, C, d], where d is
    `token_width`. ConfigError where an argument has no effect or is none of its values.
    """

    transformer_type: ClassVar[str]

    def __init__(
        self, complexity: Complexity = "small", *, table: str | None = None, **settings: Any
    ) -> None:
        super().__init__()
        if complexity not in SIZES:
            raise ConfigError(f"complexity is one of {', '.join(SIZES)}; found {complexity!r}.")
        self.complexity, self.table, self.settings = complexity, table, settings
        self.dataset(table or "table")
        self.encoder: TableEncoder | None = None

    def dataset(self, name: str, rest: DatasetConfig | None = None) -> DatasetConfig:
        """The settings of a table that this encoder reads; `rest` has its keys and columns."""
        from nexusflow.config import parse_config

        asked = {"transformer_type": self.transformer_type, "complexity": self.complexity, **self.settings}
        known = rest.model_dump(exclude_unset=True, exclude=_OF_ENCODERS) if rest is not None else {}
        described = {"name": name, **known, **asked}
        target = {"target_table": name, "target_column": "target"}
        return parse_config({"target": target, "datasets": [described]}).datasets[0]

    def build(self, columns: int, dropout: float = DROPOUT) -> TableEncoder:
        """The encoder of a table with so many columns, with new weights."""
        return build_encoder(self.dataset(self.table or "table"), columns, dropout)

    @property
    def token_width(self) -> int:
        """The width d of the tokens that it takes."""
        return self.build(1).token_width

    def forward(self, token_RCd: Tensor) -> Tensor:
        """Column tokens [R, C, d] to rows [R, D]."""
        if self.encoder is None:
            self.encoder = self.build(token_RCd.shape[1]).to(token_RCd.device).train(self.training)
        return self.encoder(token_RCd).row_RD


# What of a dataset's settings tells its encoder, and not its keys or columns.
_OF_ENCODERS = {"name", "transformer_type", "complexity", "num_decision_steps"}


class FTTransformerEncoder(Encoder):
    """The FT-Transformer (Gorishniy et al. 2021, section 3.3)."""

    transformer_type = "ft_transformer"


class TabNetEncoder(Encoder):
    """TabNet (Arik and Pfister 2021); takes `num_decision_steps`."""

    transformer_type = "tabnet"


class StandardEncoder(Encoder):
    """The standard transformer over columns (Vaswani et al. 2017)."""

    transformer_type = "standard"
