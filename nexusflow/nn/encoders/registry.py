"""The encoders by the name that the configuration uses; forms and tests read this list."""

from dataclasses import dataclass

from nexusflow.config import DatasetConfig
from nexusflow.nn.attention import SelfAttention
from nexusflow.nn.encoders.base import TableEncoder
from nexusflow.nn.encoders.column_gate import ColumnGate
from nexusflow.nn.encoders.ft_transformer import FTTransformerEncoder
from nexusflow.nn.encoders.standard import StandardEncoder
from nexusflow.nn.encoders.tabnet import TabNetEncoder
from nexusflow.nn.transition import MixtureOfExperts


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


def build_encoder(
    config: DatasetConfig, columns: int, dropout: float, *, fused: bool = True, experts: int = 4
) -> TableEncoder:
    """The encoder that a dataset's settings ask for.

    `fused` says how attention is computed where the dataset does not, and `experts` how many there are where it has
    any. What is not asked for draws nothing: the weights are then those of the encoder alone.
    """
    encoder = _plain(config, columns, dropout)
    encoder.checkpointing = config.gradient_checkpointing
    for module in encoder.modules():
        if isinstance(module, SelfAttention):
            module.fused = fused if config.flash_attention is None else config.flash_attention
    if config.feature_selection and config.transformer_type != "tabnet" and columns > 1:
        encoder.gate = ColumnGate(columns)
    if config.use_moe and columns:
        encoder.experts = MixtureOfExperts(encoder.row_width, experts, dropout)
    return encoder


def _plain(config: DatasetConfig, columns: int, dropout: float) -> TableEncoder:
    if config.transformer_type == "tabnet":
        return TabNetEncoder(columns, config.complexity, steps=config.num_decision_steps)
    if config.transformer_type == "standard":
        return StandardEncoder(columns, config.complexity, dropout=dropout)
    return FTTransformerEncoder(columns, config.complexity, dropout=dropout)
