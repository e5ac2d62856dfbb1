"""The pages of the workbench: their names, icons and order, and the ways from one to another."""

from dataclasses import dataclass

import streamlit as st

from ui import state


@dataclass(frozen=True, kw_only=True)
class Screen:
    """A page: the name of its file and address, its title, its icon, and the section it stands in."""

    name: str
    title: str
    icon: str
    section: str

    @property
    def file(self) -> str:
        """The page's script, relative to app.py."""
        return f"pages/{self.name}.py"


SCREENS = (
    Screen(name="data", title="Data", icon=":material/database:", section="Data"),
    Screen(name="schema", title="Schema", icon=":material/schema:", section="Data"),
    Screen(name="task", title="Task", icon=":material/target:", section="Task & model"),
    Screen(name="model", title="Model", icon=":material/tune:", section="Task & model"),
    Screen(name="train", title="Train", icon=":material/play_circle:", section="Task & model"),
    Screen(name="interpret", title="Interpret", icon=":material/insights:", section="Understand"),
    Screen(name="predict", title="Predict", icon=":material/output:", section="Understand"),
    Screen(name="models", title="Models", icon=":material/inventory_2:", section="Models"),
)


def screen(name: str) -> Screen:
    """The page of this name."""
    return next(one for one in SCREENS if one.name == name)


def sections() -> dict[str, list[st.Page]]:
    """The pages by section, in reading order, as `st.navigation` wants them."""
    grouped: dict[str, list[st.Page]] = {}
    for one in SCREENS:
        first = one is SCREENS[0]
        address = "start" if first else one.name
        page = st.Page(one.file, title=one.title, icon=one.icon, url_path=address, default=first)
        grouped.setdefault(one.section, []).append(page)
    # The default page is at the root alone, but whoever knows the other addresses will try one like theirs.
    named = st.Page(_start, title=SCREENS[0].title, url_path=SCREENS[0].name, visibility="hidden")
    grouped[SCREENS[0].section].append(named)
    return grouped


def _start() -> None:
    go_to(SCREENS[0].name)


def go_to(name: str) -> None:
    """Open a page, keeping the workspace in the address; the script ends here."""
    state.head_for(name)
    st.switch_page(screen(name).file, query_params=state.address())


def link_to(name: str, label: str) -> None:
    """A link to a page, keeping the workspace in the address."""
    st.page_link(screen(name).file, label=label, icon=screen(name).icon, query_params=state.address())
