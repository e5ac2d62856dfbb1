"""The neighbourhood of a row: the uploaded rows that it is read from, how they hang together, and what each moves.

Every score of the row's attribution is in one node: a cell in that of its uploaded row, a summary in that of its role.
So the nodes sum to what the scores sum to, also where weak rows are folded into their role.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from nexusflow.data.index import FOREVER, STATIC
from nexusflow.explain.baseline import Baseline
from nexusflow.services.drill import key_words
from nexusflow.services.insight import Insight

if TYPE_CHECKING:
    from nexusflow.data.roles import Role

STRONGEST = 3
# Lines of a drawing, and how many rows a level of relations has at least, however many roles it has.
MOST_LINES, LEAST_ROWS = 32, 8
NODE_COLUMNS = [
    "kind",
    "role",
    "table",
    "hops",
    "row",
    "key",
    "time",
    "age",
    "score",
    "cells",
    "rows",
    "first",
]


class NodeKind(StrEnum):
    """What a node stands for: an uploaded row (the seed or a related one), the summaries of a role, or a role's rows
    that are not drawn one by one."""

    SEED = "seed"
    ROW = "row"
    SUMMARY = "summary"
    ROLE = "role"


# A column, the statistic of a summary (None for a cell), its value as text, and its score.
Cell = tuple[str, str | None, str, float]


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """What one row is read from, as of its cutoff.

    `nodes`, numbered from 0, the seed first: kind, role, table, hops, row (uploaded row from 0, -1 where it is none),
    key, time (UTC, NaT where always known), age (days before the cutoff, NaN where there is none), score, cells (its
    strongest: column, statistic, value, score), rows (how many uploaded rows it stands for), first (its first slot).
    `edges`: source and target (numbers of nodes), key (the foreign key in words, empty for summaries and folded rows)
    and score (what came over this link). A row that is reached over several links is one node with several edges.
    `cutoff` is None where the task has none; nothing later than `until` was read. Scores are those from `baseline`.
    """

    nodes: pd.DataFrame
    edges: pd.DataFrame
    cutoff: pd.Timestamp | None
    until: pd.Timestamp | None
    baseline: Baseline = Baseline.MISSING

    @property
    def total(self) -> float:
        """The sum of all scores."""
        return float(self.nodes["score"].sum())

    @property
    def events(self) -> pd.DataFrame:
        """The related rows whose time is known, earliest first, with the columns of `nodes`."""
        timed = self.nodes[(self.nodes["kind"] == NodeKind.ROW) & self.nodes["time"].notna()]
        return timed.sort_values("time", kind="stable")


def neighbourhood(insight: Insight, row: int, *, baseline: Baseline = Baseline.MISSING) -> Neighbourhood:
    """The rows in the slots of an example and its summaries, weighted by its attribution from this baseline."""
    scores = insight.attribution(row, baseline=baseline).frame
    slots = _slots(insight, row)
    nodes, slots = _rows(insight, slots, scores[scores["slot"] >= 0])
    summaries = _summaries(insight, scores[scores["slot"] < 0])
    reader = insight.reader
    cutoff = insight.cutoff(row)
    if cutoff < FOREVER:
        nodes["age"] = (pd.Timestamp(cutoff) - nodes["time"]).dt.total_seconds() / 86_400
    edges = [
        *_links(reader.roles, slots),
        *((0, len(nodes) + n, "", s) for n, s in enumerate(summaries["score"])),
    ]
    return Neighbourhood(
        nodes=pd.concat([nodes, summaries] if len(summaries) else [nodes], ignore_index=True),
        edges=_edge_frame(edges),
        cutoff=_moment(cutoff),
        until=_moment(int(reader.until_N[row])),
        baseline=baseline,
    )


def folded(found: Neighbourhood, lines: int = MOST_LINES) -> Neighbourhood:
    """The same with a node for every role, which stands for its rows that are too weak to be drawn one by one.

    The rows of one number of hops share `lines`, of which every role takes one; the strongest rows are drawn.
    """
    nodes = found.nodes
    related = nodes[nodes["kind"] == NodeKind.ROW]
    drawn: set[int] = set()
    for _, level in related.groupby("hops"):
        room = max(LEAST_ROWS, lines - level["role"].nunique())
        order = level["score"].abs().sort_values(ascending=False, kind="stable").index
        drawn |= set(order[:room])
    kept = [n for n in nodes.index if n in drawn or nodes["kind"].iat[n] != NodeKind.ROW]
    roles = []
    for role, group in related.groupby("role", sort=False):
        left = group[~group.index.isin(drawn)]
        roles.append(
            {
                "kind": NodeKind.ROLE,
                "role": role,
                "table": group["table"].iloc[0],
                "hops": group["hops"].iloc[0],
                "row": -1,
                "key": "",
                "time": pd.NaT,
                "age": np.nan,
                "score": float(left["score"].sum()),
                "cells": (),
                "rows": len(left),
                "first": -1,
            }
        )
    shown = pd.concat([nodes.loc[kept], _node_frame(roles)], ignore_index=True) if roles else nodes.loc[kept]
    place = {old: new for new, old in enumerate(kept)}
    of_role = {line["role"]: len(kept) + n for n, line in enumerate(roles)}
    moved = [place.get(n, of_role.get(role)) for n, role in zip(nodes.index, nodes["role"], strict=True)]
    edges = found.edges.assign(
        source=[moved[n] for n in found.edges["source"]], target=[moved[n] for n in found.edges["target"]]
    )
    edges.loc[edges["target"] >= len(kept), "key"] = ""
    return replace(found, nodes=shown.reset_index(drop=True), edges=_summed(edges))


def node_values(
    insight: Insight, row: int, node: pd.Series, *, baseline: Baseline = Baseline.MISSING
) -> pd.DataFrame:
    """What a node holds: column, value (text, empty where missing) and score (NaN where the model does not read it).

    A line per cell of an uploaded row, or per statistic of a summary; scores are those from this baseline.
    """
    scores = insight.attribution(row, baseline=baseline).frame
    scores = scores[scores["role"] == node["role"]]
    if node["kind"] == NodeKind.SUMMARY:
        found = scores[scores["slot"] < 0]
        return pd.DataFrame(
            {"column": found["statistic"], "value": found["value"], "score": found["score"]}
        ).reset_index(drop=True)
    of_row = scores[(scores["slot"] >= 0) & (scores["row"] == node["row"])]
    by_column = {str(c): float(s) for c, s in of_row.groupby("column")["score"].sum().items()}
    uploaded = insight.reader.tables[str(node["table"])].take(np.array([node["row"]], dtype=np.int64))
    present = uploaded.notna().to_numpy()[0]
    return pd.DataFrame(
        {
            "column": list(uploaded.columns),
            "value": [str(uploaded.iloc[0, c]) if there else "" for c, there in enumerate(present)],
            "score": [by_column.get(c, np.nan) for c in uploaded.columns],
        }
    )


def rows_of(found: Neighbourhood, node: int, of: Neighbourhood) -> pd.DataFrame:
    """The nodes of `found` that this node of `of`, which is `folded`, stands for, strongest first."""
    role = of.nodes.iloc[node]
    drawn = set(of.nodes.loc[(of.nodes["kind"] == NodeKind.ROW) & (of.nodes["role"] == role["role"]), "row"])
    group = found.nodes[(found.nodes["kind"] == NodeKind.ROW) & (found.nodes["role"] == role["role"])]
    left = group[~group["row"].isin(drawn)]
    return left.sort_values("score", key=abs, ascending=False, kind="stable")


def _slots(insight: Insight, row: int) -> pd.DataFrame:
    """A line per filled slot: t, slot, row, link, known."""
    context = insight.reader.context(np.array([row]))
    t, slot = np.nonzero(context.row_BTS[0] >= 0)
    found = (context.row_BTS, context.link_BTS, context.known_BTS)
    row_X, link_X, known_X = (values[0, t, slot] for values in found)
    return pd.DataFrame({"t": t, "slot": slot, "row": row_X, "link": link_X, "known": known_X})


def _rows(insight: Insight, slots: pd.DataFrame, scores: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A node per role and uploaded row; and the slots with the number of their node and their score."""
    roles = insight.roles
    by_slot = scores.groupby(["role", "slot"])["score"].sum().to_dict()
    slots = slots.assign(
        node=slots.groupby(["t", "row"], sort=False).ngroup(),
        score=[by_slot.get((roles[t], s), 0.0) for t, s in zip(slots["t"], slots["slot"], strict=True)],
    )
    cells: dict[Any, tuple[Cell, ...]] = {
        key: _strongest(group) for key, group in scores.groupby(["role", "row"])
    }
    keys = _keys(insight, slots)
    nodes = []
    for _, group in slots.groupby("node"):
        one = group.iloc[0]
        t, number = int(one["t"]), int(one["row"])
        known = int(one["known"])
        nodes.append(
            {
                "kind": NodeKind.SEED if t == 0 else NodeKind.ROW,
                "role": roles[t],
                "table": insight.reader.layout.roles[t].table,
                "hops": insight.reader.layout.roles[t].hops,
                "row": number,
                "key": keys[t, number],
                "time": pd.NaT if known == STATIC else pd.Timestamp(known),
                "age": np.nan,
                "score": float(group["score"].sum()),
                "cells": cells.get((roles[t], number), ()),
                "rows": 1,
                "first": int(one["slot"]),
            }
        )
    return _node_frame(nodes), slots


