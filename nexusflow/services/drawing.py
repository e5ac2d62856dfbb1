"""How a schema is drawn and how it came about, as a file of the workspace: places, view, history, what was received."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.services.history import History, Place, Sheet, Step
from nexusflow.services.storage import read_json, write_json

log = logging.getLogger(__name__)

DRAWING_FILE = "drawing.json"
CLIENTS_KEPT = 20
REFUSALS_KEPT = 20


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An operation of a browser tab that could not be done, and why."""

    client: str
    seq: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """`places` are the cards' upper left corners, `view` is the middle of what is seen and its
    width (x, y, width), `folded` the cards that show keys only.

    `declined` are suggestions turned down. `acked` is the last operation received per browser tab, the latest tab
    at the end.
    """

    places: Mapping[str, Place] = field(default_factory=dict)
    view: tuple[float, float, float] | None = None
    folded: Mapping[str, bool] = field(default_factory=dict)
    declined: tuple[ForeignKey, ...] = ()
    history: History = field(default_factory=History)
    acked: Mapping[str, int] = field(default_factory=dict)
    refused: tuple[Refusal, ...] = ()

    def sheet(self, schema: Schema) -> Sheet:
        """What undo and redo speak of, with this schema."""
        return Sheet(schema=schema, places=self.places, declined=self.declined)

    def with_sheet(self, sheet: Sheet) -> "Drawing":
        """The drawing with the places and the declined suggestions of a sheet."""
        return replace(self, places=sheet.places, declined=sheet.declined)

    def recorded(self, before: Sheet, after: Sheet) -> "Drawing":
        """The drawing after this change, which can be taken back."""
        return replace(self.with_sheet(after), history=self.history.record(before, after))

    def received(self, client: str, seq: int) -> "Drawing":
        """The drawing with this operation of a tab noted as received."""
        acked = {name: last for name, last in self.acked.items() if name != client}
        acked[client] = seq
        return replace(self, acked=dict(list(acked.items())[-CLIENTS_KEPT:]))

    def with_refusal(self, refusal: Refusal) -> "Drawing":
        """The drawing with this refusal to be told."""
        return replace(self, refused=(*self.refused, refusal)[-REFUSALS_KEPT:])

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and dicts, as `from_dict` reads them."""
        return {
            "places": {name: list(place) for name, place in self.places.items()},
            "view": self.view,
            "folded": dict(self.folded),
            "declined": [vars(key) for key in self.declined],
            "done": [step.to_list() for step in self.history.done],
            "undone": [step.to_list() for step in self.history.undone],
            "acked": dict(self.acked),
            "refused": [vars(refusal) for refusal in self.refused],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Drawing":
        """The drawing that `to_dict` wrote."""
        history = History(
            done=tuple(Step.from_list(step) for step in data["done"]),
            undone=tuple(Step.from_list(step) for step in data["undone"]),
        )
        return cls(
            places={name: (x, y) for name, (x, y) in data["places"].items()},
            view=tuple(data["view"]) if data["view"] else None,
            folded=dict(data["folded"]),
            declined=tuple(_key(key) for key in data["declined"]),
            history=history,
            acked=dict(data["acked"]),
            refused=tuple(Refusal(**refusal) for refusal in data["refused"]),
        )


def read_drawing(folder: Path) -> Drawing:
    """The drawing kept in the folder; a new one where there is none or it cannot be read."""
    data = read_json(folder / DRAWING_FILE)
    try:
        return Drawing() if data is None else Drawing.from_dict(data)
    except (KeyError, TypeError, ValueError) as error:
        log.warning("a drawing cannot be read and is begun anew: %s", type(error).__name__)
        return Drawing()


def write_drawing(folder: Path, drawing: Drawing) -> None:
    """Keep the drawing in the folder."""
    write_json(folder / DRAWING_FILE, drawing.to_dict())


def _key(data: Mapping[str, Any]) -> ForeignKey:
    columns = {side: tuple(data[side]) for side in ("child_columns", "parent_columns")}
    return ForeignKey(child_table=data["child_table"], parent_table=data["parent_table"], **columns)
