"""Tables looked at without a workspace: what they are, how they relate, and what does not fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexusflow.config import load_config
from nexusflow.config_lines import told_by_line
from nexusflow.data.checks import find_problems
from nexusflow.data.findings import Finding, examine
from nexusflow.data.infer import Proposal, propose
from nexusflow.data.load import ENDINGS, is_readable, load_files
from nexusflow.data.relations import RelationStats, relatable, relate
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.data.schema_text.formats import format_of
from nexusflow.data.schema_text.types import column_types
from nexusflow.data.sources.parts import is_partitioned
from nexusflow.data.tables import TableSet
from nexusflow.errors import DataError
from nexusflow.services.project_tables import load_tables
from nexusflow.services.projects import schema_from_config


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """Tables, their schema with its figures and findings, and what their values suggest, which may be that schema."""

    tables: TableSet
    schema: Schema
    proposal: Proposal
    stats: Mapping[ForeignKey, RelationStats]
    findings: tuple[Finding, ...]

    def text(self, file: str) -> str:
        """The schema in the format that the file's ending names."""
        return format_of(file).write(self.schema, column_types(self.tables, self.schema))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain lists and dicts, for a program to read."""
        why = {e.foreign_key: e for e in self.proposal.evidence if e.foreign_key is not None}
        schema = self.schema.to_dict()
        return {
            "tables": [{**table, "rows": len(self.tables[table["name"]])} for table in schema["tables"]],
            "foreign_keys": [
                {
                    **said,
                    # A key that a configuration names need not be one that the values suggest.
                    "score": why[key].score if key in why else None,
                    "evidence": list(why[key].facts) if key in why else [],
                    "cardinality": self.stats[key].cardinality,
                    "match_rate": self.stats[key].match_rate,
                    "orphan_rows": self.stats[key].orphan_rows,
                    "missing_rows": self.stats[key].missing_rows,
                    "fanout_median": self.stats[key].fanout_median,
                    "fanout_p99": self.stats[key].fanout_p99,
                    "fanout_max": self.stats[key].fanout_max,
                    "childless_share": self.stats[key].childless_share,
                }
                for said, key in zip(schema["foreign_keys"], self.schema.foreign_keys, strict=True)
            ],
            "findings": [
                {
                    **{k: v for k, v in vars(f.problem).items() if v is not None},
                    "severity": str(f.problem.severity),
                    "topic": f.topic.value,
                    "fixes": [fix.label for fix in f.fixes],
                }
                for f in self.findings
            ],
        }


def inspect_folder(folder: Path) -> Inspection:
    """What the table files of a folder, or one file, hold; DataError where there is none, or none can be read."""
    return _of_files(files_of(folder))


def inspect_files(paths: Sequence[Path]) -> Inspection:
    """What these table files hold, and those in folders among them; DataError where there is none, or none is readable.

    A file that cannot be read is among the tables' problems as long as another one can.
    """
    if missing := [path for path in paths if not path.exists()]:
        raise DataError(*(f"There is no file or folder {path}." for path in missing))
    return _of_files([file for path in paths for file in (files_of(path) if path.is_dir() else [path])])


def _of_files(files: Sequence[Path]) -> Inspection:
    tables = load_files(files)
    if not tables:
        raise DataError(*tables.problems)
    proposal = propose(tables)
    return _inspected(tables, proposal.schema, proposal)


def inspect_project(config: Path) -> Inspection:
    """The tables of a configuration file with the keys and kinds that it gives them, and what of these does not fit.

    A NexusFlowError where a table cannot be read, or has no such column.
    """
    settings = load_config(config)
    with told_by_line(config.read_text(encoding="utf-8"), str(config)):
        tables = load_tables(settings, config)
        proposal = propose(tables)
        schema = schema_from_config(settings, tables, proposal.schema)
    return _inspected(tables, schema, proposal)


def files_of(folder: Path) -> list[Path]:
    """The tables of a folder: its files, and its folders of Parquet parts.

    A file is one itself, and so is a partitioned folder. DataError where there is none.
    """
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise DataError(f"There is no file or folder {folder}.")
    if is_partitioned(folder):
        return [folder]
    files = sorted(path for path in folder.iterdir() if is_readable(path))
    if not files:
        endings = ", ".join(ENDINGS)
        raise DataError(
            f"{folder} holds no table; it needs files that end in {endings}, or folders of Parquet files."
        )
    return files


def _inspected(tables: TableSet, schema: Schema, proposal: Proposal) -> Inspection:
    stats = {key: relate(tables, key) for key in relatable(tables, schema)}
    found = find_problems(tables, schema, stats=stats)
    findings = examine(tables, schema, proposal.schema, stats=stats, found=found)
    return Inspection(tables=tables, schema=schema, proposal=proposal, stats=stats, findings=findings)
