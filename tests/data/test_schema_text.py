"""A schema written to a file says the same when it is read back, to us and to others who read such files."""

import sqlite3

import duckdb
import pytest
import yaml
from hostile import SCHEMA, hostile_database
from hypothesis import given, settings
from hypothesis import strategies as st
from pydbml import PyDBML
from random_schema import PLAIN, schemas

from nexusflow.data.schema import ForeignKey, Kind, Schema
from nexusflow.data.schema_text.dbml import to_dbml
from nexusflow.data.schema_text.dbml_read import from_dbml
from nexusflow.data.schema_text.formats import FORMATS, read_schema_file
from nexusflow.data.schema_text.sql import quote, to_sql
from nexusflow.data.schema_text.sql_read import from_sql
from nexusflow.data.schema_text.types import column_types
from nexusflow.data.schema_text.yaml_text import from_yaml
from nexusflow.errors import NexusFlowError, SchemaError, Severity


def _same(one: Schema, other: Schema) -> bool:
    return dict(one.tables) == dict(other.tables) and set(one.foreign_keys) == set(other.foreign_keys)


@settings(max_examples=60)
@given(schemas())
@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_is_read_back(name: str, schema: Schema) -> None:
    text = FORMATS[name].write(schema, None)
    draft = read_schema_file(f"x{FORMATS[name].endings[0]}", text.encode())
    assert draft.problems == ()
    assert _same(draft.to_schema(), schema), text


@pytest.mark.parametrize("name", FORMATS)
def test_the_hostile_schema_with_its_types_is_read_back(name: str) -> None:
    text = FORMATS[name].write(SCHEMA, column_types(hostile_database(), SCHEMA))
    assert _same(FORMATS[name].read(text).to_schema(), SCHEMA)


@settings(max_examples=25)
@given(schemas(sound=True))
def test_duckdb_makes_the_same_tables_and_keys(schema: Schema) -> None:
    con = duckdb.connect()
    con.execute(to_sql(schema))
    tables = con.execute("select table_name, column_name from information_schema.columns").fetchall()
    assert set(tables) == {(t.name, c.name) for t in schema.tables.values() for c in t.columns}
    found = con.execute(
        "select table_name, constraint_type, constraint_column_names, referenced_table, referenced_column_names"
        " from duckdb_constraints()"
    ).fetchall()
    con.close()
    primary = {(t, tuple(c)) for t, kind, c, *_ in found if kind == "PRIMARY KEY"}
    assert primary == {(t.name, t.primary_key) for t in schema.tables.values() if t.primary_key}
    foreign = {(t, tuple(c), p, tuple(pc)) for t, kind, c, p, pc in found if kind == "FOREIGN KEY"}
    assert foreign == {
        (k.child_table, k.child_columns, k.parent_table, k.parent_columns) for k in schema.foreign_keys
    }


@settings(max_examples=25)
@given(schemas(sound=True))
def test_sqlite_makes_the_same_keys(schema: Schema) -> None:
    con = sqlite3.connect(":memory:")
    con.executescript(to_sql(schema))
    for table in schema.tables.values():
        columns = con.execute(f"pragma table_info({quote(table.name)})").fetchall()
        assert [c[1] for c in columns] == list(table.names())
        assert tuple(c[1] for c in sorted(columns, key=lambda c: c[5]) if c[5]) == table.primary_key
        keys: dict[int, list[tuple]] = {}
        for row in con.execute(f"pragma foreign_key_list({quote(table.name)})"):
            keys.setdefault(row[0], []).append(row)
        found = set()
        for rows in keys.values():
            rows.sort(key=lambda row: row[1])
            found.add((tuple(r[3] for r in rows), rows[0][2], tuple(r[4] for r in rows)))
        mine = [k for k in schema.foreign_keys if k.child_table == table.name]
        assert found == {(k.child_columns, k.parent_table, k.parent_columns) for k in mine}
    con.close()


@settings(max_examples=25)
@given(schemas(PLAIN, sound=True))
def test_another_reader_of_dbml_sees_the_same(schema: Schema) -> None:
    read = PyDBML(to_dbml(schema))
    assert {t.name: [c.name for c in t.columns] for t in read.tables} == {
        t.name: list(t.names()) for t in schema.tables.values()
    }
    for table in read.tables:
        index = [tuple(c.name for c in i.subjects) for i in table.indexes if i.pk]
        single = tuple(c.name for c in table.columns if c.pk)
        assert (index[0] if index else single) == schema[table.name].primary_key
    refs = {
        (
            r.col1[0].table.name,
            tuple(c.name for c in r.col1),
            r.col2[0].table.name,
            tuple(c.name for c in r.col2),
        )
        for r in read.refs
    }
    assert {r.type for r in read.refs} <= {">"}
    assert refs == {
        (k.child_table, k.child_columns, k.parent_table, k.parent_columns) for k in schema.foreign_keys
    }


