"""What can go wrong, said in the user's words: what, where, what was found, and the way out."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a problem stops: an error stops the work, a warning or a note does not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing found in what the user gave.

    `message` says what is wrong and what was found, `fix` the way out; `row` counts data rows from 1,
    the header not counted, and `line` those of a text file. `code` names the finding for programs, such as `orphans`,
    and `setting` the place in a configuration, in dots; they are not shown.
    """

    severity: Severity
    message: str
    fix: str = ""
    file: str | None = None
    table: str | None = None
    column: str | None = None
    row: int | None = None
    code: str = ""
    line: int | None = None
    setting: str = ""

    @property
    def place(self) -> str:
        """Where it is, outermost first, such as `table customers, column age, row 12`."""
        parts = [
            f"{kind} {value}"
            for kind, value in (
                ("file", self.file),
                ("line", self.line),
                ("table", self.table),
                ("column", self.column),
                ("row", self.row),
            )
            if value is not None
        ]
        return ", ".join(parts)

    def __str__(self) -> str:
        head = f"{self.place}: " if self.place else ""
        return f"{head}{self.message}" + (f" {self.fix}" if self.fix else "")


class NexusFlowError(ValueError):
    """The base of every error that a user can cause; `problems` are its findings, one or more."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems: tuple[Problem, ...] = tuple(
            p if isinstance(p, Problem) else Problem(severity=Severity.ERROR, message=p) for p in problems
        )
        super().__init__("\n".join(str(p) for p in self.problems))


class DataError(NexusFlowError):
    """A file or table that cannot be read or used."""


class SchemaError(NexusFlowError):
    """Keys, kinds or relations that do not fit the tables."""


class TaskError(NexusFlowError):
    """A question that cannot be asked of these tables."""


class ConfigError(NexusFlowError):
    """A setting that is unknown, of the wrong type, or without effect."""


class TrainingError(NexusFlowError):
    """A training that cannot start or go on."""


class ArtifactError(NexusFlowError):
    """A saved model that cannot be read, or does not fit the tables given to it."""