def _strongest(scores: pd.DataFrame) -> tuple[Cell, ...]:
    """The cells or statistics that move most; a row in several slots has each of its cells once."""
    found: dict[tuple[str, str | None], tuple[str, float]] = {}
    columns = (scores[name].tolist() for name in ("column", "statistic", "value", "score"))
    for column, statistic, value, score in zip(*columns, strict=True):
        key = str(column), None if pd.isna(statistic) else str(statistic)
        found[key] = str(value), found.get(key, ("", 0.0))[1] + float(score)
    order = sorted(found, key=lambda key: abs(found[key][1]), reverse=True)[:STRONGEST]
    return tuple((*key, *found[key]) for key in order)


def _summaries(insight: Insight, scores: pd.DataFrame) -> pd.DataFrame:
    """A node per role that has summaries, also where none of its rows is in a slot."""
    hops = {role.name: role.hops for role in insight.reader.layout.roles}
    nodes = []
    for role in insight.roles:
        group = scores[scores["role"] == role]
        if group.empty:
            continue
        nodes.append(
            {
                "kind": NodeKind.SUMMARY,
                "role": role,
                "table": str(group["table"].iloc[0]),
                "hops": hops[role],
                "row": -1,
                "key": "",
                "time": pd.NaT,
                "age": np.nan,
                "score": float(group["score"].sum()),
                "cells": _strongest(group),
                "rows": 0,
                "first": -1,
            }
        )
    return _node_frame(nodes)