@settings(max_examples=25)
@given(schemas(PLAIN, sound=True))
def test_dbml_that_another_writer_wrote(schema: Schema) -> None:
    draft = from_dbml(PyDBML(to_dbml(schema)).dbml)
    assert _same(draft.to_schema(), schema)


DBML = """
// a comment with Table in it
Project shop { database_type: 'PostgreSQL'
  Note: '''many { lines' ''' }
Table core.users as U [headercolor: #3498DB] {
  id int [pk, increment] /* inline */
  "full name" varchar(255) [not null, unique, note: 'kind: text']
  tags text[] [default: `now()`]
  boss int [ref: > core.users.id, note: "it's: x"]
  born timestamp
  Note: 'people, and ] such'
}
Table orders [note: '[x]'] {
  order_id bigint
  line int
  user_id int [ref: > U.id]
  price decimal(10, 2) [default: -1.5]
  detail int [ref: - details.id]
  indexes {
    (order_id, line) [pk, name: 'x']
    `lower(user_id)`
    user_id [type: hash]
  }
}
table details { id int [primary key] }
Table shipments {
  oid bigint
  oline int
  who int
}
Enum status { new [note: 'x']
  old }
TableGroup g { users
 orders }
Ref: shipments.(oid, oline) > orders.(order_id, line) [delete: cascade]
Ref who_ships {
  users.id < shipments.who
}
Ref: orders.line <> details.id
"""


def test_dbml_as_people_write_it() -> None:
    draft = from_dbml(DBML)
    schema = draft.to_schema()
    assert {t.name: (t.primary_key, t.names()) for t in schema.tables.values()} == {
        "users": (("id",), ("id", "full name", "tags", "boss", "born")),
        "orders": (("order_id", "line"), ("order_id", "line", "user_id", "price", "detail")),
        "details": (("id",), ("id",)),
        "shipments": ((), ("oid", "oline", "who")),
    }
    assert {str(k) for k in schema.foreign_keys} == {
        "users(boss) → users(id)",
        "orders(user_id) → users(id)",
        "orders(detail) → details(id)",
        "shipments(oid, oline) → orders(order_id, line)",
        "shipments(who) → users(id)",
    }
    assert schema["users"]["full name"].kind is Kind.TEXT and schema["users"]["born"].kind is Kind.TIMESTAMP
    told = [str(p) for p in draft.problems]
    assert any("many to many" in text for text in told)
    assert any("1 enum" in text and "1 tablegroup" in text and "1 project" in text for text in told)


SQL = {
    "postgres": """
        -- Dumped
        SET client_encoding = 'UTF8';
        CREATE TABLE public.users (id integer NOT NULL, "Full Name" text, born date, boss integer);
        ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);
        ALTER TABLE ONLY public.users ADD CONSTRAINT b FOREIGN KEY (boss) REFERENCES public.users(id) ON DELETE CASCADE;
        CREATE TABLE "order lines" (o bigint, l int, who int REFERENCES users, CHECK (l > 0), PRIMARY KEY (o, l));
        CREATE INDEX x ON users (born); INSERT INTO users VALUES (1, 'a;b', NULL, NULL);
        CREATE TABLE parts (o bigint, l int, FOREIGN KEY (o, l) REFERENCES "order lines" (o, l));""",
    "mysql": """
        CREATE TABLE `users` (`id` int(11) NOT NULL AUTO_INCREMENT, `Full Name` varchar(9) COMMENT 'x', born datetime,
          boss int, PRIMARY KEY (`id`), KEY `k` (`boss`), CONSTRAINT b FOREIGN KEY (boss) REFERENCES users (id))
          ENGINE=InnoDB DEFAULT CHARSET=utf8;
        CREATE TABLE `order lines` (o bigint, l int, who int,
          PRIMARY KEY (o,l), FOREIGN KEY (who) REFERENCES users(id));
        CREATE TABLE parts (o bigint, l int);
        ALTER TABLE `parts` ADD FOREIGN KEY (o, l) REFERENCES `order lines` (o, l);""",
    "sql server": """
        CREATE TABLE [dbo].[users] ([id] INT IDENTITY(1,1) NOT NULL PRIMARY KEY, [Full Name] NVARCHAR(9),
          [born] DATETIME2,
          [boss] INT NULL CONSTRAINT fk FOREIGN KEY REFERENCES [dbo].[users]([id]));
        CREATE TABLE [order lines] (o BIGINT, l INT, who INT FOREIGN KEY REFERENCES users (id),
          CONSTRAINT pk PRIMARY KEY CLUSTERED (o ASC, l ASC));
        CREATE TABLE parts (o BIGINT, l INT, CONSTRAINT f FOREIGN KEY (o, l) REFERENCES [order lines] (o, l));""",
    "sqlite": """
        CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY AUTOINCREMENT, "Full Name", born TIMESTAMP,
          boss REFERENCES users(id)) STRICT;
        CREATE TABLE "order lines" (o, l, who INTEGER REFERENCES users, PRIMARY KEY (o, l)) WITHOUT ROWID;
        CREATE TABLE parts (o, l, FOREIGN KEY (o, l) REFERENCES "order lines");""",
}


