"""The workbench's frame: pages, workspace and project status. Run with `streamlit run app.py`."""

from pathlib import Path

import streamlit as st

from nexusflow.services.jobs import in_background
from ui import state
from ui.checklist import show_checklist
from ui.navigation import sections
from ui.project import show_project
from ui.theme_watch import watch_theme

PICTURES = Path(__file__).parent / "ui"


@st.cache_resource(show_spinner=False)
def warm_up_training() -> None:
    """Load the training library behind the first page, so that it is there when it is wanted."""
    from nexusflow.services.training import warm_up

    in_background(warm_up, "warm-up")


# A picture of our own: Streamlit fetches the picture of a named icon from another server.
st.set_page_config(page_title="NexusFlow", page_icon=str(PICTURES / "icon.svg"), layout="wide")
st.logo(str(PICTURES / "logo.svg"), icon_image=str(PICTURES / "icon.svg"), size="large")
page = st.navigation(sections())
workspace = state.workspace()
state.manager()
state.begin_frame()
page.run()
with st.sidebar:
    show_checklist(workspace)
    show_project(workspace)
    watch_theme()
warm_up_training()
