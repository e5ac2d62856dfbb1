"""Relational summaries: what all readable rows of a role say together, per seed.

For a role with at least one step to children the rows are those of every path from the seed, known once all rows on
the path are, cut at the seed's cutoff. Sums restart at every anchor row (the row that the first step to children
starts from), so that nothing later, and nothing of another anchor, can change even the last bit of a summary.

Axis letters: N seeds, E edges, A summary features.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from nexusflow.data.featurize import FIRST, EncodedTable, TableFeaturizer
from nexusflow.data.index import Edges, RelationalIndex, sort_edges
from nexusflow.data.keys import Rows
from nexusflow.data.roles import Role
from nexusflow.data.running import running

DAY = 86_400 * 10**9
LAST_ROWS = 5
TOP_CATEGORIES = 6
MAX_NUMERIC, MAX_CATEGORICAL = 16, 10
MAX_EDGES = 20_000_000
EDGES_AT_ONCE = 1_000_000
# Sums of numbers as large as this stay finite.
LARGEST = 1e100

Values = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class SummarySource:
    """Where a summary feature comes from: the role's number, the column (None for counts and ages), the statistic."""

    role: int
    column: str | None
    statistic: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Windows:
    """The short and the long look-back of a role, in nanoseconds."""

    short: int
    long: int


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """N seeds: the single row of each role (-1 where none) [N, T], until when rows are read, and the cutoff [N]."""

    anchor_NT: Rows
    until_N: Rows
    cutoff_N: Rows


def anchor_of(roles: tuple[Role, ...], t: int) -> int:
    """The role whose single row the first step to children starts from."""
    while not roles[t].single:
        t = roles[t].parent
    return t


def role_edges(index: RelationalIndex, roles: tuple[Role, ...], t: int) -> Edges | None:
    """Pairs (anchor row, row of the role) over all paths, in order of time; None where they are too many."""
    path = roles[t].path
    first = next(i for i, hop in enumerate(path) if hop.down)
    edges = index.children[path[first].key]
    if first == len(path) - 1:
        return edges
    parent, child, time = edges.parents(), edges.child_E, edges.time_E
    for hop in path[first + 1 :]:
        if hop.down:
            below = index.children[hop.key]
            counts = below.start_P[child + 1] - below.start_P[child]
            if counts.sum() > MAX_EDGES:
                return None
            source = np.repeat(np.arange(len(child)), counts)
            step = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
            at = below.start_P[child[source]] + step
            parent, child, time = (
                parent[source],
                below.child_E[at],
                np.maximum(time[source], below.time_E[at]),
            )
        else:
            up = index.parent_of[hop.key][child]
            keep = up >= 0
            parent, child = parent[keep], up[keep]
            time = np.maximum(time[keep], index.time_of[hop.table][child])
    anchors = len(index.time_of[roles[anchor_of(roles, t)].table])
    return sort_edges(parent, child, time, index.tie_of[roles[t].table][child], anchors)


def fit_windows(edges: Edges, anchor_N: Rows, cutoff_N: Rows) -> Windows | None:
    """Look-backs of a twelfth and a quarter of a long history among these seeds; None where rows carry no time."""
    start, stop = edges.span(anchor_N, cutoff_N)
    filled = stop > start
    if not filled.any() or edges.time_E[start[filled]].min() == np.iinfo(np.int64).min:
        return None
    history = cutoff_N[filled].astype(np.float64) - edges.time_E[start[filled]]
    span = max(float(np.quantile(history, 0.75)), 12 * DAY)
    return Windows(short=int(span / 12), long=int(span / 4))


def role_summaries(
    t: int,
    roles: tuple[Role, ...],
    edges: Edges,
    encoded: EncodedTable,
    featurizer: TableFeaturizer,
    windows: Windows | None,
    seeds: Seeds,
) -> Iterator[tuple[SummarySource, Values]]:
    """Every summary of a role for N seeds, [N] each; see `RoleSummary`.

    Of many edges some anchors' are read at a time, so that what is made of them on the way stays small. No anchor's
    edges change what is read of another's, so nothing depends on how they are divided.
    """
    blocks = _blocks(edges)
    if len(blocks) == 1:
        yield from RoleSummary(t, roles, edges, encoded, featurizer, windows, seeds).features()
        return
    at = anchor_of(roles, t)
    anchor_N = seeds.anchor_NT[:, at]
    order = np.argsort(anchor_N, kind="stable")
    found: dict[SummarySource, Values] = {}
    for first, last in blocks:
        low, high = np.searchsorted(anchor_N[order], (first, last))
        some = order[low:high]
        if not len(some):
            continue
        anchor_NT = seeds.anchor_NT[some]
        anchor_NT[:, at] -= first
        part = Seeds(anchor_NT=anchor_NT, until_N=seeds.until_N[some], cutoff_N=seeds.cutoff_N[some])
        block = edges.between(first, last)
        read = block.of_parents(anchor_NT[:, at])
        # Without any edge there would be fewer features, and so another order of them.
        read = read if len(read.child_E) else block
        summary = RoleSummary(t, roles, read, encoded, featurizer, windows, part)
        for source, values in summary.features():
            whole = found.setdefault(source, np.full(len(anchor_N), np.nan))
            whole[some] = values
    yield from found.items()


