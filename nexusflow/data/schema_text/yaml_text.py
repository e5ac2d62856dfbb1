"""A schema as YAML: `tables:` by name, each with its keys, time column and `columns:` (name: kind).

The `datasets:` of a run's configuration are read as well: they say the same of keys, times and kinds.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from nexusflow.data.schema import ForeignKey, Kind, Schema
from nexusflow.data.schema_text.draft import Draft, DraftTable, note
from nexusflow.errors import Problem, SchemaError, Severity

KIND_LISTS = {
    "categorical_columns": Kind.CATEGORICAL,
    "numerical_columns": Kind.NUMERIC,
    "timestamp_columns": Kind.TIMESTAMP,
    "text_columns": Kind.TEXT,
    "ignored_columns": Kind.IGNORED,
}
_KEYS = ("columns", "references_table", "references_columns")
_TABLE = ("primary_key", "time_column", "columns", "foreign_keys")


def to_yaml(schema: Schema) -> str:
    """The whole schema; `from_yaml` reads the same back."""
    tables = {}
    for table in schema.tables.values():
        entry: dict[str, Any] = {
            "primary_key": list(table.primary_key),
            "time_column": table.time_column,
            "columns": {c.name: str(c.kind) for c in table.columns},
        }
        keys = [key for key in schema.foreign_keys if key.child_table == table.name]
        if keys:
            entry["foreign_keys"] = [
                dict(zip(_KEYS, (list(k.child_columns), k.parent_table, list(k.parent_columns)), strict=True))
                for k in keys
            ]
        tables[table.name] = entry
    return yaml.dump({"tables": tables}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Lists of names on one line, and names on one line."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """A text; where it has breaks or marks that YAML folds, in double quotes with escapes."""
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if data.isprintable() else '"')

    def represent_sequence(
        self, tag: str, sequence: Any, flow_style: bool | None = None
    ) -> yaml.SequenceNode:
        """A list, on one line where it holds no lists or tables."""
        plain = all(isinstance(item, str) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style=plain)

    def ignore_aliases(self, data: Any) -> bool:
        """Nothing is written as a reference to what stands above."""
        return True


_Dumper.add_representer(str, _Dumper.represent_str)


def from_yaml(text: str) -> Draft:
    """What the file says; SchemaError where it is no YAML or speaks of no tables."""
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        at = getattr(error, "problem_mark", None)
        where = f" in line {at.line + 1}" if at else ""
        why = getattr(error, "problem", None) or type(error).__name__
        raise SchemaError(f"This is not readable YAML{where}: {why}.") from None
    if isinstance(data, Mapping) and isinstance(data.get("tables"), Mapping):
        return _Reader().read(data["tables"])
    if isinstance(data, Mapping) and isinstance(data.get("datasets"), list):
        return _Reader().read(_named(data["datasets"]))
    raise SchemaError(
        "This YAML describes no tables: it needs `tables:` by name, or the `datasets:` of a configuration."
    )


def _named(datasets: list[Any]) -> dict[Any, Any]:
    """Datasets of a configuration by table: the file name without its ending."""
    tables = {}
    for entry in datasets:
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            raise SchemaError("Every one of `datasets` needs a name.")
        stem, dot, ending = entry["name"].rpartition(".")
        name = stem if dot and ending in ("csv", "tsv", "parquet") else entry["name"]
        columns: dict[Any, Any] = {}
        for setting, kind in KIND_LISTS.items():
            listed = entry.get(setting) or []
            columns.update(dict.fromkeys(listed if isinstance(listed, list) else [], str(kind)))
        tables[name] = {**{k: entry[k] for k in _TABLE if k in entry and k != "columns"}, "columns": columns}
    return tables


class _Reader:
    """Reads tables one by one; what it cannot use is told, and the rest is read."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.keys: list[ForeignKey] = []

    def read(self, tables: Mapping[Any, Any]) -> Draft:
        drafts = {}
        for name, entry in tables.items():
            if isinstance(name, str) and isinstance(entry, Mapping):
                drafts[name] = self._table(name, entry)
            else:
                self._warn(str(name), "is not described by keys and values; it was left out.")
        return Draft(tables=drafts, foreign_keys=tuple(self.keys), problems=tuple(self.problems))

    def _table(self, name: str, entry: Mapping[Any, Any]) -> DraftTable:
        unknown = [str(k) for k in entry if k not in _TABLE]
        if unknown:
            self._warn(
                name, f"has settings that are not known here, and were left out: {', '.join(unknown)}."
            )
        columns: dict[str, Kind | None] = {}
        described = entry.get("columns") or {}
        if not isinstance(described, Mapping):
            self._warn(name, "has columns that are not written as `name: kind`; they were left out.")
            described = {}
        for column, kind in described.items():
            if not isinstance(column, str):
                self._warn(name, f"names the column {column!r}, which is no text; write it in quotes.")
            elif kind in set(Kind):
                columns[column] = Kind(kind)
            else:
                columns[column] = None
                if kind is not None:
                    known = ", ".join(Kind)
                    self._warn(
                        name, f"has the unknown kind {str(kind)[:40]!r}; the kinds are: {known}.", column
                    )
        keys = entry.get("foreign_keys") or []
        for key in keys if isinstance(keys, list) else [keys]:
            self._key(name, key)
        time = entry.get("time_column")
        return DraftTable(
            name=name,
            columns=columns,
            primary_key=self._names(name, entry.get("primary_key")) if "primary_key" in entry else None,
            time_column=time if isinstance(time, str) else None,
            static="time_column" in entry and time is None,
        )

    def _key(self, table: str, key: Any) -> None:
        parent = key.get("references_table") if isinstance(key, Mapping) else None
        if not isinstance(parent, str):
            self._warn(table, "has a foreign key without `references_table`; it was left out.")
            return
        self.keys.append(
            ForeignKey(
                child_table=table,
                child_columns=self._names(table, key.get("columns")),
                parent_table=parent,
                parent_columns=self._names(table, key.get("references_columns")),
            )
        )

    def _names(self, table: str, value: Any) -> tuple[str, ...]:
        listed = [] if value is None else value if isinstance(value, list) else [value]
        if not all(isinstance(name, str) for name in listed):
            self._warn(table, f"names columns that are no text: {str(value)[:60]}; write them in quotes.")
        return tuple(name for name in listed if isinstance(name, str))

    def _warn(self, table: str, message: str, column: str | None = None) -> None:
        self.problems.append(note(message, severity=Severity.WARNING, table=table, column=column))
