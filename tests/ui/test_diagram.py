import re
from html import unescape
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema
from ui.diagram import drawing_height, schema_diagram
from ui.escape import plain, shorten
from ui.palette import DARK, LIGHT

names = st.one_of(
    st.sampled_from(['"]; evil [label="', "<IMG SRC='http://x'>", "a&b", "->", "}", "\\N", "名前"]),
    st.text(max_size=40),
)


def two_tables(child: str, parent: str, column: str) -> Schema:
    tables = {
        parent: TableSchema(
            name=parent, columns=(Column(name=column, kind=Kind.KEY),), primary_key=(column,)
        ),
        child: TableSchema(
            name=child,
            columns=(
                Column(name="when", kind=Kind.TIMESTAMP),
                Column(name=column, kind=Kind.KEY),
                *(Column(name=f"extra{n}", kind=Kind.NUMERIC) for n in range(20)),
            ),
            time_column="when",
        ),
    }
    key = ForeignKey(
        child_table=child, child_columns=(column,), parent_table=parent, parent_columns=(column,)
    )
    return Schema(tables=tables, foreign_keys=(key,))


def labels(dot: str) -> list[ElementTree.Element]:
    """The cards of a drawing, parsed: their markup is XML, and there is nothing else between the tags."""
    return [ElementTree.fromstring(card) for card in re.findall(r"\[label=<(<TABLE.*</TABLE>)>\];", dot)]


@given(names, names, names.filter(lambda name: name != "when" and not name.startswith("extra")))
def test_hostile_names_are_only_ever_text_of_a_card(child: str, parent: str, column: str) -> None:
    if child == parent:
        child += "2"
    dot = schema_diagram(two_tables(child, parent, column), {child: 3, parent: 2}, LIGHT)
    cards = labels(dot)
    assert len(cards) == 2
    written = ["".join(card.itertext()) for card in cards]
    for text, name in zip(written, (parent, child), strict=True):
        assert (shorten(name, 26) or "(no name)") in text
        assert (shorten(plain(column), 26) or "(no name)") in text
    assert {element.tag for card in cards for element in card.iter()} <= {"TABLE", "TR", "TD", "FONT", "B"}


def test_arrow_leads_from_the_foreign_key_to_the_column_it_names() -> None:
    dot = schema_diagram(two_tables("orders", "people", "id"), {}, DARK)
    (start, end) = re.search(r"(t\d:[lr]\d+):e -> (t\d:[lr]\d+):w \[\];", dot).groups()
    ports = {
        unescape(port): "".join(cell.itertext())
        for card in labels(dot)
        for cell in card.iter("TD")
        if (port := cell.get("PORT"))
    }
    assert (start, end) == ("t1:r1", "t0:l0")
    assert ports["l0"] in ("id", "when")
    assert "and 14 more" in dot


def test_a_hub_has_its_neighbours_on_both_sides_with_heads_at_the_parent() -> None:
    column = (Column(name="id", kind=Kind.KEY),)
    children = [TableSchema(name=f"child{n}", columns=column) for n in range(4)]
    hub = TableSchema(name="hub", columns=column, primary_key=("id",))
    keys = tuple(
        ForeignKey(child_table=c.name, child_columns=("id",), parent_table="hub", parent_columns=("id",))
        for c in children
    )
    schema = Schema(tables={t.name: t for t in (hub, *children)}, foreign_keys=keys)
    dot = schema_diagram(schema, {}, LIGHT)
    assert len(re.findall(r"t[1-4]:r0:e -> t0:l0:w \[\];", dot)) == 2
    assert len(re.findall(r"t0:r0:e -> t[1-4]:l0:w \[dir=back arrowtail=normal\];", dot)) == 2
    assert 300 <= drawing_height(schema) <= 680


def test_relation_to_a_table_that_is_gone_is_not_drawn() -> None:
    schema = two_tables("orders", "people", "id")
    left = Schema(tables={"orders": schema["orders"]}, foreign_keys=schema.foreign_keys)
    assert "->" not in schema_diagram(left, {}, LIGHT)
