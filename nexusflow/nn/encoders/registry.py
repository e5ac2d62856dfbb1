"""The encoders by the name that the configuration uses; forms and tests read this list."""

from dataclasses import dataclass

from nexusflow.config import DatasetConfig
from nexusflow.nn.encoders.base import TableEncoder
from nexusflow.nn.encoders.ft_transformer import FTTransformerEncoder
from nexusflow.nn.encoders.standard import StandardEncoder
from nexusflow.nn.encoders.tabnet import TabNetEncoder


@dataclass(frozen=True, kw_only=True)
class EncoderEntry:
    """An encoder with the words that describe it to a user."""

    encoder: type[TableEncoder]
    title: str
    description: str


ENCODERS: dict[str, EncoderEntry] = {
    "ft_transformer": EncoderEntry(
        encoder=FTTransformerEncoder,
        title="FT-Transformer",
        description="Attention over columns, read from one token. A strong default.",
    ),
    "tabnet": EncoderEntry(
        encoder=TabNetEncoder,
        title="TabNet",
        description="Chooses a few columns per step and shows which: its masks can be looked at.",
    ),
    "standard": EncoderEntry(
        encoder=StandardEncoder,
        title="Standard transformer",
        description="Attention over columns, averaged. Plain and fast.",
    ),
}


def build_encoder(config: DatasetConfig, columns: int, dropout: float) -> TableEncoder:
    """The encoder that a dataset's settings ask for."""
    if config.transformer_type == "tabnet":
        return TabNetEncoder(columns, config.complexity, steps=config.num_decision_steps)
    if config.transformer_type == "standard":
        return StandardEncoder(columns, config.complexity, dropout=dropout)
    return FTTransformerEncoder(columns, config.complexity, dropout=dropout)
