"""A workspace's schema as a file, and a file's schema for a workspace."""

from nexusflow.data.schema_text.formats import FORMATS, read_schema_file
from nexusflow.data.schema_text.merge import Merged, merge_draft
from nexusflow.data.schema_text.types import column_types
from nexusflow.services.workspace import Workspace


def write_schema(workspace: Workspace, name: str) -> str:
    """The present schema in the format of this name, with the types that the tables' columns have."""
    schema = workspace.schema()
    return FORMATS[name].write(schema, column_types(workspace.tables(), schema))


def read_schema(workspace: Workspace, file: str, content: bytes, *, replacing: bool = False) -> Merged:
    """What taking over this file would make of the present schema; nothing is changed.

    SchemaError where the file cannot be read.
    """
    return merge_draft(workspace.schema(), read_schema_file(file, content), replacing=replacing)
