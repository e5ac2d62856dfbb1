"""A network layout and batches with every dimension different, so that no two axes can be taken for each other."""

import torch
from torch import Tensor

from nexusflow.config import ArchitectureConfig, DatasetConfig
from nexusflow.data.batch import Batch, TableBatch
from nexusflow.data.layout import TEXT_FEATURES, TIME_FEATURES, Layout, RoleLayout, TableLayout
from nexusflow.nn.nexusformer import NexusFormer

SLOTS = 3
ENCODERS = {"people": "ft_transformer", "visits": "tabnet", "doctors": "standard", "rooms": "tabnet"}
_TABLES = {
    "people": TableLayout(
        numeric=("age", "height"),
        categorical=("plan",),
        cardinality=(5,),
        timestamp=("born", "joined"),
        text=("note",),
    ),
    "visits": TableLayout(numeric=("cost",), categorical=("kind", "ward"), cardinality=(4, 6)),
    "doctors": TableLayout(numeric=("years",), timestamp=("hired",)),
    "rooms": TableLayout(numeric=("floor",)),
    "wards": TableLayout(),
}
_ROLES = (
    # name, table, parent, hops, single, relation, summary features
    ("people", "people", -1, 0, True, 0, 2),
    ("visits", "visits", 0, 1, False, 1, 5),
    ("doctors", "doctors", 1, 2, False, 2, 0),
    ("rooms", "rooms", 1, 2, False, 3, 1),
    ("wards", "wards", 0, 1, True, 4, 3),
)


def tiny_layout(outputs: int = 1) -> Layout:
    """Five tables of 6, 3, 2, 1 and 0 columns in five roles, two of them two steps away."""
    roles, start = [], 0
    for name, table, parent, hops, single, relation, size in _ROLES:
        roles.append(
            RoleLayout(
                name=name,
                table=table,
                parent=parent,
                hops=hops,
                single=single,
                relation=relation,
                summary_start=start,
                summary_stop=start + size,
            )
        )
        start += size
    return Layout(
        tables=_TABLES,
        roles=tuple(roles),
        slots=SLOTS,
        outputs=outputs,
        summary_names=tuple(f"summary {i}" for i in range(start)),
    )


def tiny_model(*, outputs: int = 1, seed: int = 0, masking: float = 0.15, **settings: object) -> NexusFormer:
    """A small network over `tiny_layout`, in evaluation mode; `settings` are those of the architecture."""
    torch.manual_seed(seed)
    architecture = ArchitectureConfig.model_validate(
        {"global_embed_dim": 24, "num_heads": 4, "refinement_iterations": 3, **settings}
    )
    datasets = {
        name: DatasetConfig.model_validate({"name": name, "transformer_type": encoder})
        for name, encoder in ENCODERS.items()
    }
    return NexusFormer(tiny_layout(outputs), architecture, datasets, masking=masking).eval()


def tiny_batch(seeds: int = 7, *, seed: int = 0, missing: float = 0.3, outputs: int = 1) -> Batch:
    """Random rows and links; a share of the cells and summaries is missing, and some roles are absent."""
    draw = torch.Generator().manual_seed(seed)
    layout = tiny_layout(outputs)
    rows = {name: seeds + 4 + 3 * i for i, name in enumerate(layout.tables)} if seeds else {}
    tables = {name: _rows(t, rows.get(name, 0), missing, draw) for name, t in layout.tables.items()}
    slot_BTS = _slots(layout, seeds, rows, draw)
    age_BTS = 400 * torch.rand(slot_BTS.shape, generator=draw)
    timed_BTS = torch.zeros_like(slot_BTS, dtype=torch.bool)
    timed_BTS[:, 1] = slot_BTS[:, 1] >= 0
    summary_missing_BA = torch.rand(seeds, len(layout.summary_names), generator=draw) < missing
    summary_missing_BA[:, layout.roles[-1].summary_start :] |= slot_BTS[:, -1, :1] < 0
    target_B = torch.randint(0, max(2, outputs), (seeds,), generator=draw).float()
    return Batch(
        tables=tables,
        slot_BTS=slot_BTS,
        age_BTS=age_BTS * timed_BTS,
        timed_BTS=timed_BTS,
        link_BTS=_links(layout, slot_BTS, draw),
        summary_BA=torch.randn(summary_missing_BA.shape, generator=draw) * ~summary_missing_BA,
        summary_missing_BA=summary_missing_BA,
        target_B=target_B,
        example_B=torch.arange(seeds),
    )


def _rows(layout: TableLayout, rows: int, missing: float, draw: torch.Generator) -> TableBatch:
    def absent(columns: tuple[str, ...]) -> Tensor:
        return torch.rand(rows, len(columns), generator=draw) < missing

    numeric_missing, time_missing, no_text = (
        absent(layout.numeric),
        absent(layout.timestamp),
        absent(layout.text),
    )
    codes = [torch.randint(0, size, (rows,), generator=draw) for size in layout.cardinality]
    time = torch.randn(rows, len(layout.timestamp), TIME_FEATURES, generator=draw)
    text = torch.randn(rows, len(layout.text), TEXT_FEATURES, generator=draw)
    return TableBatch(
        numeric_RN=torch.randn(numeric_missing.shape, generator=draw) * ~numeric_missing,
        numeric_missing_RN=numeric_missing,
        categorical_RK=torch.stack(codes, dim=1) if codes else torch.zeros(rows, 0, dtype=torch.int64),
        time_RMF=time * ~time_missing.unsqueeze(-1),
        time_missing_RM=time_missing,
        text_RXF=text * ~no_text.unsqueeze(-1),
        row_R=torch.arange(rows),
    )


def _slots(layout: Layout, seeds: int, rows: dict[str, int], draw: torch.Generator) -> Tensor:
    """Seed b stands in row b; every other role holds 0 to S rows, a single one at most one."""
    slot_BTS = torch.full((seeds, len(layout.roles), SLOTS), -1, dtype=torch.int64)
    slot_BTS[:, 0, 0] = torch.arange(seeds)
    for t, role in enumerate(layout.roles[1:], start=1):
        most = 1 if role.single else SLOTS
        for b in range(seeds):
            held = int(torch.randint(0, most + 1, (), generator=draw))
            if role.parent > 0 and slot_BTS[b, role.parent, 0] < 0:
                held = 0
            slot_BTS[b, t, :held] = torch.randint(0, rows[role.table], (held,), generator=draw)
    return slot_BTS


def _links(layout: Layout, slot_BTS: Tensor, draw: torch.Generator) -> Tensor:
    """Each filled slot hangs from one of the filled slots of its parent role."""
    link_BTS = torch.full_like(slot_BTS, -1)
    for t, role in enumerate(layout.roles[1:], start=1):
        held_B = (slot_BTS[:, role.parent] >= 0).sum(dim=1, keepdim=True).clamp(min=1)
        drawn = torch.rand(slot_BTS[:, t].shape, generator=draw)
        link_BTS[:, t] = torch.where(slot_BTS[:, t] >= 0, (drawn * held_B).long(), -1)
    return link_BTS
