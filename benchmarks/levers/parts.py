"""The parts of the defaults, each with what takes it away or puts something in its place."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pandas as pd
from torch import nn

from benchmarks.compare import Question
from nexusflow.data.asking import with_table
from nexusflow.data.schema import Column, ForeignKey, Kind, TableSchema
from nexusflow.data.tables import Table
from nexusflow.nn.embed import NumericEmbedding
from nexusflow.nn.nexusformer import NexusFormer

AS_IT_IS = "as it is"
# Days after which a label of rel-f1 is known.
DAYS = {"did_not_finish": 30, "qualifying": 30, "position": 60}


@dataclass(frozen=True, kw_only=True)
class Lever:
    """A change of the defaults: settings as `benchmarks.levers.run` takes them, of the network, or of the database.

    `change` is done to the network before it is trained, `asked` to the question; that gives None where there is
    nothing to change. `hypothesis` says why it could help or harm, `verdict` what became of it.
    """

    name: str
    hypothesis: str = ""
    verdict: str = ""
    settings: tuple[str, ...] = ()
    change: Callable[[NexusFormer], None] | None = None
    asked: Callable[[Question], Question | None] | None = None


def _still(*parts: nn.Parameter) -> None:
    """Weights of zero that stay zero."""
    for part in parts:
        nn.init.zeros_(part)
        part.requires_grad_(False)


def _no_shape(model: NexusFormer) -> None:
    _still(*model.shape.parameters())


def _no_modulation(model: NexusFormer) -> None:
    _still(*model.modulation.parameters())


def _no_rows(model: NexusFormer) -> None:
    for block in model.blocks:
        _still(*block.slots.out.parameters())  # type: ignore[union-attr,operator]
        _still(*block.outer.up.parameters(), *block.outer.down.parameters())  # type: ignore[union-attr,operator]
    _no_reading(model)


def _no_reading(model: NexusFormer) -> None:
    # The same for every row, it is given no share.
    _still(model.reading.read, *model.reading.bias.parameters())


def _no_summaries(model: NexusFormer) -> None:
    for head in model.summary_heads:
        if isinstance(head, nn.Sequential):
            _still(*head[-1].parameters())
    _still(model.shape.summary)


def _no_pair(model: NexusFormer) -> None:
    for block in model.blocks:
        _still(*block.cross.pair_bias[1].parameters())  # type: ignore[union-attr,index]


def _no_waves(model: NexusFormer) -> None:
    for part in model.modules():
        if isinstance(part, NumericEmbedding):
            _still(part.frequency)


def with_past_labels(asked: Question) -> Question | None:
    """The question with a table of the labels that are known by now, each from the day its window has closed."""
    task = asked.task
    if task.target_column not in DAYS:
        return None
    frame = asked.tables[task.entity_table].frame
    entity = next(fk for fk in asked.schema.foreign_keys if fk.child_table == task.entity_table)
    (key,) = entity.child_columns
    closed = frame[task.cutoff_column] + pd.Timedelta(days=DAYS[task.target_column])
    past = pd.DataFrame({key: frame[key], "closed": closed, "was": frame[task.target_column]})
    kinds = {key: Kind.KEY, "closed": Kind.TIMESTAMP}
    table = TableSchema(
        name="past",
        columns=tuple(Column(name=name, kind=kinds.get(name, Kind.NUMERIC)) for name in past.columns),
        primary_key=(),
        time_column="closed",
    )
    link = ForeignKey(
        child_table="past",
        child_columns=(key,),
        parent_table=entity.parent_table,
        parent_columns=entity.parent_columns,
    )
    schema = replace(asked.schema.with_table(table), foreign_keys=(*asked.schema.foreign_keys, link))
    return replace(asked, tables=with_table(asked.tables, Table(name="past", frame=past)), schema=schema)


LEVERS = (
    Lever(name=AS_IT_IS),
    Lever(
        name="no relational summaries",
        hypothesis="counts, means and trends over all rows of a path say what eight rows cannot",
        verdict="kept: churn needs them, top3 does not",
        change=_no_summaries,
    ),
    Lever(
        name="rows have no answer of their own",
        hypothesis="beside summaries, what reads rows gets no gradient",
        verdict="kept: without it masks and single rows say nothing",
        change=_no_reading,
    ),
    Lever(
        name="no rows in slots",
        hypothesis="single rows say what summaries wash out",
        verdict="kept, with the line above",
        change=_no_rows,
    ),
    Lever(
        name="no shape functions",
        hypothesis="the answer is mostly a sum of curves of single features",
        verdict="level where rows answer too; kept, as it keeps what a feature says by itself in its role",
        change=_no_shape,
    ),
    Lever(
        name="the row scales no summary",
        hypothesis="a column of the row often decides what a table's summaries mean (FiLM)",
        verdict="kept: the planted gate is found by it alone",
        change=_no_modulation,
    ),
    Lever(
        name="no attention between tables",
        hypothesis="what one table means depends on another",
        verdict="kept",
        settings=("architecture.cross_attention=false",),
    ),
    Lever(
        name="attention without the pair state",
        hypothesis="how two roles are linked tells where to look",
        verdict="level; kept, as it steers the attention",
        change=_no_pair,
    ),
    Lever(
        name="one pass",
        hypothesis="a second look, with the first answer known, mends it (recycling)",
        verdict="level; kept, as passes end where answers settle",
        settings=("architecture.refinement_iterations=1",),
    ),
    Lever(
        name="one block",
        hypothesis="more depth, more interactions",
        verdict="level and cheaper: the next to go, once planted truths are measured with it",
        settings=("architecture.num_blocks=1",),
    ),
    Lever(
        name="numbers without waves",
        hypothesis="sines of many frequencies show a network thresholds and bumps",
        verdict="kept",
        change=_no_waves,
    ),
    Lever(
        name="no teacher",
        hypothesis="boosting finds what small data hide, and half of its answer as target teaches it",
        verdict="kept",
        settings=("training.distillation=0",),
    ),
    Lever(
        name="nothing hidden in training",
        hypothesis="what is hidden to explain must be known from training, at a price",
        verdict="level; kept, as explanations hide",
        settings=("training.masking=0",),
    ),
    Lever(
        name="weights not averaged",
        hypothesis="the mean over steps is steadier than the last step",
        verdict="level; kept until more seeds tell",
        settings=("training.weight_averaging=0",),
    ),
    Lever(
        name="no going on with the validation rows",
        hypothesis="the latest labels are worth most",
        verdict="kept",
        settings=("training.refit=false",),
    ),
    Lever(
        name="no dropout",
        hypothesis="it keeps small data from being learnt by heart",
        verdict="kept",
        settings=("architecture.dropout=0",),
    ),
    Lever(
        name="rows one step away only",
        hypothesis="what lies two steps away says more",
        verdict="kept",
        settings=("architecture.hops=1",),
    ),
    Lever(
        name="rows up to three steps away",
        hypothesis="and three steps, still more",
        verdict="not taken",
        settings=("architecture.hops=3",),
    ),
    Lever(
        name="16 rows per key, not 8",
        hypothesis="older rows still say something",
        verdict="not taken",
        settings=("architecture.rows_per_key=16",),
    ),
    Lever(
        name="experts in the transitions",
        hypothesis="different tables need different transitions",
        verdict="not taken: a choice of the user",
        settings=("architecture.use_moe=true",),
    ),
    Lever(
        name="width 32, not 64",
        hypothesis="fewer weights overfit less",
        verdict="not taken",
        settings=("architecture.global_embed_dim=32",),
    ),
    Lever(
        name="width 128, not 64",
        hypothesis="more weights fit more",
        verdict="not taken yet: better on both, and dearer",
        settings=("architecture.global_embed_dim=128",),
    ),
    Lever(
        name="past labels as a table",
        hypothesis="what happened to the entity before is the best guess (target history)",
        verdict="not taken",
        asked=with_past_labels,
    ),
)
