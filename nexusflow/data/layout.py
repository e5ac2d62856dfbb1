"""What the network must know of the data to be built: sizes and names, no values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

TIME_FEATURES = 8
TEXT_FEATURES = 32


@dataclass(frozen=True, kw_only=True)
class TableLayout:
    """The columns of a table as the network sees them, in the order numeric, categorical, timestamp, text.

    `cardinality` holds, per categorical column, the number of codes (missing and unknown included).
    """

    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    cardinality: tuple[int, ...] = ()
    timestamp: tuple[str, ...] = ()
    text: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column in token order; its length is C_t, and 0 is legal."""
        return self.numeric + self.categorical + self.timestamp + self.text


@dataclass(frozen=True, kw_only=True)
class RoleLayout:
    """One role: its display name, table, parent role and path length, and its slice of the summary features.

    `relation` is a number equal for roles reached over the same foreign key in the same direction.
    """

    name: str
    table: str
    parent: int
    hops: int
    single: bool
    relation: int
    summary_start: int
    summary_stop: int


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Everything `NexusFormer` needs to be built for a database and a task.

    `slots` is S; `outputs` is O; `summary_names` has length A.
    """

    tables: Mapping[str, TableLayout]
    roles: tuple[RoleLayout, ...]
    slots: int
    outputs: int
    summary_names: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, as `from_dict` reads them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Layout":
        """The layout that `to_dict` wrote."""
        tables = {n: TableLayout(**{k: tuple(v) for k, v in t.items()}) for n, t in data["tables"].items()}
        return cls(
            tables=tables,
            roles=tuple(RoleLayout(**r) for r in data["roles"]),
            slots=data["slots"],
            outputs=data["outputs"],
            summary_names=tuple(data["summary_names"]),
        )
