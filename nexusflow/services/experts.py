"""What Interpret shows of a mixture of experts: which serves which role, how even the load is, and of which rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from nexusflow.services.insight import Insight
from nexusflow.services.segments import Split, segments

# Below this part of an even share an expert is said to be hardly used.
HARDLY = 0.25


@dataclass(frozen=True, kw_only=True)
class ExpertsView:
    """The experts over `rows` rows.

    `shares` has a line per role and a column per expert; each line sums to one, and is NaN where the role stands in
    none of the rows. `load` has a line per expert: expert, share (they sum to one) and chosen, how often it is among
    those that the router picks. `even` is the share of each if all did alike; `idle` names those hardly used.
    """

    shares: pd.DataFrame
    load: pd.DataFrame
    even: float
    idle: tuple[str, ...]
    sentence: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class SegmentExperts:
    """Segments x experts: each expert's share of the work; lines sum to one.

    By line: how many `rows` were looked at, of how many (`sizes`), and whether they are too `few` to say much.
    `without` names the segments without any row in which there is something to serve.
    """

    shares: pd.DataFrame
    rows: tuple[int, ...]
    sizes: tuple[int, ...]
    few: tuple[bool, ...]
    without: tuple[str, ...]


def experts(
    insight: Insight,
    rows: Sequence[int] | None = None,
    *,
    iteration: int | None = None,
    block: int | None = None,
) -> ExpertsView | None:
    """The experts over these rows (a sample by default), of one pass and block (from 1) or averaged; None where the
    network has none, or where no row used this pass.
    """
    from nexusflow.explain.experts import expert_load, expert_shares
    from nexusflow.explain.passes import used_passes

    maps = insight.maps(rows)
    share_TE = expert_shares(maps, iteration=iteration, block=block)
    load = expert_load(maps, iteration=iteration, block=block)
    used = int(used_passes(maps, iteration).any(axis=0).sum())
    if share_TE is None or load is None or not used:
        return None
    names, whole = expert_names(share_TE.shape[1]), rows is None and iteration is None and block is None
    even = 1.0 / len(names)
    idle = tuple(name for name, share in zip(names, load[0], strict=True) if share < HARDLY * even)
    return ExpertsView(
        shares=pd.DataFrame(share_TE, index=list(insight.roles), columns=names),
        load=pd.DataFrame({"expert": names, "share": load[0], "chosen": load[1]}),
        even=even,
        idle=idle,
        sentence=_sentence(names, load[0], idle, whole=whole),
        rows=used,
    )


def experts_by_segment(
    insight: Insight,
    split: Split,
    *,
    iteration: int | None = None,
    block: int | None = None,
    role: str | None = None,
) -> SegmentExperts | None:
    """Who serves each segment of a split, in all roles or in one; None where the network has no experts."""
    from nexusflow.explain.experts import expert_load

    at = None if role is None else insight.role_number(role)
    lines, shown, without = [], [], []
    for segment in segments(insight, split):
        load = None
        if segment.rows:
            load = expert_load(insight.maps(segment.rows), iteration=iteration, block=block, role=at)
            if load is None:
                return None
        if load is None or np.isnan(load[0]).any():
            without.append(segment.name)
            continue
        lines.append(load[0])
        shown.append(segment)
    names = expert_names(len(lines[0]) if lines else 0)
    return SegmentExperts(
        shares=pd.DataFrame(lines, index=[s.name for s in shown], columns=names),
        rows=tuple(len(s.rows) for s in shown),
        sizes=tuple(s.size for s in shown),
        few=tuple(s.few for s in shown),
        without=tuple(without),
    )


def expert_names(count: int) -> list[str]:
    """The experts' names, numbered from 1."""
    return [f"Expert {n}" for n in range(1, count + 1)]


def _sentence(names: Sequence[str], share_E: np.ndarray, idle: tuple[str, ...], *, whole: bool) -> str:
    """In words; only what holds of all rows, passes and blocks together (`whole`) speaks of the network itself."""
    even = f"an even share is {1 / len(names):.0%}"
    least, most = float(np.min(share_E)), float(np.max(share_E))
    if not idle:
        return f"All {len(names)} experts are used: they do from {least:.0%} to {most:.0%} of the work each; {even}."
    verb = "is" if len(idle) == 1 else "are"
    does = ", ".join(f"{share_E[names.index(name)]:.1%}" for name in idle)
    many = " each in turn" if len(idle) > 1 else ""
    listed = idle[0] if len(idle) == 1 else f"{', '.join(idle[:-1])} and {idle[-1]}"
    return f"{listed} {verb} hardly used: {does} of the work{many}, where {even}. " + (
        "Fewer experts may do as well; their number is set on the Model page."
        if whole
        else "Who is idle here may work elsewhere: this is of the rows, pass and block that were chosen."
    )
