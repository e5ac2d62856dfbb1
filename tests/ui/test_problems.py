from markdown_it import MarkdownIt

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
