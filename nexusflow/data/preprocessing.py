"""Everything learned from training rows before the network: roles, featurizers, summary scales, target scale."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from nexusflow.data.cache import Anew, Cache
from nexusflow.data.featurize import TableFeaturizer, Treatment, fit_table
from nexusflow.data.index import RelationalIndex
from nexusflow.data.keys import Rows
from nexusflow.data.layout import Layout, RoleLayout
from nexusflow.data.quantiles import QuantileScale
from nexusflow.data.roles import Role, find_roles
from nexusflow.data.sampler import Context, sample_context
from nexusflow.data.schema import Schema
from nexusflow.data.staleness import stale_until
from nexusflow.data.summarize import (
    Seeds,
    SummarySource,
    Windows,
    anchor_of,
    fit_windows,
    role_edges,
    role_summaries,
    summarized_roles,
    windows_from_dict,
    windows_to_dict,
)
from nexusflow.data.tables import Table, TableSet, family
from nexusflow.data.task import Examples, Part, Task, TaskKind
from nexusflow.errors import Problem, Severity

MAX_SUMMARIES = 320
FIT_SLOTS = 16
CHUNK = 4096


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """What was learned from training rows; JSON-able, and all that is needed to read new tables.

    `summaries` are the kept relational summaries in order (A of them), `scales` their quantile scales. Regression
    targets are standardised by `target_mean` and `target_std`. `families` is what feature and key columns were stored
    as, by table; models of before format 4 know none.
    """

    schema: Schema
    task: Task
    hops: int
    slots: int
    featurizers: Mapping[str, TableFeaturizer]
    windows: Mapping[int, Windows | None]
    summaries: tuple[SummarySource, ...]
    scales: tuple[QuantileScale, ...]
    target_mean: float = 0.0
    target_std: float = 1.0
    found: tuple[Problem, ...] = ()
    families: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def roles(self) -> tuple[Role, ...]:
        """The table roles, the seed first."""
        return find_roles(self.schema, self.task.entity_table, hops=self.hops)

    @cached_property
    def layout(self) -> Layout:
        """Sizes and names for the network."""
        roles = self.roles
        numbers = {
            hop: i for i, hop in enumerate(dict.fromkeys(r.path[-1] for r in roles if r.path), start=1)
        }
        counts = [sum(s.role == t for s in self.summaries) for t in range(len(roles))]
        starts = np.concatenate([[0], np.cumsum(counts)])
        return Layout(
            tables={name: self.featurizers[name].layout for name in dict.fromkeys(r.table for r in roles)},
            roles=tuple(
                RoleLayout(
                    name=role.name,
                    table=role.table,
                    parent=role.parent,
                    hops=role.hops,
                    single=role.single,
                    relation=numbers[role.path[-1]] if role.path else 0,
                    summary_start=int(starts[t]),
                    summary_stop=int(starts[t + 1]),
                )
                for t, role in enumerate(roles)
            ),
            slots=self.slots,
            outputs=self.task.outputs,
            summary_names=tuple(s.label for s in self.summaries),
        )

    def report(self) -> tuple[Problem, ...]:
        """What was found in the tables while fitting."""
        return self.found

    def scale(self, target_N: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        """Targets as the network is trained on them."""
        if self.task.kind is TaskKind.REGRESSION:
            target_N = (target_N - self.target_mean) / self.target_std
        return target_N.astype(np.float32)

    def unscale(self, logit_NO: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """Logits [N, O] to the probability of the positive class [N], of every class [N, O], or the value [N]."""
        logit = logit_NO.astype(np.float64)
        if self.task.kind is TaskKind.BINARY:
            return 1.0 / (1.0 + np.exp(-np.clip(logit[:, 0], -60, 60)))
        if self.task.kind is TaskKind.MULTICLASS:
            shifted = np.exp(logit - logit.max(axis=1, keepdims=True, initial=-np.inf))
            return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
        return logit[:, 0] * self.target_std + self.target_mean

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, as `from_dict` reads them."""
        return {
            "schema": self.schema.to_dict(),
            "task": self.task.to_dict(),
            "hops": self.hops,
            "slots": self.slots,
            "featurizers": {name: f.to_dict() for name, f in self.featurizers.items()},
            "windows": windows_to_dict(self.windows),
            "summaries": [vars(s) for s in self.summaries],
            "scales": [s.to_dict() for s in self.scales],
            "target_mean": self.target_mean,
            "target_std": self.target_std,
            "families": {name: dict(columns) for name, columns in self.families.items()},
            "found": [{**vars(p), "severity": str(p.severity)} for p in self.found],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Preprocessing":
        """The preprocessing that `to_dict` wrote."""
        return cls(
            schema=Schema.from_dict(data["schema"]),
            task=Task.from_dict(data["task"]),
            hops=data["hops"],
            slots=data["slots"],
            featurizers={name: TableFeaturizer.from_dict(f) for name, f in data["featurizers"].items()},
            windows=windows_from_dict(data["windows"]),
            summaries=tuple(SummarySource(**s) for s in data["summaries"]),
            scales=tuple(QuantileScale.from_dict(s) for s in data["scales"]),
            target_mean=data["target_mean"],
            target_std=data["target_std"],
            families={name: dict(columns) for name, columns in data.get("families", {}).items()},
            found=tuple(Problem(**{**p, "severity": Severity(p["severity"])}) for p in data["found"]),
        )


def fit_preprocessing(
    tables: TableSet,
    schema: Schema,
    task: Task,
    examples: Examples,
    *,
    hops: int,
    rows_per_key: int,
    treatment: Treatment | None = None,
    cache: Cache | None = None,
) -> Preprocessing:
    """Learn vocabularies, quantiles, look-backs and scales from the training examples and the rows they may read.

    With a `cache` that a `Reader` gets too, tables are indexed and encoded once for both.
    """
    cache = cache or Anew()
    index = cache.index(tables, schema)
    roles = find_roles(schema, task.entity_table, hops=hops)
    train = examples.part(Part.TRAIN)
    until = stale_until(task, examples, seed=0)[examples.part_N == str(Part.TRAIN)]
    treatment = treatment or Treatment()
    featurizers, found = _fit_tables(tables, schema, task, index, roles, train.row_N, until, treatment)
    encoded = {name: cache.encoded(f, tables[name]) for name, f in featurizers.items()}
    windows: dict[int, Windows | None] = {}
    raw: list[tuple[SummarySource, npt.NDArray[np.floating[Any]]]] = []
    anchors = anchor_rows(index, roles, train.row_N, until)
    seeds = Seeds(anchor_NT=anchors, until_N=until, cutoff_N=train.cutoff_N)
    for t in summarized_roles(roles):
        edges = role_edges(index, roles, t)
        if edges is None:
            found.append(_too_many_paths(roles[t]))
            continue
        name = roles[t].table
        windows[t] = fit_windows(edges, anchors[:, anchor_of(roles, t)], train.cutoff_N)
        raw += role_summaries(t, roles, edges, encoded[name], featurizers[name], windows[t], seeds)
    fitted = [(source, treatment.scale(values)) for source, values in raw]
    kept = [(source, scale) for source, scale in fitted if not scale.constant][:MAX_SUMMARIES]
    regression = task.kind is TaskKind.REGRESSION
    return Preprocessing(
        schema=schema,
        task=task,
        hops=hops,
        slots=rows_per_key,
        featurizers=featurizers,
        windows=windows,
        summaries=tuple(source for source, _ in kept),
        scales=tuple(scale for _, scale in kept),
        target_mean=float(train.target_N.mean(dtype=np.float64)) if regression else 0.0,
        target_std=float(train.target_N.std(dtype=np.float64)) or 1.0 if regression else 1.0,
        found=tuple(found),
        families={name: _families(tables[name], schema, featurizers[name]) for name in featurizers},
    )


def _families(table: Table, schema: Schema, featurizer: TableFeaturizer) -> dict[str, str]:
    """What the columns that are read, and the keys, are stored as."""
    layout = featurizer.layout
    features = {*layout.numeric, *layout.categorical, *layout.timestamp, *layout.text}
    keys = {c for key in schema.foreign_keys for c in key.child_columns if key.child_table == table.name}
    keys |= {c for key in schema.foreign_keys for c in key.parent_columns if key.parent_table == table.name}
    # A column at a time, for a large table reads it from disk.
    return {c: family(table.column(c)) for c in table.columns if c in features | keys}


def anchor_rows(index: RelationalIndex, roles: tuple[Role, ...], row_N: Rows, until_N: Rows) -> Rows:
    """The single row of every role that has at most one, -1 elsewhere or where there is none; [N, T]."""
    rows = np.full((len(row_N), len(roles)), -1, dtype=np.int64)
    single = tuple(t for t, role in enumerate(roles) if role.single)
    places = {t: i for i, t in enumerate(single)}
    reached = tuple(
        Role(table=roles[t].table, path=roles[t].path, parent=places.get(roles[t].parent, -1)) for t in single
    )
    rows[:, list(single)] = sample_context(index, reached, 1, row_N, until_N).row_BTS[:, :, 0]
    return rows


def _fit_tables(
    tables: TableSet,
    schema: Schema,
    task: Task,
    index: RelationalIndex,
    roles: tuple[Role, ...],
    row_N: Rows,
    until_N: Rows,
    treatment: Treatment,
) -> tuple[dict[str, TableFeaturizer], list[Problem]]:
    """Featurizers fitted on the rows that training examples can read, and on no others."""
    used: dict[str, list[Rows]] = {role.table: [] for role in roles}
    for at in range(0, len(row_N), CHUNK):
        part = slice(at, at + CHUNK)
        context: Context = sample_context(index, roles, FIT_SLOTS, row_N[part], until_N[part])
        for t, role in enumerate(roles):
            used[role.table].append(np.unique(context.row_BTS[:, t]))
    featurizers: dict[str, TableFeaturizer] = {}
    found: list[Problem] = []
    for name, parts in used.items():
        rows = np.unique(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)
        hidden = {column for table, column in task.hidden if table == name}
        if name == task.entity_table:
            hidden.add(task.target_column)
        featurizers[name], problems = fit_table(
            tables[name], schema[name], frozenset(hidden), rows[rows >= 0], treatment
        )
        found += problems
    return featurizers, found


def _too_many_paths(role: Role) -> Problem:
    return Problem(
        severity=Severity.NOTE,
        table=role.table,
        message=f"is reached over too many paths as {role.name!r} to be summarised; its latest rows are still read.",
    )
