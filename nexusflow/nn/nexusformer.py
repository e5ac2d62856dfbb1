"""NexusFormer: related tables in, an explained prediction out.

    rows of each table --encoder--> slots x [B, T, S, D] --.
    relational summaries ---------> summaries m [B, T, D] --+-- blocks, refined a few times --> additive fusion --.
         '---- and the seed's own cells ---- shape functions, one per feature ----------------------'              mean
    slots alone ------------------> the mean of each role's rows ---------------------------------> a sum --------'
    how roles relate -------------> pair state z [B,T,T,P] --'

After the Evoformer and the recycling of AlphaFold (Jumper et al. 2021), with a table role in the place of a residue, a
row in the place of a sequence, the seed row as the target sequence and relational summaries as templates.

Axis letters: B seeds, T roles, S slots, D width, P pair width, O outputs, A summary features, R_t rows, C_t columns.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nexusflow.config import ArchitectureConfig, DatasetConfig
from nexusflow.data.batch import Batch, TableBatch
from nexusflow.data.layout import Layout
from nexusflow.nn.block import Block, BlockTrace, Given
from nexusflow.nn.calibration import LogitCalibration
from nexusflow.nn.embed import SummaryEmbedding, TableEmbedding, Tokens
from nexusflow.nn.encoders.registry import build_encoder
from nexusflow.nn.heads import AdditiveFusion
from nexusflow.nn.masking import Hidden, draw_hidden, nothing_hidden
from nexusflow.nn.modulation import RowModulation
from nexusflow.nn.output import EncoderOutput, Evidence, ModelOutput
from nexusflow.nn.pair import PairInit
from nexusflow.nn.reading import RowReading
from nexusflow.nn.refine import Refined, Refinement, State
from nexusflow.nn.shape import ShapeFunctions
from nexusflow.nn.slots import SlotEmbedding

PAIR_WIDTH = 16
SUMMARY_WIDTH = 16


class NexusFormer(nn.Module):
    """The whole model; `datasets` gives each table's encoder, by table name.

    `masking` is the chance that a cell is hidden in a training step that hides any (Faithfulness Measurable Models,
    Madsen et al. 2023: what is hidden to explain a prediction is then nothing that the model never saw).
    """

    def __init__(
        self,
        layout: Layout,
        architecture: ArchitectureConfig,
        datasets: Mapping[str, DatasetConfig],
        *,
        masking: float = 0.15,
    ) -> None:
        super().__init__()
        self.layout, self.architecture, self.masking = layout, architecture, masking
        width, roles, drop = architecture.global_embed_dim, layout.roles, architecture.dropout
        encoders = {
            name: build_encoder(
                datasets.get(name, DatasetConfig(name=name)),
                len(table.columns),
                drop,
                fused=architecture.use_flash_attn,
                experts=architecture.num_experts,
            )
            for name, table in layout.tables.items()
        }
        self.embeddings = nn.ModuleList(
            TableEmbedding(table, encoders[name].token_width) for name, table in layout.tables.items()
        )
        self.encoders = nn.ModuleList(encoders.values())
        self.projections = nn.ModuleList(nn.Linear(e.row_width, width) for e in encoders.values())
        self.summary_embedding = SummaryEmbedding(len(layout.summary_names), SUMMARY_WIDTH)
        self.summary_heads = nn.ModuleList(
            _summary_head(r.summary_stop - r.summary_start, width, drop) for r in roles
        )
        self.role = nn.Embedding(len(roles), width)
        self.slot_embedding = SlotEmbedding(len(roles), width)
        self.seed = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(drop), nn.Linear(2 * width, width)
        )
        self.modulation = RowModulation(width)
        self.pair = PairInit(roles, PAIR_WIDTH)
        self.blocks = nn.ModuleList(
            Block(roles, architecture, PAIR_WIDTH) for _ in range(architecture.num_blocks)
        )
        self.fusion = AdditiveFusion(len(roles), width, layout.outputs, drop)
        first = roles[0].table
        self.shape = ShapeFunctions(
            roles,
            SUMMARY_WIDTH,
            len(layout.tables[first].columns),
            encoders[first].token_width,
            layout.outputs,
        )
        self.reading = RowReading(len(roles), width, layout.outputs, drop)
        self.refinement = Refinement(width, PAIR_WIDTH, layout.outputs, architecture)
        self.calibration = LogitCalibration()

    @property
    def checkpointing(self) -> bool:
        """Whether the blocks keep of each pass only what goes in: where every encoder does so with its layers."""
        read = [encoder for encoder in self.encoders if encoder.columns]
        return bool(read) and all(encoder.checkpointing for encoder in read)

    def forward(
        self,
        batch: Batch,
        *,
        tokens: Tokens | None = None,
        rows: Mapping[str, EncoderOutput] | None = None,
        record: bool = False,
        passes_B: Tensor | None = None,
        hide_BT: Tensor | None = None,
    ) -> ModelOutput:
        """Predict a batch.

        `tokens` stands in for the embedded cells and `rows` for what the encoders make of them; `record` keeps what was
        looked at and changes nothing; `passes_B` fixes the number of refinement passes per row; `hide_BT` hides whole
        roles, of role 0 only the seed's own cells.
        """
        hidden = nothing_hidden(batch)
        if self.training:
            hidden = draw_hidden(batch, self.masking, self.layout.roles)
        if hide_BT is not None:
            hidden = hidden.and_roles(hide_BT, self.layout.roles)
        tokens = self.tokens(batch, hidden) if tokens is None else tokens
        rows = self.encode(tokens) if rows is None else rows
        given, start = self.gather(batch, rows, tokens, hidden)
        refined = self.refinement(
            lambda state: self.one_pass(given, start, state),
            start,
            passes_B,
            record=record,
            share=1 - self.reading.share,
        )
        return self.answer(batch, rows, given, refined, record=record)

    def tokens(self, batch: Batch, hidden: Hidden | None = None) -> Tokens:
        """The embedded cells of a batch; hidden cells are embedded as missing."""
        hidden = hidden or nothing_hidden(batch)
        parts = zip(self.layout.tables, self.embeddings, self.encoders, strict=True)
        # Where an encoder spares memory, what is inside the embedding of its cells is not kept either.
        tables = {
            name: encoder.layer(embed, batch.tables[name], hidden.cells[name])  # type: ignore[operator]
            for name, embed, encoder in parts
        }
        missing_BA = batch.summary_missing_BA | hidden.summaries_BA
        return Tokens(tables=tables, summary_BAE=self.summary_embedding(batch.summary_BA, missing_BA))

    def missing_tokens(self, batch: Batch) -> Tokens:
        """Tokens of the same shape with every cell missing: the baseline of attributions."""
        return self.tokens(batch, nothing_hidden(batch).everything())

    def encode(self, tokens: Tokens, only: Collection[str] | None = None) -> dict[str, EncoderOutput]:
        """Each table's rows as vectors [R_t, D]; of `only` these tables where they are named."""
        encoded = {}
        names = zip(self.layout.tables, self.encoders, self.projections, strict=True)
        for name, encoder, project in names:
            if only is not None and name not in only:
                continue
            output = encoder(tokens.tables[name])
            encoded[name] = EncoderOutput(
                row_RD=project(output.row_RD),
                mask_GRC=output.mask_GRC,
                step_weight_GR=output.step_weight_GR,
                loss=output.loss,
            )
        return encoded

    def gather(
        self, batch: Batch, rows: Mapping[str, EncoderOutput], tokens: Tokens, hidden: Hidden
    ) -> tuple[Given, State]:
        """Rows into slots, summaries and pairs into their first state."""
        filled_BTS = (batch.slot_BTS >= 0) & ~hidden.slots_BTS
        row_BTSD = torch.stack(
            [
                _pick(rows[role.table].row_RD, batch.slot_BTS[:, t])
                for t, role in enumerate(self.layout.roles)
            ],
            dim=1,
        )
        if hidden.seeds:
            row_BTSD = self._without_own_cells(batch, row_BTSD, hidden.seed_B)
        x_BTSD = self.slot_embedding(row_BTSD, batch.age_BTS, batch.timed_BTS) * filled_BTS.unsqueeze(-1)
        says_BT = self._says(batch, hidden)
        present_BT = filled_BTS.any(dim=-1) | says_BT
        present_BT = torch.cat([torch.ones_like(present_BT[:, :1]), present_BT[:, 1:]], dim=1)
        row_BD = row_BTSD[:, 0, 0] * filled_BTS[:, 0, :1]
        m_BTD, _ = self.modulation(self._summaries(tokens.summary_BAE), row_BD)
        own_BD = self.seed(row_BTSD[:, 0, 0]) * filled_BTS[:, 0, :1]
        m_BTD = torch.cat([m_BTD[:, :1] + own_BD.unsqueeze(1), m_BTD[:, 1:]], dim=1)
        link_BTS = torch.where(filled_BTS, batch.link_BTS, -1)
        seed_B = torch.where(hidden.seed_B, -1, batch.slot_BTS[:, 0, 0])
        shape_BTO = self.shape(tokens.summary_BAE, tokens.tables[self.layout.roles[0].table], seed_B)
        given = Given(
            x_BTSD=x_BTSD,
            age_BTS=batch.age_BTS,
            filled_BTS=filled_BTS,
            link_BTS=link_BTS,
            present_BT=present_BT,
            shape_BTO=shape_BTO * present_BT.unsqueeze(-1),
        )
        return given, State(m_BTD=m_BTD, z_BTTP=self.pair(filled_BTS, present_BT), logit_BO=None)

    def one_pass(
        self, given: Given, start: State, state: State
    ) -> tuple[State, Tensor, Tensor, list[BlockTrace]]:
        """One refinement pass: the next state, contributions, auxiliary loss, and what each block looked at."""
        m_BTD, z_BTTP = self.refinement.recycle(start, state)
        loss, traces = m_BTD.new_zeros(()), []
        for block in self.blocks:
            m_BTD, z_BTTP, extra, trace = self._spared(block)(m_BTD, z_BTTP, given)
            loss = loss + extra
            traces.append(trace)
        logit_BO, contribution_BTO = self.fusion(m_BTD, given.present_BT, given.shape_BTO)
        return State(m_BTD=m_BTD, z_BTTP=z_BTTP, logit_BO=logit_BO), contribution_BTO, loss, traces

    def answer(
        self, batch: Batch, rows: Mapping[str, EncoderOutput], given: Given, refined: Refined, *, record: bool
    ) -> ModelOutput:
        """The prediction with what it is made up of."""
        losses = [output.loss for output in rows.values() if output.loss is not None]
        said_BO, added_BTO = self._spared(self.reading)(given.x_BTSD, given.filled_BTS)
        share = self.reading.share
        answer = ModelOutput(
            logit_BO=torch.lerp(refined.logit_BO, said_BO, share),
            contribution_BTO=torch.lerp(refined.contribution_BTO, added_BTO, share),
            shape_BTO=torch.lerp(given.shape_BTO, added_BTO, share),
            bias_O=torch.lerp(self.fusion.bias.weight[0], self.reading.bias.weight[0], share),
            passes_B=refined.passes_B,
            present_BT=given.present_BT,
            masks={n: o.mask_GRC for n, o in rows.items() if o.mask_GRC is not None},
            step_weights={n: o.step_weight_GR for n, o in rows.items() if o.step_weight_GR is not None},
            loss=refined.loss + sum(losses, torch.zeros_like(refined.loss)),
            evidence=_evidence(refined, partial(torch.lerp, end=said_BO, weight=share)) if record else None,
            answers_BO=(refined.logit_BO, said_BO),
        )
        return self.calibration(answer)

    def _spared(self, part: nn.Module) -> Callable[..., Any]:
        """The part, of which only what goes in is kept for the gradient where memory is spared."""
        spare = self.checkpointing and self.training and torch.is_grad_enabled()
        return partial(checkpoint, part, use_reentrant=False) if spare else part

    def _without_own_cells(self, batch: Batch, row_BTSD: Tensor, seed_B: Tensor) -> Tensor:
        """The seeds' own slot filled with what an all-missing row gives; other slots may share the row and keep it."""
        at = list(self.layout.tables).index(self.layout.roles[0].table)
        rows = batch.tables[self.layout.roles[0].table]
        one = TableBatch(**{name: value[:1] for name, value in vars(rows).items()})
        hide = torch.ones(1, len(self.layout.tables[self.layout.roles[0].table].columns), dtype=torch.bool)
        token = self.embeddings[at](one, hide.to(row_BTSD.device))
        missing_D = self.projections[at](self.encoders[at](token).row_RD)[0]
        own = torch.where(seed_B[:, None], missing_D, row_BTSD[:, 0, 0])
        first = torch.cat([own[:, None], row_BTSD[:, 0, 1:]], dim=1)
        return torch.cat([first[:, None], row_BTSD[:, 1:]], dim=1)

    def _summaries(self, summary_BAE: Tensor) -> Tensor:
        """Each role's learned vector, and what its summary features add; [B, T, D]."""
        parts = []
        for t, (role, head) in enumerate(zip(self.layout.roles, self.summary_heads, strict=True)):
            own = self.role.weight[t].expand(summary_BAE.shape[0], -1)
            if isinstance(head, nn.Sequential):
                own = own + head(summary_BAE[:, role.summary_start : role.summary_stop].flatten(1))
            parts.append(own)
        return torch.stack(parts, dim=1)

    def _says(self, batch: Batch, hidden: Hidden) -> Tensor:
        """Whether a role has any summary feature that is there and not hidden; [B, T]."""
        there = ~(batch.summary_missing_BA | hidden.summaries_BA)
        parts = [there[:, r.summary_start : r.summary_stop].any(dim=1) for r in self.layout.roles]
        return torch.stack(parts, dim=1)


