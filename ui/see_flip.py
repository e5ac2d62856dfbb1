"""Interpret, one row: the smallest change of cells with which the model would say something else."""

from collections.abc import Mapping, Sequence

import streamlit as st

from nexusflow.data.task import Task, TaskKind
from nexusflow.explain.explanation import MOST_CELLS, CellChange, Flip, Flips, Wish
from nexusflow.services.counterfactual import changeable, find_flips, flip_frame, usual_wish
from nexusflow.services.insight import Insight
from nexusflow.services.words import short_value
from ui import state
from ui.escape import code, counted, plain, shorten
from ui.figure import csv_button
from ui.grid import printable
from ui.problems import attempt

Allowed = Mapping[str, Sequence[str]]


def show_flip(insight: Insight, task: Task, row: int, predicted: object) -> None:
    """What may change and which line is to be crossed; the search, on request; and what it found."""
    st.markdown("**What smallest change flips it?**")
    st.caption(
        "Looks for the fewest cells, and the smallest change of them, with which the model would answer otherwise. It "
        "says how the model reads such a row, not what would happen if somebody changed it."
    )
    may = changeable(insight, row)
    if not may:
        st.caption("Nothing that it was read from is a number or a category that could change.")
        return
    place = f"{insight.run_id}_{row}"
    wish = _wish(task, usual_wish(insight, row), predicted, place)
    allowed = _allowed(insight, may, place)
    question = (place, wish, tuple((role, tuple(columns)) for role, columns in allowed.items()))
    wanted = f"flip:{question}"
    st.button(
        "Find the smallest change",
        key="find_flip",
        type="primary",
        icon=":material/flip:",
        on_click=state.want,
        args=(wanted,),
    )
    if state.flips(question) is None and state.is_wanted(wanted):
        _search(insight, row, wish, allowed, question, wanted)
    found = state.flips(question)
    if found is not None:
        _told(insight, task, row, wish, found)


def _wish(task: Task, usual: Wish, predicted: object, place: str) -> Wish:
    """The fields that say which line is to be crossed."""
    left, right, _ = st.columns([1, 1, 1])
    if task.kind is TaskKind.REGRESSION:
        sides = ["above", "below"]
        above = left.selectbox("The value should be", sides, format_func=str.capitalize, key=f"flip_{place}")
        line = right.number_input("This value", value=usual.line, format="%g", key=f"flip_line_{place}")
        return Wish(line=float(line), above=above == sides[0])
    options = list(range(len(task.classes)))
    if task.kind is TaskKind.MULTICLASS:
        options = [number for number in options if task.classes[number] != str(predicted)]
    output = left.selectbox(
        "The model should say",
        options,
        index=options.index(usual.output) if usual.output in options else 0,
        format_func=lambda number: plain(shorten(task.classes[number], 40)),
        key=f"flip_{place}",
    )
    if task.kind is TaskKind.MULTICLASS:
        return Wish(output=output)
    line = right.number_input(
        "With a probability above (%)", 1.0, 99.0, 50.0, 5.0, format="%g", key=f"flip_line_{place}"
    )
    return Wish(output=output, line=float(line) / 100)


def _allowed(insight: Insight, may: Allowed, place: str) -> dict[str, list[str]]:
    """The columns that may change, by role: of the row itself, and of what it reads where that is asked for."""
    own = insight.roles[0]
    others = st.toggle(
        "Let the related rows that it reads change as well",
        value=own not in may,
        disabled=own not in may or len(may) == 1,
        help="A related row may be read by other answers too; theirs are not looked at.",
        key=f"flip_others_{place}",
    )
    options = [(role, column) for role, columns in may.items() for column in columns if others or role == own]
    chosen = st.multiselect(
        "Columns that may change",
        options,
        placeholder="All numbers and categories",
        format_func=lambda one: plain(one[1]) if one[0] == own else f"{plain(one[1])} ({plain(one[0])})",
        key=f"flip_columns_{place}_{others}",
    )
    found: dict[str, list[str]] = {}
    for role, column in chosen or options:
        found.setdefault(role, []).append(column)
    return found


def _search(
    insight: Insight, row: int, wish: Wish, allowed: Allowed, question: tuple[object, ...], wanted: str
) -> None:
    """Search with a bar, and a button that ends it: a click runs the page again, which the bar gives way to."""
    shown = st.empty()
    with shown.container(horizontal=True, vertical_alignment="center"):
        bar = st.progress(0.0, text="Asking the model…")
        st.button(
            "Stop", key="stop_flip", icon=":material/stop_circle:", on_click=state.unwant, args=(wanted,)
        )
    found: list[Flips] = []
    attempt(
        lambda: found.append(
            find_flips(
                insight,
                row,
                wish,
                allowed,
                on_progress=lambda share: bar.progress(share, text="Asking the model…"),
            )
        )
    )
    shown.empty()
    state.unwant(wanted)
    if found:
        state.keep_flips(question, found[0])


