from streamlit.testing.v1 import AppTest


def page() -> None:
    import streamlit as st

    from ui.figure import choose_pictures, renderer

    if st.toggle("Another page", key="elsewhere"):
        st.text(renderer())
    else:
        choose_pictures()
        st.text(renderer())


def test_charts_are_saved_as_was_chosen_on_every_page() -> None:
    app = AppTest.from_function(page).run(timeout=60)
    assert not app.exception and app.text[0].value == "canvas"
    app.get("button_group")[0].set_value("SVG").run(timeout=60)
    assert not app.exception and app.text[0].value == "svg"
    app.toggle(key="elsewhere").set_value(True).run(timeout=60)
    assert app.text[0].value == "svg"
    app.toggle(key="elsewhere").set_value(False).run(timeout=60)
    assert app.text[0].value == "svg"
