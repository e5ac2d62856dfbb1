"""Tables of a database that SQLAlchemy reaches, with the keys that it declares.

Nothing here says, logs or keeps what opens a database: errors are told without it, and never chained.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, make_url

from nexusflow.data.found import ROW_LIMIT, OnProgress, Source, clean_names, error, warning
from nexusflow.data.schema import ForeignKey
from nexusflow.data.sources.chunks import Chunks
from nexusflow.data.tables import Declared, Table
from nexusflow.errors import DataError, Problem, Severity

ROWS_PER_CHUNK = 20_000
_SYSTEM = re.compile(r"information_schema|pg_.*|sys|mysql|performance_schema", re.IGNORECASE)
_T = TypeVar("_T")


@dataclass(frozen=True)
class DatabaseTable:
    """A table of a database as it is listed: `name` is qualified by its schema where that is not the default."""

    name: str
    columns: int
    schema: str | None
    bare: str


class Database:
    """A place to read tables from; what opens it stays inside. DataError where the address cannot be read."""

    def __init__(self, url: str | URL) -> None:
        try:
            self._url = make_url(_with_driver(url) if isinstance(url, str) else url)
        except (sa.exc.SQLAlchemyError, ValueError):
            fix = "It reads like postgresql://user:password@host:5432/database."
            raise DataError(_problem(None, "This is not the address of a database.", fix)) from None

    @property
    def label(self) -> str:
        """How it is named wherever it is shown or kept: kind, host and database; no user, password or option."""
        where = f"{self._url.host or ''}{f':{self._url.port}' if self._url.port else ''}"
        name = self._url.database or ""
        if self.backend == "sqlite":
            return f"sqlite:///{Path(name).name}"
        return f"{self.backend}://{where}/{name}"

    @property
    def backend(self) -> str:
        """The kind of database, as SQLAlchemy calls it."""
        return str(self._url.get_backend_name())

    @property
    def sqlite_file(self) -> str | None:
        """The file that it is, on the machine that reads it; None for another kind of database."""
        is_file = self.backend == "sqlite" and self._url.database not in (
            None,
            "",
            ":memory:",
        )
        return str(self._url.database) if is_file else None

    def __repr__(self) -> str:
        return f"Database({self.label!r})"

    def list(self) -> tuple[DatabaseTable, ...]:
        """Its tables, of every schema that is not the system's."""
        with self._told(), self._open() as connection:
            return tuple(_tables(connection))

    def read(
        self,
        tables: Sequence[str] | None = None,
        *,
        folder: Path,
        row_limit: int = ROW_LIMIT,
        on_progress: OnProgress = lambda share, what: None,
        label: str | None = None,
    ) -> Source:
        """These tables (all where none are named), at most `row_limit` rows of each, and their declared keys.

        Large tables go to Parquet files in `folder`. DataError where the database cannot be reached or read.
        """
        with self._told(), self._open() as connection:
            listed = {each.name: each for each in _tables(connection)}
            wanted = list(listed) if tables is None else list(tables)
            unknown = [name for name in wanted if name not in listed]
            if unknown:
                fix = f"It has: {', '.join(list(listed)[:20]) or 'no tables'}."
                raise DataError(_problem(self.label, f"has no table {unknown[0]!r}.", fix))
            reading = _Reading(connection, label or self.label, folder, row_limit)
            for number, name in enumerate(wanted):
                share = number / len(wanted)
                reading.read(listed[name], partial(_tell_rows, on_progress, share, name))
            on_progress(1.0, "done")
            return reading.source()

    def _open(self) -> Any:
        arguments = {"connect_timeout": 10} if self.backend in ("postgresql", "mysql", "mariadb") else {}
        engine = sa.create_engine(
            self._url, connect_args=arguments, poolclass=sa.pool.NullPool, hide_parameters=True, echo=False
        )
        options = {"postgresql_readonly": True} if self.backend == "postgresql" else {}
        return engine.connect().execution_options(**options)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Any failure of the database as a DataError that says nothing secret."""
        try:
            yield
        except DataError:
            raise
        except ModuleNotFoundError as failure:
            fix = f"Install {failure.name}, or export the tables as files."
            problem = _problem(self.label, f"needs the package {failure.name}, which is not installed.", fix)
        except (sa.exc.SQLAlchemyError, OSError, ValueError, TypeError) as failure:
            problem = _problem(
                self.label, f"cannot be read: {self._cleared(failure)}", "Check the connection."
            )
        else:
            return
        raise DataError(problem) from None

    def _cleared(self, failure: BaseException) -> str:
        """The first line of what the driver says, without anything secret in it."""
        said = str(getattr(failure, "orig", None) or failure).strip()
        line = (said.splitlines() or [type(failure).__name__])[0]
        for secret in sorted(self._secrets(), key=len, reverse=True):
            line = line.replace(secret, "***")
        return re.sub(r"\w+://\S+", "***", line)[:300]

    def _secrets(self) -> set[str]:
        values = [str(self._url.password or "")]
        for value in self._url.query.values():
            values += [value] if isinstance(value, str) else list(value)
        return {form for v in values if v for form in (v, quote(v, safe=""), quote_plus(v))}


class _Reading:
    """One visit to a database: tables, problems and keys as they are read."""

    def __init__(self, connection: Connection, label: str, folder: Path, row_limit: int) -> None:
        self.connection, self.label, self.folder, self.row_limit = connection, label, folder, row_limit
        self.inspector = sa.inspect(connection)
        self.tables: list[Table] = []
        self.problems: list[Problem] = []
        self.primary: dict[str, tuple[str, ...]] = {}
        self.foreign: list[ForeignKey] = []
        self.renamed: dict[str, dict[str, str]] = {}

    def read(self, listed: DatabaseTable, on_rows: Callable[[int], None]) -> None:
        """Read one table and what is declared of it."""
        given = [c["name"] for c in self.inspector.get_columns(listed.bare, schema=listed.schema)]
        if not given:
            self.problems.append(
                error(self.label, f"has a table {listed.name!r} without columns.", "Leave it out.")
            )
            return
        names, problems = clean_names(self.label, given)
        self.renamed[listed.name] = dict(zip(given, names, strict=True))
        primary = self.inspector.get_pk_constraint(listed.bare, schema=listed.schema)["constrained_columns"]
        query: Any = sa.select(*(sa.column(name) for name in given)).select_from(
            sa.table(listed.bare, schema=listed.schema)
        )
        query = query.order_by(*(sa.column(name) for name in primary)).limit(self.row_limit)
        with Chunks(names, self.folder) as chunks:
            result = self.connection.execution_options(stream_results=True).execute(query)
            while rows := result.fetchmany(ROWS_PER_CHUNK):
                chunks.add(rows)
                on_rows(chunks.rows)
            problems += self._tell_size(listed, chunks.rows)
            table, found = chunks.finish(self.label, listed.name, problems)
        if table is not None:
            self.tables.append(table)
        self.problems += [_in_table(problem, listed.name) for problem in found]
        if primary:
            self.primary[listed.name] = tuple(self.renamed[listed.name][c] for c in primary)
        self._note_foreign_keys(listed)

    def _tell_size(self, listed: DatabaseTable, rows: int) -> list[Problem]:
        if not rows:
            return [warning(self.label, "has columns and no rows.", "Add rows, or leave it out.")]
        if rows < self.row_limit:
            return []
        count = sa.select(sa.func.count()).select_from(sa.table(listed.bare, schema=listed.schema))
        total = int(self.connection.execute(count).scalar_one())
        if total <= rows:
            return []
        message = (
            f"has {total:,} rows, of which the first {rows:,} were read: {total - rows:,} were left out."
        )
        return [warning(self.label, message, "Raise the row limit to read more.")]

    def _note_foreign_keys(self, listed: DatabaseTable) -> None:
        for key in self.inspector.get_foreign_keys(listed.bare, schema=listed.schema):
            parent = _qualified(key["referred_table"], key["referred_schema"], self.inspector)
            columns = tuple(key["referred_columns"])
            if not columns:
                # SQLite lets a key name only the table: its primary key is meant.
                columns = tuple(
                    self.inspector.get_pk_constraint(key["referred_table"])["constrained_columns"]
                )
            pair = ForeignKey(
                child_table=listed.name,
                child_columns=tuple(key["constrained_columns"]),
                parent_table=parent,
                parent_columns=columns,
            )
            if pair not in self.foreign and len(pair.child_columns) == len(columns):
                self.foreign.append(pair)

    def source(self) -> Source:
        """All that was read; keys to tables that were not read are left out."""
        read = {table.name: table.columns for table in self.tables}
        foreign = [key for key in self.foreign if key.parent_table in read]
        renamed = tuple(
            ForeignKey(
                child_table=key.child_table,
                child_columns=tuple(self.renamed[key.child_table].get(c, c) for c in key.child_columns),
                parent_table=key.parent_table,
                parent_columns=tuple(self.renamed[key.parent_table].get(c, c) for c in key.parent_columns),
            )
            for key in foreign
        )
        declared = Declared(primary_keys=self.primary, foreign_keys=renamed).within(read)
        return Source(tables=tuple(self.tables), problems=tuple(self.problems), declared=declared)


def _tell_rows(on_progress: OnProgress, share: float, table: str, rows: int) -> None:
    on_progress(share, f"{table}: {rows:,} rows")


def _tables(connection: Connection) -> Iterator[DatabaseTable]:
    inspector = sa.inspect(connection)
    default = inspector.default_schema_name
    schemas = [s for s in inspector.get_schema_names() if s != default and not _SYSTEM.fullmatch(s)]
    for schema in (None, *schemas) if connection.dialect.name != "sqlite" else (None,):
        for (_, bare), columns in sorted(inspector.get_multi_columns(schema=schema).items(), key=str):
            yield DatabaseTable(_qualified(bare, schema, inspector), len(columns), schema, bare)


def _qualified(table: str, schema: str | None, inspector: sa.Inspector) -> str:
    return table if schema in (None, inspector.default_schema_name) else f"{schema}.{table}"


def _in_table(problem: Problem, table: str) -> Problem:
    return Problem(**{**vars(problem), "table": table})


def _with_driver(url: str) -> str:
    """`postgres://` is what some hosts write, and psycopg the driver that is used."""
    return re.sub(r"^(postgres|postgresql)://", "postgresql+psycopg://", url.strip())


def _problem(file: str | None, message: str, fix: str) -> Problem:
    return Problem(severity=Severity.ERROR, file=file, message=message, fix=fix)