def _blocks(edges: Edges) -> list[tuple[int, int]]:
    """Ranges of parents [first, last) with about so many edges together, none of them without any."""
    start_P, count = edges.start_P, len(edges.child_E)
    wanted = np.arange(EDGES_AT_ONCE, count, EDGES_AT_ONCE)
    cuts = np.unique(np.searchsorted(start_P, wanted))
    borders = [0, *(int(p) for p in cuts if start_P[p] < count), len(start_P) - 1]
    return list(pairwise(borders))


class RoleSummary:
    """The summaries of one role for N seeds with anchor rows and cutoffs; one feature at a time, to stay in memory."""

    def __init__(
        self,
        t: int,
        roles: tuple[Role, ...],
        edges: Edges,
        encoded: EncodedTable,
        featurizer: TableFeaturizer,
        windows: Windows | None,
        seeds: "Seeds",
    ) -> None:
        self.t, self.role, self.edges, self.encoded = t, roles[t], edges, encoded
        self.featurizer, self.windows, self.cutoff_N = featurizer, windows, seeds.cutoff_N
        anchor_N = seeds.anchor_NT[:, anchor_of(roles, t)]
        own = roles[t].table == roles[0].table
        self.start, self.stop = edges.span(anchor_N, seeds.until_N, strict=own)
        self.missing = anchor_N < 0
        self.group_E = edges.parents()
        self.since = {"all": self.start, f"last {LAST_ROWS}": np.maximum(self.start, self.stop - LAST_ROWS)}
        if windows:
            for name, look_back in (("short", windows.short), ("long", windows.long)):
                _, low = edges.span(anchor_N, seeds.cutoff_N - look_back)
                self.since[name] = np.clip(low, self.start, self.stop)

    def features(self) -> Iterator[tuple[SummarySource, Values]]:
        """Every summary of the role with its source, NaN where there is nothing to say; [N] each.

        Rows reached by a last step to parents are as many, and as old, as the rows they were reached from: their
        counts and ages would say nothing new.
        """
        if self.role.path[-1].down:
            yield from self._counts()
            yield from self._ages()
        for n, column in enumerate(list(self.featurizer.numeric)[:MAX_NUMERIC]):
            yield from self._numeric(n, column)
        for k, column in enumerate(list(self.featurizer.vocabulary)[:MAX_CATEGORICAL]):
            yield from self._shares(k, column)

    def _named(
        self, column: str | None, statistic: str, words: str, values: Values
    ) -> tuple[SummarySource, Values]:
        label = f"{self.role.name}: {words}"
        source = SummarySource(role=self.t, column=column, statistic=statistic, label=label)
        return source, np.where(self.missing, np.nan, values)

    def _window_words(self, name: str) -> str:
        if name == "all" or self.windows is None:
            return ""
        if name in ("short", "long"):
            return f" (last {max(1, round(getattr(self.windows, name) / DAY))} days)"
        return f" ({name} rows)"

    def _counts(self) -> Iterator[tuple[SummarySource, Values]]:
        total = (self.stop - self.start).astype(np.float64)
        yield self._named(None, "count", "number of rows", total)
        for name in ("short", "long"):
            if name in self.since:
                count = (self.stop - self.since[name]).astype(np.float64)
                yield self._named(None, f"count {name}", f"number of rows{self._window_words(name)}", count)
        for name in ("short", "long"):
            if name in self.since:
                pace = self._pace((self.stop - self.since[name]).astype(np.float64), total, name)
                yield self._named(
                    None, f"pace {name}", f"pace against before{self._window_words(name)}", pace
                )

    def _ages(self) -> Iterator[tuple[SummarySource, Values]]:
        if self.windows is None or not len(self.edges.time_E):
            return
        filled = self.stop > self.start
        for words, position in (("last", self.stop - 1), ("first", self.start)):
            at = np.clip(position, 0, len(self.edges.time_E) - 1)
            age = (self.cutoff_N - self.edges.time_E[at]) / DAY
            yield self._named(
                None, f"age {words}", f"days since the {words} row", np.where(filled, age, np.nan)
            )

    def _numeric(self, n: int, column: str) -> Iterator[tuple[SummarySource, Values]]:
        scale = self.featurizer.numeric[column]
        values = np.clip(scale.clip(self.encoded.raw_RN[self.edges.child_E, n]), -LARGEST, LARGEST)
        there = ~np.isnan(values)
        seen = _counted(there)
        so_far = running(values, self.group_E)
        total = so_far.total
        means = {}
        for name, low in self.since.items():
            means[name] = _ratio(self._between(total, low), seen[self.stop] - seen[low])
            yield self._named(column, f"mean {name}", f"mean {column}{self._window_words(name)}", means[name])
        if "long" in self.since:
            recent = self._between(total, self.since["long"])
            everything = self._between(total, self.start)
            yield self._named(column, "sum all", f"sum of {column}", everything)
            yield self._named(column, "sum long", f"sum of {column}{self._window_words('long')}", recent)
            pace = self._pace(recent, everything, "long")
            words = f"sum of {column} per day against before{self._window_words('long')}"
            yield self._named(column, "pace long", words, pace)
            yield self._named(
                column,
                "change",
                f"mean {column} lately against before{self._window_words('long')}",
                means["long"] - means["all"],
            )
        last = self._latest(there)
        for statistic, known in (("last", values), ("min", so_far.low), ("max", so_far.high)):
            yield self._named(column, statistic, f"{statistic} {column}", _at(known, last))

    def _shares(self, k: int, column: str) -> Iterator[tuple[SummarySource, Values]]:
        codes = self.encoded.categorical_RK[self.edges.child_E, k]
        for j, word in enumerate(self.featurizer.vocabulary[column][:TOP_CATEGORIES]):
            hits = _counted(codes == FIRST + j)
            for name in ("all", "long"):
                if name in self.since:
                    low = self.since[name]
                    share = _ratio(hits[self.stop] - hits[low], self.stop - low)
                    words = f"share of {column} = {word}{self._window_words(name)}"
                    yield self._named(column, f"share {name} {word}", words, share)

    def _pace(self, recent: Values, everything: Values, name: str) -> Values:
        """Signed log of what came per day in the window against what came per day before it, both plus a little.

        The little is a tenth of the average, so that a silent window is far from a busy one and not infinitely far.
        """
        assert self.windows is not None
        window = getattr(self.windows, name) / DAY
        at = np.clip(self.start, 0, max(len(self.edges.time_E) - 1, 0))
        known = self.edges.time_E[at] if len(self.edges.time_E) else np.zeros(len(at), dtype=np.int64)
        before = np.maximum((self.cutoff_N - known) / DAY - window, 1.0)
        little = 0.1 * np.abs(everything) / (before + window) + 1e-12
        now, then = np.abs(recent) / window + little, np.abs(everything - recent) / before + little
        return np.where((self.stop > self.start) & (before > 1.0), np.log(now / then), np.nan)

    def _between(self, prefix: Values, low: Rows) -> Values:
        """The sum over [low, stop) of what `prefix` accumulates since the anchor's start."""
        if not len(prefix):
            return np.zeros(len(self.start))
        high = np.where(self.stop > self.start, prefix[np.maximum(self.stop - 1, 0)], 0.0)
        before = np.where(low > self.start, prefix[np.maximum(low - 1, 0)], 0.0)
        return high - before

    def _latest(self, there: npt.NDArray[np.bool_]) -> Rows:
        """The edge of the last readable row whose value is there, -1 where none is."""
        if not len(there):
            return np.full(len(self.start), -1, dtype=np.int64)
        latest = np.maximum.accumulate(np.where(there, np.arange(len(there)), -1))
        found = latest[np.maximum(self.stop - 1, 0)]
        return np.where((self.stop > self.start) & (found >= self.start), found, -1)


