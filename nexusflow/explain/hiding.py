"""What the model says with some of what it reads hidden, as training hid it: tables or columns.

Axis letters: G groups that can be hidden, K questions (each hides some groups), N and B rows, T roles, O outputs.
"""

from collections.abc import Callable, Set
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from nexusflow.artifact import TrainedModel
from nexusflow.data.batch import Batch
from nexusflow.data.reader import Reader
from nexusflow.explain.explanation import ROWS, Floats
from nexusflow.nn.embed import Tokens
from nexusflow.nn.masking import nothing_hidden
from nexusflow.nn.output import EncoderOutput

BATCH = 256
Bools = npt.NDArray[np.bool_]
Keys = Set[tuple[str, str]]


class HidingStopped(Exception):
    """Raised where it was asked to stop."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Groups of whole roles, by name; `hides_GT` says which roles each hides (of role 0 only the row's own cells)."""

    names: tuple[str, ...]
    hides_GT: Bools

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Each group's table role, and no column."""
        return tuple((name, "") for name in self.names)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Groups of one uploaded column each: (table, column), wherever the model reads it; what the related rows of a
    table say by being there goes by the column ROWS."""

    keys: tuple[tuple[str, str], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Table and column in one."""
        return tuple(f"{table}: {column}" for table, column in self.keys)

    def in_rows(self, hidden_G: Bools) -> Keys:
        """The columns that are hidden from the encoders."""
        return {self.keys[g] for g in np.flatnonzero(hidden_G)}

    beside_rows = in_rows


