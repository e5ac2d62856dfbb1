"""Databases that a page may open: servers, and SQLite files of the server's data folder."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from nexusflow.errors import DataError, Problem, Severity
from nexusflow.services.folder import inside

if TYPE_CHECKING:
    from nexusflow.data.sources.database import Database


@dataclass(frozen=True, kw_only=True)
class Server:
    """A kind of database server: the dialect that SQLAlchemy reads it by, the package it takes, and its usual port."""

    dialect: str
    package: str
    port: int
    tested: bool = False


# What a form offers. Others, whose addresses need more than these fields, are reached by their address.
KINDS = {
    "PostgreSQL": Server(dialect="postgresql", package="psycopg", port=5432, tested=True),
    "MySQL or MariaDB": Server(dialect="mysql", package="pymysql", port=3306),
}
_IN_FILES = ("duckdb", "access", "firebird", "sqlcipher")


def database_at(url: str) -> "Database":
    """The database at an address; DataError for one that cannot be read, or is a file of the server's own."""
    from nexusflow.data.sources.database import Database

    found = Database(url)
    if found.sqlite_file is not None:
        name = found.sqlite_file
        if name.startswith("file:"):
            raise DataError(
                _problem(found.label, "is an address of a file with options.", "Name the file alone.")
            )
        return Database(f"sqlite:///{inside(name)}")
    if found.backend in _IN_FILES:
        fix = "Upload the file, or use Python or the command line."
        raise DataError(_problem(found.label, "is a file of the server, which pages do not open.", fix))
    return found


def caveats(kind: str) -> tuple[str, ...]:
    """What should be known before a server of this kind is connected to: a package that is missing, a lack of tests."""
    server, told = KINDS[kind], []
    if find_spec(server.package) is None:
        told.append(
            f"{kind} needs the package {server.package}, which is not installed where NexusFlow runs."
        )
    if not server.tested:
        told.append(
            f"NexusFlow is tested with PostgreSQL and SQLite, not with {kind}: compare the numbers of rows."
        )
    return tuple(told)


def database_with(kind: str, *, host: str, port: int, database: str, user: str, password: str) -> "Database":
    """The database that a form describes; `kind` is one of `KINDS`."""
    from sqlalchemy.engine import URL

    from nexusflow.data.sources.database import Database

    url = URL.create(
        f"{KINDS[kind].dialect}+{KINDS[kind].package}",
        username=user or None,
        password=password or None,
        host=host.strip() or None,
        port=port,
        database=database.strip() or None,
    )
    return Database(url)


def _problem(file: str, message: str, fix: str) -> Problem:
    return Problem(severity=Severity.ERROR, file=file, message=message, fix=fix)
