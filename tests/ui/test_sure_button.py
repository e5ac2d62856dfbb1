"""A click is answered once, whatever overtakes the run that it started."""

from streamlit.testing.v1 import AppTest


def overtaken() -> None:
    """A page whose second run, that of the click, ends before it comes to the button."""
    import streamlit as st

    from ui.sure_button import sure_button

    runs = st.session_state["runs"] = st.session_state.get("runs", 0) + 1
    if runs == 2:
        st.rerun()
    if sure_button("Accept", key="accept"):
        st.session_state["answered"] = st.session_state.get("answered", 0) + 1


def test_a_click_outlives_the_run_that_it_started() -> None:
    app = AppTest.from_function(overtaken).run()
    app.button(key="accept").click().run()
    assert app.session_state["runs"] == 3
    assert app.session_state["answered"] == 1
    app.run()
    assert app.session_state["answered"] == 1


def test_a_click_that_nobody_answers_grows_old(monkeypatch) -> None:
    from ui import state

    held: dict = {}
    monkeypatch.setattr(state.st, "session_state", held)
    now = [100.0]
    monkeypatch.setattr(state.time, "monotonic", lambda: now[0])
    state.note_click("fix")
    now[0] += state.CLICK_SECONDS
    assert not state.was_clicked("fix")
