"""A plain heterogeneous GraphSAGE over the rows that NexusFormer reads: no summaries, no attention.

As in relational deep learning (Fey et al. 2024): rows encoded per table by a residual network, their age added, and per
hop the mean of the neighbours over each foreign key (Hamilton et al. 2017, section 3.1), summed over the keys.

Axis letters: B seeds, T roles, S slots, R rows of a table, C columns, D width.
"""

import torch
from torch import Tensor, nn

from benchmarks.relational.given import ARCHITECTURE, Given, Predictions, Rows
from benchmarks.relational.methods.network import device, train_network
from nexusflow.data.batch import Batch
from nexusflow.data.layout import Layout, TableLayout
from nexusflow.nn.embed import TableEmbedding
from nexusflow.train.runtime import seed_everything

WIDTH, TOKEN_WIDTH, BLOCKS = 128, 32, 2
DROPOUT = 0.1
FREQUENCIES = 16
DAYS = 10_000.0


def graphsage(given: Given) -> Predictions:
    """GraphSAGE with as many layers as NexusFormer reads hops."""
    seed_everything(given.seed)
    network = GraphSAGE(given.reader.layout, layers=max(1, ARCHITECTURE.hops))

    def forward(index: Rows) -> tuple[Tensor, Tensor, float]:
        batch = given.reader.batch(index).to(device())
        return network(batch), batch.target_B, 0.0

    return train_network(given, network, forward)


class RowEncoder(nn.Module):
    """The columns of a row side by side, through residual blocks."""

    def __init__(self, layout: TableLayout) -> None:
        super().__init__()
        self.embedding = TableEmbedding(layout, TOKEN_WIDTH)
        self.first = nn.Linear(max(1, len(layout.columns) * TOKEN_WIDTH), WIDTH)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(WIDTH),
                nn.Linear(WIDTH, WIDTH),
                nn.ReLU(),
                nn.Dropout(DROPOUT),
                nn.Linear(WIDTH, WIDTH),
            )
            for _ in range(BLOCKS)
        )

    def forward(self, rows) -> Tensor:
        """[R, D]."""
        flat = self.embedding(rows).flatten(1)
        x = self.first(flat if flat.shape[1] else flat.new_ones(rows.rows, 1))
        for block in self.blocks:
            x = x + block(x)
        return x


class Convolution(nn.Module):
    """One layer: each row from itself and the means of what its slots' rows point to, per foreign key."""

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout
        tables = {name: i for i, name in enumerate(layout.tables)}
        self.table_of = [tables[role.table] for role in layout.roles]
        relations = 1 + max(role.relation for role in layout.roles)
        self.own = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in tables)
        self.neighbours = nn.ModuleList(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(relations))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in tables)

    def forward(self, x_TBSD: list[Tensor], batch: Batch) -> list[Tensor]:
        """The rows of every role after one hop; empty slots stay what they are and are never read."""
        after = [self.own[self.table_of[t]](x) for t, x in enumerate(x_TBSD)]
        for t, role in enumerate(self.layout.roles):
            if t:
                mean = _mean_by_link(x_TBSD[t], batch.link_BTS[:, t])
                after[role.parent] = after[role.parent] + self.neighbours[role.relation](mean)
        return [torch.relu(self.norms[self.table_of[t]](x)) for t, x in enumerate(after)]


def _mean_by_link(x_BSD: Tensor, link_BS: Tensor) -> Tensor:
    """The mean over the slots that were reached from each slot of the parent role; 0 where there is none."""
    present = (link_BS >= 0).unsqueeze(-1).to(x_BSD.dtype)
    to = link_BS.clamp(min=0).unsqueeze(-1)
    total = torch.zeros_like(x_BSD).scatter_add_(1, to.expand_as(x_BSD), x_BSD * present)
    count = torch.zeros_like(present).scatter_add_(1, to, present)
    return total / count.clamp(min=1)


class GraphSAGE(nn.Module):
    """Row encoders, convolutions towards the seed, and a head on the seed's row."""

    def __init__(self, layout: Layout, layers: int) -> None:
        super().__init__()
        self.layout = layout
        self.encoders = nn.ModuleList(RowEncoder(table) for table in layout.tables.values())
        self.age = nn.Linear(2 * FREQUENCIES, WIDTH)
        self.layers = nn.ModuleList(Convolution(layout) for _ in range(layers))
        self.head = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, layout.outputs))

    def forward(self, batch: Batch) -> Tensor:
        """Logits [B, O]."""
        rows = {
            name: encoder(batch.tables[name])
            for name, encoder in zip(self.layout.tables, self.encoders, strict=True)
        }
        age = self.age(_waves(batch.age_BTS)) * batch.timed_BTS.unsqueeze(-1)
        x = []
        for t, role in enumerate(self.layout.roles):
            slot_BS, table = batch.slot_BTS[:, t], rows[role.table]
            there = (slot_BS >= 0).unsqueeze(-1)
            found = table[slot_BS.clamp(min=0)] if len(table) else table.new_zeros(*slot_BS.shape, WIDTH)
            x.append(torch.where(there, found + age[:, t], 0.0))
        for layer in self.layers:
            x = layer(x, batch)
        return self.head(x[0][:, 0])


def _waves(age_BTS: Tensor) -> Tensor:
    """Sines and cosines of the age in days [B, T, S, F], as positions have them (Vaswani et al. 2017, section 3.5)."""
    frequency = DAYS ** -(torch.arange(FREQUENCIES, device=age_BTS.device) / FREQUENCIES)
    angle = age_BTS.unsqueeze(-1) * frequency
    return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)