@dataclass(frozen=True, kw_only=True)
class Ways:
    """Groups of ways by which columns reach the answers, each with a name for its table: the columns that it hides
    `rows` from the encoders, and `beside` them, in summaries and in what the row's own cells say each by itself."""

    keys: tuple[tuple[str, str], ...]
    rows: tuple[Keys, ...]
    beside: tuple[Keys, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Table and way in one."""
        return tuple(f"{table}: {way}" for table, way in self.keys)

    def in_rows(self, hidden_G: Bools) -> Keys:
        """The columns that are hidden from the encoders."""
        return {key for g in np.flatnonzero(hidden_G) for key in self.rows[g]}

    def beside_rows(self, hidden_G: Bools) -> Keys:
        """The columns that are hidden beside them."""
        return {key for g in np.flatnonzero(hidden_G) for key in self.beside[g]}


Groups = Roles | Columns | Ways


def roles(reader: Reader) -> Roles:
    """Every role by itself."""
    layout = reader.layout.roles
    return Roles(names=tuple(role.name for role in layout), hides_GT=np.eye(len(layout), dtype=bool))


def relation_paths(reader: Reader) -> Roles:
    """Every role but the row itself, with all roles that are reached through it: what goes if its relation does."""
    layout = reader.layout.roles
    hides_GT = np.zeros((len(layout) - 1, len(layout)), dtype=bool)
    for t in range(1, len(layout)):
        above = t
        while above:
            hides_GT[above - 1, t] = True
            above = layout[above].parent
    return Roles(names=tuple(role.name for role in layout[1:]), hides_GT=hides_GT)


def columns(reader: Reader) -> Columns:
    """Every column that the model reads as cells or summaries, by table in the layout's order."""
    layout = reader.layout
    used = {role.table for role in layout.roles}
    found = [
        (name, column) for name, table in layout.tables.items() if name in used for column in table.columns
    ]
    sources = {(layout.roles[s.role].table, s.column or ROWS) for s in reader.summary_source()}
    return Columns(keys=tuple(found) + tuple(sorted(sources - set(found))))


def said(
    trained: TrainedModel,
    reader: Reader,
    index_N: npt.NDArray[np.int64],
    groups: Groups,
    hidden_KG: Bools,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Floats:
    """The logits [K, N, O] of these examples with the groups of each question hidden.

    What nothing hides is encoded once for all questions. HidingStopped where it was asked to stop.
    """
    answers = []
    with torch.inference_mode():
        for at in range(0, len(index_N), BATCH):
            part = _Part(trained, reader, index_N[at : at + BATCH])
            found = []
            for number, hidden_G in enumerate(hidden_KG):
                if should_stop():
                    raise HidingStopped
                found.append(part.logits(groups, hidden_G))
                done = at + len(part.index) * (number + 1) / len(hidden_KG)
                on_progress(min(1.0, done / len(index_N)))
            answers.append(np.stack(found))
    return np.concatenate(answers, axis=1)


def said_of_one(
    trained: TrainedModel,
    reader: Reader,
    row: int,
    groups: Roles,
    hidden_KG: Bools,
    *,
    at_once: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Floats:
    """The logits [K, O] of one example with the groups of each question hidden, `at_once` questions side by side.

    HidingStopped where it was asked to stop.
    """
    at_once, answers = at_once or BATCH, []
    hide_KT = torch.from_numpy(hidden_KG @ groups.hides_GT)
    with torch.inference_mode():
        for hide_BT in hide_KT.split(at_once):
            if should_stop():
                raise HidingStopped
            answers.append(_Part(trained, reader, np.full(len(hide_BT), row)).without_roles(hide_BT))
    return np.concatenate(answers)


class _Part:
    """One batch, encoded once."""

    def __init__(self, trained: TrainedModel, reader: Reader, index: npt.NDArray[np.int64]) -> None:
        self.model, self.reader, self.index = trained.model, reader, index
        self.batch: Batch = reader.batch(index).to(next(trained.model.parameters()).device)
        self.tokens = self.model.tokens(self.batch)
        self.rows = self.model.encode(self.tokens)

    def logits(self, groups: Groups, hidden_G: Bools) -> Floats:
        """[B, O]."""
        if isinstance(groups, Roles):
            hide_T = torch.from_numpy(groups.hides_GT[hidden_G].any(axis=0))
            return self.without_roles(hide_T.expand(self.batch.size, -1))
        tokens, rows = self._without(groups.in_rows(hidden_G), groups.beside_rows(hidden_G))
        output = self.model(self.batch, tokens=tokens, rows=rows)
        return np.asarray(output.logit_BO.float().cpu().numpy())

    def without_roles(self, hide_BT: torch.Tensor) -> Floats:
        """[B, O], with these roles of each example hidden."""
        hide_BT = hide_BT.to(self.batch.target_B.device)
        output = self.model(self.batch, rows=self.rows, hide_BT=hide_BT)
        return np.asarray(output.logit_BO.float().cpu().numpy())

    def _without(self, in_rows: Keys, beside: Keys) -> tuple[Tokens, dict[str, EncoderOutput]]:
        """Tokens, with the columns that are hidden beside the rows missing, and rows encoded without others."""
        tokens = self._tokens(beside)
        layout = self.reader.layout.tables
        changed = {name for name, column in in_rows if name in layout and column in layout[name].columns}
        if not changed:
            return tokens, self.rows
        read = tokens if in_rows == beside else self._tokens(in_rows)
        return tokens, {**self.rows, **self.model.encode(read, changed)}

    def _tokens(self, keys: Keys) -> Tokens:
        """The cells and summaries with these columns missing."""
        layout, hidden = self.reader.layout, nothing_hidden(self.batch)
        cells = dict(hidden.cells)
        for name, table in layout.tables.items():
            gone = torch.tensor([(name, column) in keys for column in table.columns], dtype=torch.bool)
            if gone.any():
                cells[name] = cells[name] | gone.to(cells[name].device)
        sources = self.reader.summary_source()
        gone_A = torch.tensor([(layout.roles[s.role].table, s.column or ROWS) in keys for s in sources])
        summaries = hidden.summaries_BA | gone_A.to(hidden.summaries_BA.device, torch.bool)
        return self.model.tokens(self.batch, replace(hidden, cells=cells, summaries_BA=summaries))
