"""Databases that a page may open: servers, and SQLite files of the server's data folder."""

from typing import TYPE_CHECKING

from nexusflow.errors import DataError, Problem, Severity
from nexusflow.services.folder import inside

if TYPE_CHECKING:
    from nexusflow.data.sources.database import Database

# What a form offers: the kind, the driver that reads it, and the port it listens on.
KINDS = {
    "PostgreSQL": ("postgresql+psycopg", 5432),
    "MySQL or MariaDB": ("mysql+pymysql", 3306),
    "SQL Server": ("mssql+pyodbc", 1433),
    "Oracle": ("oracle+oracledb", 1521),
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


def database_with(kind: str, *, host: str, port: int, database: str, user: str, password: str) -> "Database":
    """The database that a form describes; `kind` is one of `KINDS`."""
    from sqlalchemy.engine import URL

    from nexusflow.data.sources.database import Database

    url = URL.create(
        KINDS[kind][0],
        username=user or None,
        password=password or None,
        host=host.strip() or None,
        port=port,
        database=database.strip() or None,
    )
    return Database(url)


def _problem(file: str, message: str, fix: str) -> Problem:
    return Problem(severity=Severity.ERROR, file=file, message=message, fix=fix)