def _keys(insight: Insight, slots: pd.DataFrame) -> dict[tuple[int, int], str]:
    """The primary key of each row as text, or its number, from 1, where its table has none; by role and row."""
    keys: dict[tuple[int, int], str] = {}
    schema = insight.reader.preprocessing.schema
    for t, role in enumerate(insight.reader.layout.roles):
        rows = slots.loc[slots["t"] == t, "row"].drop_duplicates().to_numpy(dtype=np.int64)
        columns = list(schema[role.table].primary_key)
        names = [f"row {number + 1}" for number in rows]
        if columns:
            values = insight.reader.tables[role.table].take(rows)[columns].astype("str")
            names = [", ".join(line) for line in values.to_numpy().tolist()]
        keys |= {(t, int(number)): name for number, name in zip(rows, names, strict=True)}
    return keys


def _links(roles: "tuple[Role, ...]", slots: pd.DataFrame) -> Iterable[tuple[int, int, str, float]]:
    """An edge per filled slot, from the row that it was reached from."""
    columns = (slots[name].tolist() for name in ("t", "slot", "link", "node", "score"))
    lines = list(zip(*columns, strict=True))
    node = {(t, slot): number for t, slot, _, number, _ in lines}
    for t, _, link, number, score in lines:
        if t == 0:
            continue
        yield node[roles[t].parent, link], number, key_words(roles[t].path[-1].key), score


def _node_frame(nodes: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(nodes, columns=NODE_COLUMNS)
    return frame.astype({"time": "datetime64[ns]", "age": "float64", "score": "float64"})


def _edge_frame(edges: list[tuple[int, int, str, float]]) -> pd.DataFrame:
    frame = pd.DataFrame(edges, columns=["source", "target", "key", "score"])
    return _summed(frame)


def _summed(edges: pd.DataFrame) -> pd.DataFrame:
    """Edges between the same two nodes as one."""
    return edges.groupby(["source", "target", "key"], sort=False)["score"].sum().reset_index()


def _moment(nanoseconds: int) -> pd.Timestamp | None:
    return pd.Timestamp(nanoseconds) if nanoseconds < FOREVER else None
