"""What is said of a smallest change: the model's words, never a promise, and names that are text."""

from dataclasses import replace

from nexusflow.data.task import Task, TaskKind
from nexusflow.explain.explanation import CellChange, Flip, Flips, Wish
from ui.see_flip import not_found, percent, said, sentence

TASK = Task(entity_table="people", target_column="left", kind=TaskKind.BINARY, classes=("no", "**yes**"))
VALUE = Task(entity_table="people", target_column="spent", kind=TaskKind.REGRESSION)
WISH = Wish(output=1, line=0.5)
CHANGES = (
    CellChange(table="people", row=4, column="age", before=30, after=41),
    CellChange(table="orders", row=11, column="[link](x)", before=None, after="**web**"),
)
FLIP = Flip(changes=CHANGES, value=0.5004, says=1, distance=1.5)
FLIPS = Flips(found=(FLIP,), nearest=None, already=False, value=0.2, cells=9, asked=70, spent=False)


def test_a_sentence_names_every_cell_and_what_the_model_would_say():
    text = sentence(TASK, WISH, FLIPS, FLIP)
    assert "`age` at `41` instead of `30` and `[link](x)` of `orders` row 12 at `**web**` instead of" in text
    assert "the model would say `**yes**` with a probability of **50.04%** (now 20.0%)" in text
    assert "would happen" not in text


def test_a_class_that_is_not_reached_is_not_said_to_be():
    text = sentence(TASK, replace(WISH, line=0.3), FLIPS, replace(FLIP, value=0.4, says=0))
    assert "would still say `no`, and `**yes**` with a probability of **40.0%**" in text


def test_a_value_is_said_as_one():
    text = sentence(VALUE, Wish(line=9.0), replace(FLIPS, value=3.25), replace(FLIP, value=9.5, says=0))
    assert "the model would say **9.5** (now 3.25)" in text
    assert said(VALUE, Wish(line=2.0), 3.25) == "3.25"


def test_a_probability_never_reads_as_the_line_that_it_crossed():
    assert percent(0.71, WISH) == "71.0%" and percent(0.5000124, WISH) == "50.001%"


def test_where_nothing_was_found_it_is_said_how_far_was_looked():
    none = replace(FLIPS, found=(), nearest=FLIP)
    assert "changing up to 6 cells" in not_found(TASK, WISH, none)
    assert "above 50 %" in not_found(TASK, WISH, none) and "nearest" in not_found(TASK, WISH, none)
    assert "up to 1 cell with" in not_found(TASK, WISH, replace(none, cells=1))
    assert "budget" in not_found(TASK, WISH, replace(none, spent=True))
    assert "nearer" in not_found(VALUE, Wish(line=5.0, above=False), replace(none, nearest=None))
    assert "another value" in not_found(TASK, WISH, replace(none, cells=0))
