"""The formats a schema is written in and read from, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nexusflow.data.schema import Schema
from nexusflow.data.schema_text.dbml import to_dbml
from nexusflow.data.schema_text.dbml_read import from_dbml
from nexusflow.data.schema_text.draft import LARGEST, Draft
from nexusflow.data.schema_text.sql import to_sql
from nexusflow.data.schema_text.sql_read import from_sql
from nexusflow.data.schema_text.types import Types
from nexusflow.data.schema_text.yaml_text import from_yaml, to_yaml
from nexusflow.errors import SchemaError


@dataclass(frozen=True, kw_only=True)
class Format:
    """A way to write a schema: `endings` of its files (the first is written), and what it is for."""

    label: str
    endings: tuple[str, ...]
    mime: str
    purpose: str
    write: Callable[[Schema, Types | None], str]
    read: Callable[[str], Draft]


FORMATS: Mapping[str, Format] = {
    "yaml": Format(
        label="YAML",
        endings=(".yaml", ".yml"),
        mime="application/yaml",
        purpose="Everything that is said here, to keep under version control and to read back.",
        write=lambda schema, types: to_yaml(schema),
        read=from_yaml,
    ),
    "dbml": Format(
        label="DBML",
        endings=(".dbml",),
        mime="text/plain",
        purpose="For diagram tools. Kinds and time columns stand in notes.",
        write=to_dbml,
        read=from_dbml,
    ),
    "sql": Format(
        label="SQL",
        endings=(".sql", ".ddl"),
        mime="application/sql",
        purpose="CREATE TABLE statements for a database. Kinds and time columns stand in comments.",
        write=to_sql,
        read=from_sql,
    ),
}
ENDINGS = tuple(ending for each in FORMATS.values() for ending in each.endings)


def format_of(file: str) -> Format:
    """The format that the file's ending names; SchemaError where it names none."""
    for each in FORMATS.values():
        if file.lower().endswith(each.endings):
            return each
    raise SchemaError(f"A schema is kept in a file that ends in {', '.join(ENDINGS)}; this one is {file!r}.")


def read_schema_file(file: str, content: bytes) -> Draft:
    """What a file says of tables and keys; SchemaError where it cannot be read, or is too large to be a schema."""
    each = format_of(file)
    if len(content) > LARGEST:
        raise SchemaError(
            f"{file} has {len(content):,} bytes; a schema has at most {LARGEST:,}. Leave its data out."
        )
    try:
        return each.read(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise SchemaError(f"{file} is not written in UTF-8. Save it as UTF-8 text.") from None