@pytest.mark.parametrize("dialect", SQL)
def test_sql_as_databases_write_it(dialect: str) -> None:
    draft = from_sql(SQL[dialect])
    schema = draft.to_schema()
    assert {t.name: (t.primary_key, t.names()) for t in schema.tables.values()} == {
        "users": (("id",), ("id", "Full Name", "born", "boss")),
        "order lines": (("o", "l"), ("o", "l", "who")),
        "parts": ((), ("o", "l")),
    }
    assert {str(k) for k in schema.foreign_keys} == {
        "users(boss) → users(id)",
        "order lines(who) → users(id)",
        "parts(o, l) → order lines(o, l)",
    }
    assert schema["users"]["born"].kind is Kind.TIMESTAMP
    assert not any(p.severity is Severity.WARNING for p in draft.problems), draft.problems


def test_what_cannot_be_read_in_sql_is_told_and_the_rest_is_read() -> None:
    draft = from_sql(
        "CREATE TABLE a (id int primary key);\nCREATE TABLE b (id int PRIMARY;\nCREATE VIEW v AS SELECT 1;"
    )
    assert list(draft.tables) == ["a"]
    warning, others = draft.problems
    assert (
        warning.severity is Severity.WARNING
        and "line 2" in warning.message
        and "CREATE TABLE b" in warning.message
    )
    assert "1 CREATE VIEW" in others.message


def test_the_datasets_of_a_configuration_are_read() -> None:
    text = """
project_name: x
datasets:
  - {name: users.csv, primary_key: [id], time_column: born, numerical_columns: [age], path: a/users.csv}
  - name: orders
    foreign_keys: [{columns: user_id, references_table: users, references_columns: [id]}]
"""
    draft = from_yaml(text)
    users = draft.tables["users"]
    assert (users.primary_key, users.time_column, users.columns) == (("id",), "born", {"age": Kind.NUMERIC})
    assert draft.foreign_keys == (
        ForeignKey(
            child_table="orders", child_columns=("user_id",), parent_table="users", parent_columns=("id",)
        ),
    )


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("a.yaml", b"tables: [", "line"),
        ("a.yaml", b"- 1", "describes no tables"),
        ("a.yaml", b"tables: {t: 1, u: {columns: [a], kinds: 2, foreign_keys: 7}}", None),
        ("a.yaml", b"tables: {t: {columns: {a: number}}}", None),
        ("a.yaml", b"!!python/object/apply:os.system ['true']", "not readable YAML"),
        ("a.dbml", b"Table a {\n id int\n", "Line 3"),
        ("a.dbml", b'Table "a { id int }', "not closed"),
        ("a.dbml", b"Table a { id int [ref: a.b] }", "Line 1"),
        ("a.dbml", b"Ref: a > b.c", "Line 1"),
        ("a.sql", b"SELECT 1;", "makes no table"),
        ("a.sql", b"'", "SQL"),
        ("a.sql", b"", "makes no table"),
        ("a.txt", b"", "ends in"),
        ("a.sql", b"\xff\xfe", "UTF-8"),
        ("a.sql", b" " * 3_000_000, "bytes"),
    ],
)
def test_files_that_are_no_schema_are_told(file: str, content: bytes, words: str | None) -> None:
    if words is None:
        draft = read_schema_file(file, content)
        assert draft.problems and all(p.message for p in draft.problems)
        return
    with pytest.raises(SchemaError, match=words):
        read_schema_file(file, content)


@settings(max_examples=60)
@given(st.sampled_from(list(FORMATS)), schemas(), st.data())
def test_no_damaged_file_ends_in_a_traceback(name: str, schema: Schema, data: st.DataObject) -> None:
    text = FORMATS[name].write(schema, None)
    start = data.draw(st.integers(0, len(text)))
    middle = data.draw(
        st.sampled_from(["", "'", '"', "[", "]", "{", "}", "(", ";", "\n", ",", "--", "/*", ":", "$$"])
    )
    text = text[:start] + middle + text[start + data.draw(st.integers(0, 9)) :]
    try:
        FORMATS[name].read(text)
    except NexusFlowError as error:
        assert error.problems[0].message


def test_yaml_is_plain_yaml() -> None:
    data = yaml.safe_load(FORMATS["yaml"].write(SCHEMA, None))
    assert list(data) == ["tables"] and data["tables"]["staff"]["columns"]["manager"] == "key"
