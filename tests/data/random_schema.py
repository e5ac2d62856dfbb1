"""Random schemas with hostile names, for laws about files of schemas."""

from hypothesis import strategies as st

from nexusflow.data.schema import Column, ForeignKey, Kind, Schema, TableSchema

NASTY = [
    *(
        'a"b',
        "a`b",
        "[a]",
        "a]b",
        "a'b",
        "a\\b",
        'a\\"b',
        "a\nb",
        "a\r\nb",
        "a\tb",
        "a;b",
        "a--b",
        "/*a*/",
        "//a",
    ),
    *(
        "Table",
        "Ref",
        "note",
        "indexes",
        "select",
        "primary key",
        "kind: key",
        "yes",
        "null",
        "1",
        "1.5",
        "~",
        "-",
    ),
    *(
        " a ",
        "a.b",
        "a,b",
        "(a)",
        "{a}",
        "größe",
        "数量",
        "💸",
        "\u202eevil",
        "=1+1",
        "<<",
        "*x",
        "&x",
        "!x",
        "? x",
        "%",
    ),
    *(
        "time column",
        "# a",
        "a: b",
        "'''",
        "$$",
        "${a}",
        "{{a}}",
        ":a",
        "@a",
        "a\x85b",
        "a\u2028b",
        "\ufeffa",
    ),
]
NAME = st.sampled_from(NASTY) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=6
)
PLAIN = st.from_regex(r"[a-z][a-z0-9_]{1,7}", fullmatch=True)


@st.composite
def schemas(draw: st.DrawFn, name: st.SearchStrategy[str] = NAME, sound: bool = False) -> Schema:
    """Schemas with composite keys, self-references, circles and times.

    `sound` ones can be made in a database: names differ in more than case, and relations lead to primary keys.
    """
    unique = str.casefold if sound else str
    names = draw(st.lists(name, min_size=1, max_size=4, unique_by=unique))
    tables = {}
    for table in names:
        columns = draw(st.lists(name, min_size=1, max_size=5, unique_by=unique))
        primary = draw(st.lists(st.sampled_from(columns), max_size=2, unique=True))
        kinds = st.just(Kind.KEY) if sound else st.sampled_from(list(Kind))
        tables[table] = TableSchema(
            name=table,
            columns=tuple(Column(name=c, kind=draw(kinds)) for c in columns),
            primary_key=tuple(primary),
            time_column=draw(st.none() | st.sampled_from(columns)),
        )
    keys = set()
    for _ in range(draw(st.integers(0, 4))):
        child, parent = draw(st.sampled_from(names)), draw(st.sampled_from(names))
        if sound and names.index(child) < names.index(parent):
            continue
        to = list(tables[parent].primary_key) if sound else []
        to = to or ([] if sound else draw(_some(tables[parent].names())))
        mine = draw(st.permutations(tables[child].names()))[: len(to)]
        same = child == parent and set(mine) & set(to)
        if to and len(mine) == len(to) and not same:
            keys.add((child, tuple(mine), parent, tuple(to)))
    return Schema(tables=tables, foreign_keys=tuple(_key(*key) for key in sorted(keys)))


def _some(columns: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(columns), min_size=1, max_size=2, unique=True)


def _key(child: str, mine: tuple[str, ...], parent: str, to: tuple[str, ...]) -> ForeignKey:
    return ForeignKey(child_table=child, child_columns=mine, parent_table=parent, parent_columns=to)