def _counted(hits: npt.NDArray[np.bool_]) -> Rows:
    """How many there are before each edge, and in all."""
    return np.concatenate([[0], np.cumsum(hits)])


def _at(values: Values, place: Rows) -> Values:
    """The values in these places, NaN for -1."""
    return np.where(place >= 0, values[place], np.nan) if len(values) else np.full(len(place), np.nan)


def _ratio(top: npt.NDArray[np.number[Any]], bottom: npt.NDArray[np.number[Any]]) -> Values:
    bottom = bottom.astype(np.float64)
    return np.divide(top, bottom, out=np.full(len(bottom), np.nan), where=bottom > 0)


def summarized_roles(roles: tuple[Role, ...]) -> list[int]:
    """The roles that have summaries: those reached by at least one step to children."""
    return [t for t, role in enumerate(roles) if not role.single]


def windows_to_dict(windows: Mapping[int, Windows | None]) -> dict[str, list[int] | None]:
    """JSON form of the windows by role number."""
    return {str(t): [w.short, w.long] if w else None for t, w in windows.items()}


def windows_from_dict(data: Mapping[str, list[int] | None]) -> dict[int, Windows | None]:
    """The windows that `windows_to_dict` wrote."""
    return {int(t): Windows(short=w[0], long=w[1]) if w else None for t, w in data.items()}