def _summary_head(features: int, width: int, dropout: float) -> nn.Module:
    if features == 0:
        return nn.Identity()
    return nn.Sequential(
        nn.Linear(features * SUMMARY_WIDTH, 4 * width),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(4 * width, width),
    )


def _pick(row_RD: Tensor, slot_BS: Tensor) -> Tensor:
    """Rows into slots [B, S, D]; what stands in empty slots is masked later."""
    if row_RD.shape[0] == 0:
        return row_RD.new_zeros((*slot_BS.shape, row_RD.shape[1]))
    return row_RD[slot_BS.clamp(min=0)]


def _evidence(refined: Refined, whole: Callable[[Tensor], Tensor]) -> Evidence:
    """What was looked at; `whole` makes of a pass's logits those of the answer."""
    stacked = [[vars(trace) for trace in traces] for traces in refined.traces]
    first = stacked[0][0]

    def gathered(name: str) -> Tensor:
        return torch.stack([torch.stack([t[name] for t in one]) for one in stacked])

    return Evidence(
        attention_PLBHTT=gathered("attention_BHTT"),
        slot_attention_PLBHTS=gathered("slot_attention_BTHS").transpose(3, 4),
        pair_PBTT=torch.stack([z.norm(dim=-1) for z in refined.pairs]),
        gate_PLBTE=gathered("gate_BTE") if first["gate_BTE"] is not None else None,
        prediction_PBO=torch.stack([whole(logit) for logit in refined.logits]),
    )
