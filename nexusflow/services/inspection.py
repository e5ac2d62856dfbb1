"""A folder of files looked at without a workspace: what its tables are, how they relate, and what does not fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nexusflow.data.checks import find_problems
from nexusflow.data.findings import Finding, examine
from nexusflow.data.infer import Proposal, propose
from nexusflow.data.load import ENDINGS, is_readable, load_files
from nexusflow.data.relations import RelationStats, relatable, relate
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.data.schema_text.formats import format_of
from nexusflow.data.schema_text.types import column_types
from nexusflow.data.tables import TableSet
from nexusflow.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The tables of a folder, the schema that their values suggest, its figures and its findings."""

    tables: TableSet
    proposal: Proposal
    stats: Mapping[ForeignKey, RelationStats]
    findings: tuple[Finding, ...]

    @property
    def schema(self) -> Schema:
        """The suggested schema."""
        return self.proposal.schema

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
                    "score": why[key].score,
                    "evidence": list(why[key].facts),
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
    """What the table files of a folder hold; DataError where there is none, or none can be read."""
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    files = sorted(path for path in folder.iterdir() if is_readable(path))
    if not files:
        endings = ", ".join(ENDINGS)
        raise DataError(
            f"{folder} holds no table; it needs files that end in {endings}, or folders of Parquet files."
        )
    tables = load_files(files)
    if not tables:
        raise DataError(*tables.problems)
    proposal = propose(tables)
    schema = proposal.schema
    stats = {key: relate(tables, key) for key in relatable(tables, schema)}
    found = find_problems(tables, schema, stats=stats)
    findings = examine(tables, schema, schema, stats=stats, found=found)
    return Inspection(tables=tables, proposal=proposal, stats=stats, findings=findings)
