"""Tables and keys from SQL: CREATE TABLE and ALTER TABLE of the usual dialects, read by sqlglot."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from nexusflow.data.schema import ForeignKey, Kind
from nexusflow.data.schema_text.draft import Draft, DraftTable, kind_of_type, note, read_mark
from nexusflow.errors import Problem, SchemaError, Severity

# Tried one after the other on each statement: the first that understands it reads it.
DIALECTS = ("postgres", "mysql", "tsql", "sqlite", "duckdb", "snowflake", "oracle", "bigquery")
# Options of SQLite that say nothing of keys, and which the parser does not know.
_OPTIONS = re.compile(r"\)\s*(?:(?:WITHOUT\s+ROWID|STRICT)\s*,?\s*)+$", re.IGNORECASE)
_WANTED = re.compile(r"^\s*(?:CREATE\b.*?\bTABLE\b|ALTER\s+TABLE\b)", re.IGNORECASE | re.DOTALL)


def from_sql(text: str) -> Draft:
    """What the statements say; SchemaError where none makes a table or adds a key."""
    reader = _Reader()
    for line, statement in _statements(text):
        reader.read(line, statement)
    if not reader.tables and not reader.keys:
        raise SchemaError(
            *[p for p in reader.problems if p.severity is not Severity.NOTE],
            "This SQL makes no table: it needs CREATE TABLE statements, or ALTER TABLE ... ADD FOREIGN KEY.",
        )
    return reader.draft()


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """The statements with the line that each begins in."""
    from sqlglot import Dialect
    from sqlglot.errors import SqlglotError
    from sqlglot.tokens import TokenType

    tokens, reason = None, ""
    for name in _likely(text):
        try:
            tokens = Dialect.get_or_raise(name).tokenize(text)
            break
        except SqlglotError as error:
            reason = reason or _reason(error)
    if tokens is None:
        fix = "Leave data out: write the structure only, such as `pg_dump --schema-only` does."
        raise SchemaError(
            Problem(severity=Severity.ERROR, message=f"This is not readable SQL: {reason}", fix=fix)
        )
    begin, line = None, 0
    for token in tokens:
        if begin is None and token.token_type is not TokenType.SEMICOLON:
            begin, line = token.start, token.line
        elif begin is not None and token.token_type is TokenType.SEMICOLON:
            # A comment after the last column stands before the bracket; one after the semicolon is the next one's.
            yield line, text[begin : token.start]
            begin = None
    if begin is not None:
        yield line, text[begin:]


def _likely(text: str) -> tuple[str, ...]:
    """The dialects in the order to try: MySQL's own words make it the first, where its indexes pass for columns."""
    first = "mysql" if re.search(r"\bENGINE\s*=|\bAUTO_INCREMENT\b", text, re.IGNORECASE) else DIALECTS[0]
    return (first, *(name for name in DIALECTS if name != first))


def _reason(error: Exception) -> str:
    """The parser's message as one plain sentence."""
    errors = getattr(error, "errors", None) or [{}]
    said = errors[0].get("description") or str(error).splitlines()[0]
    return re.sub(r"\x1b\[[0-9;]*m", "", " ".join(str(said).split()))[:200]


