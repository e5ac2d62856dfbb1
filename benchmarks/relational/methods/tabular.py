"""Deep tabular models alone: one wide row per example, of own and parents' columns and all relational summaries."""

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.relational.given import Given, Predictions, Rows
from benchmarks.relational.methods.network import device, train_network
from nexusflow.config import DatasetConfig, TransformerType
from nexusflow.data.batch import TableBatch
from nexusflow.data.featurize import MISSING, UNKNOWN
from nexusflow.data.layout import TableLayout
from nexusflow.data.quantiles import QuantileScale
from nexusflow.data.reader import TIME_PARTS
from nexusflow.data.task import Part
from nexusflow.nn.embed import TableEmbedding
from nexusflow.nn.encoders.registry import build_encoder
from nexusflow.train.runtime import seed_everything

DROPOUT = 0.1


def ft_transformer(given: Given) -> Predictions:
    """FT-Transformer on the flattened table."""
    return _tabular(given, "ft_transformer")


def tabnet(given: Given) -> Predictions:
    """TabNet on the flattened table."""
    return _tabular(given, "tabnet")


class FlatTable:
    """The flattened features as one table: numbers as normal scores, categories as codes."""

    def __init__(self, given: Given) -> None:
        reader = given.reader
        matrix, names = reader.features(np.arange(len(reader)))
        codes, cardinality = _categorical(given)
        train = given.rows(Part.TRAIN)
        numeric = [n for n in range(matrix.shape[1]) if n not in set(codes)]
        scales = {n: QuantileScale.fit(matrix[train, n]) for n in numeric}
        numeric = [n for n in numeric if not scales[n].constant]
        self.missing_NF = ~np.isfinite(matrix[:, numeric])
        scaled = [scales[n].transform(matrix[:, n].astype(np.float64)) for n in numeric]
        self.numeric_NF = np.stack(scaled, axis=1) if scaled else np.zeros((len(matrix), 0), np.float32)
        values = matrix[:, codes]
        known = np.where(np.isnan(values), MISSING, np.nan_to_num(values)).astype(np.int64)
        self.code_NK = np.where(np.isnan(values), MISSING, np.maximum(known, UNKNOWN))
        self.layout = TableLayout(
            numeric=tuple(names[n] for n in numeric),
            categorical=tuple(names[n] for n in codes),
            cardinality=tuple(cardinality),
        )

    def rows(self, index: Rows) -> TableBatch:
        """These examples as rows of a table."""
        count = len(index)
        return TableBatch(
            numeric_RN=torch.from_numpy(self.numeric_NF[index]),
            numeric_missing_RN=torch.from_numpy(self.missing_NF[index]),
            categorical_RK=torch.from_numpy(self.code_NK[index]),
            time_RMF=torch.zeros(count, 0, 1),
            time_missing_RM=torch.zeros(count, 0, dtype=torch.bool),
            text_RXF=torch.zeros(count, 0, 1),
            row_R=torch.from_numpy(index),
        )


def _categorical(given: Given) -> tuple[list[int], list[int]]:
    """Which of the flattened features are codes of categories, and how many codes each has."""
    columns, cardinality, start = [], [], 0
    for role in given.reader.layout.roles:
        if role.single:
            table = given.reader.layout.tables[role.table]
            columns += range(start + len(table.numeric), start + len(table.numeric) + len(table.categorical))
            cardinality += table.cardinality
            start += len(table.numeric) + len(table.categorical) + len(TIME_PARTS) * len(table.timestamp)
    return columns, cardinality


class TabularNetwork(nn.Module):
    """Embedded cells, an encoder of the product's, and a linear head."""

    def __init__(self, layout: TableLayout, encoder: TransformerType, outputs: int) -> None:
        super().__init__()
        config = DatasetConfig(name="flat", transformer_type=encoder)
        self.encoder = build_encoder(config, len(layout.columns), DROPOUT)
        self.embedding = TableEmbedding(layout, self.encoder.token_width)
        self.head = nn.Linear(self.encoder.row_width, outputs)

    def forward(self, rows: TableBatch) -> tuple[Tensor, Tensor | float]:
        """Logits [R, O] and the encoder's own loss."""
        output = self.encoder(self.embedding(rows))
        return self.head(output.row_RD), 0.0 if output.loss is None else output.loss


def _tabular(given: Given, encoder: TransformerType) -> Predictions:
    flat = FlatTable(given)
    seed_everything(given.seed)
    network = TabularNetwork(flat.layout, encoder, given.reader.layout.outputs)
    target_N = torch.from_numpy(given.reader.preprocessing.scale(given.examples.target_N)).to(device())

    def forward(index: Rows) -> tuple[Tensor, Tensor, Tensor | float]:
        logit, loss = network(flat.rows(index).to(device()))
        return logit, target_N[torch.from_numpy(index)], loss

    return train_network(given, network, forward)
