from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from nexusflow.errors import Problem, Severity
from ui.problems import problem_text

EVIL = "![x](http://evil.example/p.png)"


def test_every_part_of_a_problem_is_shown_as_text() -> None:
    problem = Problem(
        severity=Severity.ERROR, message=EVIL, fix=EVIL, file=EVIL, table=EVIL, column=EVIL, row=3
    )
    (_, inline, _) = MarkdownIt("commonmark").parse(problem_text(problem))
    kinds = {leaf.type for leaf in inline.children}
    assert "image" not in kinds
    assert "link_open" not in kinds
    assert inline.content.startswith("File ")
    assert "row `3`" in inline.content


def test_a_database_is_not_called_a_file() -> None:
    problem = Problem(severity=Severity.ERROR, message="cannot be read", file="postgresql://host/shop")
    assert problem_text(problem) == "Database `postgresql://host/shop`: cannot be read"


def test_a_problem_without_a_place_is_its_message() -> None:
    assert problem_text(Problem(severity=Severity.NOTE, message="All well")) == "All well"


def shown(*problems: Problem) -> AppTest:
    def page(problems: "tuple[Problem, ...]") -> None:
        from ui.problems import show_problems

        show_problems(problems)

    found = AppTest.from_function(page, args=(problems,)).run()
    assert not found.exception, [e.message for e in found.exception]
    return found


def said_of(file: str, message: str = "is separated by semicolons.", **place: int) -> Problem:
    return Problem(severity=Severity.NOTE, file=file, table=file[:-4], message=message, **place)


def test_what_is_noted_of_several_files_is_said_once() -> None:
    page = shown(*(said_of(f"t{n}.csv") for n in range(5)), said_of("t0.csv"))
    (box,) = page.info
    assert all(box.value.count(f"`t{n}.csv`") == 1 for n in range(5)) and "each is separated" in box.value
    assert not page.expander


def test_notes_are_folded_and_what_is_graver_stands_above() -> None:
    warning = Problem(severity=Severity.WARNING, message="odd")
    page = shown(said_of("a.csv", row=1), said_of("a.csv", row=2), said_of(EVIL + ".csv"), warning)
    assert [box.value for box in page.warning] == ["odd"] and not page.info
    (folded,) = page.expander
    assert folded.label == "3 notes"
    (text,) = folded.markdown
    assert [line[:2] for line in text.value.splitlines()] == ["- "] * 3
    assert all(
        leaf.type != "image" for block in MarkdownIt().parse(text.value) for leaf in block.children or []
    )