class _Reader:
    """Collects tables and keys from statements; what is not understood is told with its line."""

    def __init__(self) -> None:
        self.tables: dict[str, DraftTable] = {}
        self.keys: list[ForeignKey] = []
        self.problems: list[Problem] = []
        self.others: Counter[str] = Counter()

    def draft(self) -> Draft:
        """All that was read."""
        if self.others:
            told = ", ".join(f"{count} {name}" for name, count in sorted(self.others.items()))
            self.problems.append(
                note(f"Statements that say nothing of tables and keys were left out: {told}.")
            )
        return Draft(tables=self.tables, foreign_keys=tuple(self.keys), problems=tuple(self.problems))

    def read(self, line: int, statement: str) -> None:
        from sqlglot import exp

        if not _WANTED.match(statement):
            self.others[" ".join(statement.split()[:2]).upper()[:40]] += 1
            return
        tree, reason = _parse(_OPTIONS.sub(")", statement))
        if isinstance(tree, exp.Create) and isinstance(tree.this, exp.Schema):
            self._create(tree.this, line)
        elif isinstance(tree, exp.Alter):
            self._alter(tree)
        elif isinstance(tree, exp.Create):
            self.others["CREATE TABLE without columns"] += 1
        else:
            first = " ".join(statement.split())[:60]
            message = f"The statement in line {line} could not be read ({reason}): {first} …"
            fix = "Its tables and keys were left out; name them by hand, or simplify the statement."
            self.problems.append(note(message, fix, Severity.WARNING))

    def _create(self, made: Any, line: int) -> None:
        from sqlglot import exp

        name = made.this.name
        if name in self.tables:
            message = f"is made twice; the second statement, in line {line}, was left out."
            self.problems.append(note(message, severity=Severity.WARNING, table=name))
            return
        columns: dict[str, Kind | None] = {}
        self.tables[name] = DraftTable(name=name, columns=columns, primary_key=())
        times, marked = [], False
        for part in made.expressions:
            if isinstance(part, exp.Identifier):
                # A column without a type, as SQLite allows.
                columns[part.name] = None
                continue
            if not isinstance(part, exp.ColumnDef):
                self._constraint(name, part)
                continue
            kind, time = read_mark(" ".join(c for node in part.walk() for c in node.comments or ()))
            marked = marked or kind is not None
            columns[part.name] = kind or (kind_of_type(part.kind.sql()) if part.kind else None)
            times += [part.name] if time else []
            for constraint in part.args.get("constraints") or ():
                self._constraint(name, constraint.kind, part.name)
        time_column = times[0] if times else None
        table = self.tables[name]
        self.tables[name] = replace(table, time_column=time_column, static=marked and not times)

    def _constraint(self, table: str, part: Any, column: str | None = None) -> None:
        """A key of a table, or of one of its columns."""
        from sqlglot import exp

        if isinstance(part, exp.Constraint):
            bare = any(isinstance(inner, exp.PrimaryKeyColumnConstraint) for inner in part.expressions)
            for inner in part.expressions:
                # SQL Server names the columns behind PRIMARY KEY CLUSTERED.
                if bare and isinstance(inner.this, list):
                    self._primary(table, _names(inner.this))
                self._constraint(table, inner)
        elif isinstance(part, exp.PrimaryKeyColumnConstraint) and column is not None:
            self._primary(table, (column,))
        elif isinstance(part, exp.PrimaryKey):
            self._primary(table, _names(part.expressions))
        elif isinstance(part, exp.ForeignKey) and part.args.get("reference"):
            columns = _names(part.expressions) or ((column,) if column is not None else ())
            self._foreign(table, columns, part.args["reference"])
        elif isinstance(part, exp.Reference) and column is not None:
            self._foreign(table, (column,), part)

    def _primary(self, table: str, columns: tuple[str, ...]) -> None:
        known = self.tables.get(table) or DraftTable(name=table, columns={})
        self.tables[table] = replace(known, primary_key=columns)

    def _foreign(self, table: str, columns: tuple[str, ...], reference: Any) -> None:
        from sqlglot import exp

        target = reference.this
        parent_columns = _names(target.expressions) if isinstance(target, exp.Schema) else ()
        parent = target.this.name if isinstance(target, exp.Schema) else target.name
        key = ForeignKey(
            child_table=table, child_columns=columns, parent_table=parent, parent_columns=parent_columns
        )
        if key not in self.keys:
            self.keys.append(key)

    def _alter(self, tree: Any) -> None:
        from sqlglot import exp

        for action in tree.args.get("actions") or ():
            if isinstance(action, exp.AddConstraint):
                for part in action.expressions:
                    self._constraint(tree.this.name, part)
            else:
                self.others["ALTER TABLE without keys"] += 1


def _parse(statement: str) -> tuple[Any, str]:
    """The statement's tree and an empty text, or None and why no dialect understands it."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    # What a dialect does not know it logs and gives back as it came: the next one is asked.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    reason = ""
    for name in _likely(statement):
        try:
            tree = sqlglot.parse_one(statement, read=name)
        except (SqlglotError, RecursionError) as error:
            reason = reason or _reason(error)
            continue
        if isinstance(tree, exp.Create | exp.Alter):
            return tree, ""
    return None, reason or "no known dialect has it"


def _names(parts: Any) -> tuple[str, ...]:
    """Identifiers by name, also where an order or a length stands beside them."""
    from sqlglot import exp

    found = []
    for part in parts:
        name = part if isinstance(part, exp.Identifier) else part.find(exp.Identifier)
        found.append(name.name if name is not None else part.name)
    return tuple(found)
