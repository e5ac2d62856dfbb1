"""The smallest change of cells that takes an answer across a line, as the model would then say; no cause is claimed.

Fewest cells first, then the smallest Gower distance (Gower 1971), among values that the columns hold: a beam search
forward, backward elimination of what is not needed, and numbers drawn back towards what they were (cf. Wachter et al.
2017; Mothilal et al. 2020). What is reported was asked again by `what_if`. Nothing is drawn at random.
Axis letters: P states, O outputs.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from nexusflow.artifact import TrainedModel
from nexusflow.data.reader import Reader
from nexusflow.data.task import TaskKind
from nexusflow.errors import DataError
from nexusflow.explain.copies import Cell, Copies, State
from nexusflow.explain.cut_down import cut_down, take_as_held
from nexusflow.explain.domains import Domain, Value, domain, value_of
from nexusflow.explain.explanation import MOST_CELLS, CellChange, Flip, Flips, Floats, Wish
from nexusflow.explain.what_if import what_if

BUDGET = 4000
MOST_FOUND = 3
BEAM, WIDEST, OPTIONS, TRIED = 3, 30, 4, 8
SECTIONS = 12
# Answers differ in the last bits by what they are computed beside: so much nearer is no nearer.
MARGIN = 1e-5


class SearchStopped(Exception):
    """Raised where it was asked to stop."""


class _Spent(Exception):
    """The budget has ended."""


def smallest_changes(
    trained: TrainedModel,
    reader: Reader,
    index: int,
    wish: Wish,
    allowed: Mapping[str, Sequence[str]],
    *,
    budget: int = BUDGET,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda share: None,
) -> Flips:
    """Up to three smallest changes of an example's cells, each of other columns, that take its answer across the line.

    `allowed` are columns by role: of the example's own row under the first role's name, of the rows that it reads under
    the others'. Numbers and categories may change. `budget` is how many answers the search may ask for; drawing back
    what was found is on top. DataError where the line cannot be crossed by any answer; SearchStopped.
    """
    line = _Line(trained, wish)
    search = _Search(trained, reader, index, line, allowed, budget, should_stop, on_progress)
    found: list[Flip] = []
    spent, already = False, line.over(search.start[None])[0] > 0
    if not already:
        try:
            for flip in search.found():
                found.append(flip)
                if len(found) == MOST_FOUND:
                    break
        except _Spent:
            spent = True
    nearest = search.nearest() if not already and not found else None
    on_progress(1.0)
    return Flips(
        found=tuple(sorted(found, key=lambda flip: (len(flip.changes), flip.distance))),
        nearest=nearest,
        already=bool(already),
        value=line.value(search.start),
        cells=len(search.before),
        asked=search.asked,
        spent=spent,
    )


class _Line:
    """How far answers are over the wished line: log-odds, or standard deviations of the target; above 0 is beyond."""

    def __init__(self, trained: TrainedModel, wish: Wish) -> None:
        self.preprocessing, self.wish = trained.preprocessing, wish
        task = trained.preprocessing.task
        self.kind = task.kind
        if self.kind is TaskKind.REGRESSION:
            if not math.isfinite(wish.line):
                raise DataError("The value to be crossed must be a number.")
        elif not 0 <= wish.output < len(task.classes):
            raise DataError(f"There is no class {wish.output}; the classes are: {', '.join(task.classes)}.")
        elif self.kind is TaskKind.BINARY and not 0 < wish.line < 1:
            raise DataError(f"A probability to be crossed lies between 0 and 1; found {wish.line}.")

    def over(self, logit_PO: Floats) -> npt.NDArray[np.float64]:
        """How far each answer is over the line; [P]."""
        logit, wish = logit_PO.astype(np.float64), self.wish
        if self.kind is TaskKind.BINARY:
            sign = 1.0 if wish.output else -1.0
            return sign * logit[:, 0] - math.log(wish.line / (1 - wish.line))
        if self.kind is TaskKind.MULTICLASS:
            others = np.delete(logit, wish.output, axis=1)
            return logit[:, wish.output] - others.max(axis=1)
        value = self.preprocessing.unscale(logit)
        sign = 1.0 if wish.above else -1.0
        return sign * (value - wish.line) / self.preprocessing.target_std

    def value(self, logit_O: Floats) -> float:
        """What is shown of an answer: the probability of the wished class, or the value."""
        value = self.preprocessing.unscale(logit_O[None])[0]
        if self.kind is TaskKind.BINARY:
            return float(value if self.wish.output else 1 - value)
        return float(value[self.wish.output] if self.kind is TaskKind.MULTICLASS else value)

    def says(self, logit_O: Floats) -> int:
        """The class that is predicted; 0 where it is a value."""
        return int(logit_O[0] > 0) if self.kind is TaskKind.BINARY else int(logit_O.argmax())


class _Search:
    """The states that were asked about, and the ways from one to the next."""

    def __init__(
        self,
        trained: TrainedModel,
        reader: Reader,
        index: int,
        line: _Line,
        allowed: Mapping[str, Sequence[str]],
        budget: int,
        should_stop: Callable[[], bool],
        on_progress: Callable[[float], None],
    ) -> None:
        self.trained, self.reader, self.index, self.line = trained, reader, index, line
        self.budget, self.asked, self.free = budget, 0, False
        self.should_stop, self.on_progress = should_stop, on_progress
        self.before: dict[Cell, Value] = {}
        self.domains: dict[Cell, Domain] = {}
        self._cells(allowed)
        self.copies = Copies(trained, reader.tables, cut_down(reader, index))
        self.start = self.copies.logits([{}])[0]
        self.known: dict[frozenset[tuple[Cell, float]], float] = {}
        self.best: tuple[float, State] = (float(line.over(self.start[None])[0]), {})

    def _cells(self, allowed: Mapping[str, Sequence[str]]) -> None:
        """The cells that may change, each with its value and what it may hold instead."""
        roles = [role.name for role in self.reader.layout.roles]
        domains: dict[tuple[str, str], Domain | None] = {}
        read_TS = self.reader.context(np.array([self.index])).row_BTS[0]
        for name, columns in allowed.items():
            if name not in roles:
                raise DataError(f"There is no table role {name!r}; there are: {', '.join(roles)}.")
            slots = read_TS[roles.index(name)]
            table = self.reader.layout.roles[roles.index(name)].table
            rows = slots[slots >= 0]
            frame = take_as_held(self.reader.tables[table], rows)
            for column in columns:
                if (table, column) not in domains:
                    domains[table, column] = domain(self.reader, table, column)
                held = domains[table, column]
                if held is None:
                    continue
                for place, row in enumerate(rows):
                    cell = (table, int(row), column)
                    self.before[cell] = value_of(self.reader, table, column, frame[column].iloc[[place]])
                    self.domains[cell] = held

    def found(self) -> Iterable[Flip]:
        """Flips, each with other columns than those before and none of which another is a part."""
        columns: list[frozenset[tuple[str, str]]] = []
        waiting: list[frozenset[tuple[str, str]]] = [frozenset()]
        tried = set()
        while waiting:
            banned = waiting.pop(0)
            if banned in tried:
                continue
            tried.add(banned)
            flip = self._one({cell for cell in self.before if (cell[0], cell[2]) not in banned})
            if flip is None or any(known <= flip.columns or flip.columns <= known for known in columns):
                continue
            columns.append(flip.columns)
            yield flip
            waiting.insert(0, frozenset().union(*columns))
            waiting += [banned | {column} for column in sorted(flip.columns)]

    def nearest(self) -> Flip | None:
        """What came nearest, without what does not bring it nearer; None where nothing did."""
        over, state = self.best
        self.free = True
        for cell in sorted(state):
            less = {other: value for other, value in state.items() if other != cell}
            if less and self.over([less])[0] >= over - MARGIN:
                state = less
        return self._flip(state)[0] if state else None

    def over(self, states: Sequence[State]) -> npt.NDArray[np.float64]:
        """How far over the line each state is; [P]. What was asked before is known."""
        marks = [frozenset((cell, value.read) for cell, value in state.items()) for state in states]
        new = {mark: state for mark, state in zip(marks, states, strict=True) if mark not in self.known}
        waiting = list(new.items())
        for at in range(0, len(waiting), self.copies.at_once):
            if self.should_stop():
                raise SearchStopped
            if not self.free and self.asked >= self.budget:
                raise _Spent
            part = waiting[at : at + self.copies.at_once]
            over = self.line.over(self.copies.logits([state for _, state in part]))
            for (mark, state), value in zip(part, over, strict=True):
                self.known[mark] = float(value)
                if value > self.best[0] + MARGIN:
                    self.best = (float(value), state)
            self.asked += len(part)
            self.on_progress(min(0.99, self.asked / self.budget))
        return np.array([self.known[mark] for mark in marks])

    def _one(self, cells: set[Cell]) -> Flip | None:
        """The smallest change of these cells that crosses; None where none was found."""
        singles: list[State] = [
            {cell: value} for cell in sorted(cells) for value in self._candidates(cell, len(cells))
        ]
        if not singles:
            return None
        over = self.over(singles)
        order = np.argsort(-over, kind="stable")
        options: dict[Cell, list[Value]] = {}
        for place in order:
            ((cell, value),) = singles[place].items()
            if cell in options or len(options) < WIDEST:
                options.setdefault(cell, []).append(value)
        beam: list[State] = []
        states, tops = singles, over
        for size in range(1, MOST_CELLS + 1):
            if size > 1:
                states = self._extended(beam, options)
                if not states:
                    return None
                tops = self.over(states)
            crossing = [state for state, top in zip(states, tops, strict=True) if top > MARGIN]
            if flip := self._smallest(crossing):
                return flip
            beam = self._widest(states, tops)
        return None

    def _candidates(self, cell: Cell, cells: int) -> Sequence[Value]:
        """What the cell may hold instead; fewer where many cells may change."""
        held = self.domains[cell]
        values = [value for value in held.values if value.read != self.before[cell].read]
        most = max(2, self.budget // (2 * cells))
        if not held.numeric or len(values) <= most:
            return values[:most]
        return [
            values[place] for place in np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))
        ]

    def _extended(self, beam: Sequence[State], options: Mapping[Cell, Sequence[Value]]) -> list[State]:
        found = {}
        for state in beam:
            for cell, values in options.items():
                for value in values[:OPTIONS] if cell not in state else ():
                    wider = {**state, cell: value}
                    found[frozenset((c, v.read) for c, v in wider.items())] = wider
        return list(found.values())

    def _widest(self, states: Sequence[State], over: npt.NDArray[np.float64]) -> list[State]:
        """The states that came furthest, no two of the same cells."""
        chosen: dict[frozenset[Cell], State] = {}
        for place in np.argsort(-over, kind="stable"):
            chosen.setdefault(frozenset(states[place]), states[place])
            if len(chosen) == BEAM:
                break
        return list(chosen.values())

    def _smallest(self, crossing: Sequence[State]) -> Flip | None:
        """Of these states, drawn back as far as the line allows, the smallest that what-if says crosses."""
        self.free = True
        nearest: dict[frozenset[Cell], State] = {}
        for state in sorted(crossing, key=self._distance):
            nearest.setdefault(frozenset(state), state)
        drawn = [self._drawn_back(state) for state in list(nearest.values())[:TRIED]]
        self.free = False
        for state in sorted(drawn, key=lambda state: (len(state), self._distance(state))):
            flip, over = self._flip(state)
            if over > 0:
                return flip
        return None

    def _drawn_back(self, state: State) -> State:
        """The state without cells that it does not need, and with numbers as near to what they were as may be."""
        while True:
            state = self._shrunk(self._eliminated(state))
            less = self._eliminated(state)
            if len(less) == len(state):
                return state
            state = less

    def _eliminated(self, state: State) -> State:
        while len(state) > 1:
            less = [{c: v for c, v in state.items() if c != cell} for cell in sorted(state)]
            crossing = [one for one, top in zip(less, self.over(less), strict=True) if top > MARGIN]
            if not crossing:
                return state
            state = min(crossing, key=self._distance)
        return state

    def _shrunk(self, state: State) -> State:
        """Each number drawn back, the one that is furthest first, by sections of the way that is left."""
        furthest = sorted(state, key=lambda cell: -self.domains[cell].apart(self.before[cell], state[cell]))
        for cell in furthest:
            held, low = self.domains[cell], self.before[cell]
            while held.numeric and not low.missing:
                shares = [part / SECTIONS for part in range(1, SECTIONS)]
                between = held.between(low, state[cell], shares)
                tops = self.over([{**state, cell: value} for value in between])
                first = next((at for at, top in enumerate(tops) if top > MARGIN), len(between))
                if not between:
                    break
                state = {**state, cell: between[first]} if first < len(between) else state
                low = between[first - 1] if first else low
        return state

    def _distance(self, state: State) -> float:
        return sum(self.domains[cell].apart(self.before[cell], value) for cell, value in state.items())

    def _flip(self, state: State) -> tuple[Flip, float]:
        """The state as changes of cells, asked again as edits are, and how far it is over the line."""
        changes = tuple(
            CellChange(table=t, row=row, column=c, before=self.before[t, row, c].held, after=value.held)
            for (t, row, c), value in sorted(state.items())
        )
        flip = Flip(changes=changes, value=0.0, says=0, distance=self._distance(state))
        _, said = what_if(self.trained, self.reader, self.index, flip.edits)
        over = float(self.line.over(said.logit_O[None])[0])
        value, says = self.line.value(said.logit_O), self.line.says(said.logit_O)
        return Flip(changes=changes, value=value, says=says, distance=flip.distance), over