def _told(insight: Insight, task: Task, row: int, wish: Wish, flips: Flips) -> None:
    if flips.already:
        st.success(
            f"No change is needed: the model already says {said(task, wish, flips.value)}.",
            icon=":material/check_circle:",
        )
        return
    if not flips.found:
        st.info(not_found(task, wish, flips), icon=":material/search_off:")
    for number, flip in enumerate(flips.found or ([flips.nearest] if flips.nearest else [])):
        _one(insight, task, row, wish, flips, flip, number)
    how = (
        f"{counted(flips.cells, 'cell')} could change; the model was asked {counted(flips.asked, 'time')}. New "
        "numbers are among those that training rows showed, or between them and what stands there; categories are "
        "those of the table; keys, texts and times stay. "
        "Small means few cells, then a short Gower distance: numbers in interquartile ranges, a category 1."
    )
    ended = " The search ended with its budget, so that there may be smaller ones." if flips.spent else ""
    st.caption(how + (ended if flips.found else ""))


def _one(insight: Insight, task: Task, row: int, wish: Wish, flips: Flips, flip: Flip, number: int) -> None:
    with st.container(border=True):
        st.markdown(sentence(task, wish, flips, flip))
        frame = flip_frame(flip)
        shown = frame.assign(**{end: [short_value(value) for value in frame[end]] for end in ("from", "to")})
        # Where the page is narrow, what is cut off is what the sentence has said.
        shown = shown[["column", "from", "to", "table", "row"]]
        st.dataframe(printable(shown), hide_index=True, key=f"flip_cells_{number}")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Try it in the what-if editor",
                key=f"try_flip_{number}",
                icon=":material/edit_note:",
                on_click=state.try_flip,
                args=(insight.run_id, row, flip),
            )
            csv_button(frame, key=f"flip_{number}")
            st.caption(f"Distance {flip.distance:.2f}")


def said(task: Task, wish: Wish, value: float) -> str:
    """An answer in words, by the class that is wished for."""
    if task.kind is TaskKind.REGRESSION:
        return f"{value:,.4g}"
    return f"{code(shorten(task.classes[wish.output], 40))} with a probability of {percent(value, wish)}"


def percent(value: float, wish: Wish) -> str:
    """A probability, with as many digits as tell it from the line."""
    digits = 1
    while digits < 5 and round(100 * value, digits) == round(100 * wish.line, digits):
        digits += 1
    return f"{value:.{digits}%}"


def sentence(task: Task, wish: Wish, flips: Flips, flip: Flip) -> str:
    """What the model would say with which cells, in Markdown."""
    changes = [
        f"{code(change.column)}{_where(task, change)} at {code(short_value(change.after))} instead of "
        f"{code(short_value(change.before))}"
        for change in flip.changes
    ]
    together = changes[0] if len(changes) == 1 else f"{', '.join(changes[:-1])} and {changes[-1]}"
    if task.kind is TaskKind.REGRESSION:
        return f"With {together}, the model would say **{flip.value:,.4g}** (now {flips.value:,.4g})."
    named = code(shorten(task.classes[flip.says], 40))
    would = f"the model would say {named}"
    if flip.says != wish.output:
        would = f"the model would still say {named}, and {code(shorten(task.classes[wish.output], 40))}"
    return (
        f"With {together}, {would} with a probability of **{percent(flip.value, wish)}** "
        f"(now {percent(flips.value, wish)})."
    )


def _where(task: Task, change: CellChange) -> str:
    """Which row a cell is of, where it is not the one that is asked about, or may not be."""
    return "" if change.table == task.entity_table else f" of {code(change.table)} row {change.row + 1:,}"


def not_found(task: Task, wish: Wish, flips: Flips) -> str:
    """That nothing was found, how far was looked, and what follows, in Markdown."""
    if task.kind is TaskKind.REGRESSION:
        line = f"a value {'above' if wish.above else 'below'} {wish.line:,.4g}"
    else:
        line = code(shorten(task.classes[wish.output], 40))
        line += f" with a probability above {100 * wish.line:g} %" if task.kind is TaskKind.BINARY else ""
    if not flips.cells:
        return "None of these columns has another value to choose from. Let other columns change."
    searched = (
        "before the search's budget ended"
        if flips.spent
        else f"by changing up to {counted(min(flips.cells, MOST_CELLS), 'cell')}"
    )
    ending = (
        "This came nearest:"
        if flips.nearest
        else "No change of them brings it nearer. Let other columns change, or the related rows."
    )
    return (
        f"Nothing within these columns was found {searched} with which the model would say {line}. {ending}"
    )
