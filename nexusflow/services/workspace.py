"""A user's workspace on disk: tables, schema, question, settings and runs, under an id only they know."""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexusflow.config import ArchitectureConfig, RunConfig, TrainingConfig
from nexusflow.data.asking import question_task, with_labels
from nexusflow.data.findings import Finding
from nexusflow.data.found import ROW_LIMIT, OnProgress
from nexusflow.data.infer import Proposal
from nexusflow.data.labels import Labels
from nexusflow.data.load import File, as_tables, quiet, read_file
from nexusflow.data.question import Question
from nexusflow.data.question_checks import resolve_question
from nexusflow.data.relations import RelationStats
from nexusflow.data.schema import ForeignKey, Kind, Schema
from nexusflow.data.tables import TableSet
from nexusflow.data.task import Split, Task
from nexusflow.errors import DataError, NexusFlowError, Problem, TaskError
from nexusflow.services import known
from nexusflow.services.bring import read_files
from nexusflow.services.drawing import DRAWING_FILE, Drawing, read_drawing, write_drawing
from nexusflow.services.logged_to import MLOPS_FILE, log_to, logged_to
from nexusflow.services.project_link import as_in_project
from nexusflow.services.projects import EncoderChoice, schema_from_config, task_from_config, to_config
from nexusflow.services.questions import LabelFiles
from nexusflow.services.reconcile import standing
from nexusflow.services.rename import rename_table
from nexusflow.services.storage import RunStore, home, one_at_a_time, read_json, write_bytes, write_json
from nexusflow.services.tablefiles import TableFiles

if TYPE_CHECKING:
    from nexusflow.data.sources.database import Database

_WORKSPACE_ID = re.compile(r"[a-z0-9-]{8,64}")


def new_workspace_id() -> str:
    """An id that nobody can guess; who holds it holds the workspace."""
    return secrets.token_hex(16)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A task with the tables and the schema that it speaks of; `labels` where it is a question over time."""

    task: Task
    tables: TableSet
    schema: Schema
    labels: Labels | None = None


class Workspace:
    """One user's tables, what they mean, what is asked of them, and the runs made with them.

    Everything is on disk; an object of this class holds no state of its own and is cheap to open anew.
    """

    def __init__(self, workspace_id: str, folder: Path) -> None:
        self.id = workspace_id
        self.folder = folder
        self.runs = RunStore(folder / "runs")
        self._files = TableFiles(folder)
        self._labels = LabelFiles(folder)

    @classmethod
    def open(cls, workspace_id: str, root: Path | None = None) -> "Workspace":
        """The workspace with this id under `root` (default: `home()`), made if need be."""
        if not _WORKSPACE_ID.fullmatch(workspace_id):
            raise NexusFlowError("This is not the address of a workspace. Open the app without it.")
        folder = (root or home()) / "workspaces" / workspace_id
        folder.mkdir(parents=True, exist_ok=True)
        return cls(workspace_id, folder)

    # Tables

    def tables(self) -> TableSet:
        """The tables, with what was found when they were read in."""
        return self._files.read()

    def add_files(self, files: Sequence[File], on_progress: OnProgress = quiet) -> tuple[Problem, ...]:
        """Read files, given by name and content or by path; every table of every file is added or replaces its
        namesake, and what is bad is told. Large tables stay on disk."""
        with self._files.spooling() as spool:
            return self._files.put_all(read_files(files, spool, on_progress))

    def add_database(
        self,
        database: "Database",
        tables: Sequence[str] | None = None,
        *,
        row_limit: int = ROW_LIMIT,
        on_progress: OnProgress = quiet,
    ) -> tuple[Problem, ...]:
        """Read these tables of a database (all where none are named) with the keys that it declares.

        Of the connection only its label is kept: kind, host and database. DataError where it cannot be read.
        """
        with self._files.spooling() as spool:
            source = database.read(tables, folder=spool, row_limit=row_limit, on_progress=on_progress)
            return self._files.put_all(as_tables([source]))

    def open_sample(self, name: str) -> None:
        """Replace tables, schema, question and settings by those of a sample; runs stay."""
        from sample_data import SAMPLES, sample_tables

        if name not in SAMPLES:
            raise DataError(f"There is no sample {name!r}; the samples are: {', '.join(SAMPLES)}.")
        read = as_tables([read_file(path) for path in sample_tables(name)])
        self.clear()
        self._files.put_all(read)
        for file in ("schema.json", "task.json"):
            write_bytes(self.folder / file, (SAMPLES[name].folder / file).read_bytes())

    def add_tables(self, tables: TableSet) -> None:
        """Add tables that have been read elsewhere, or replace their namesakes."""
        self._files.put_all(tables)

    def rename_table(self, name: str, new: str) -> None:
        """Give a table another name, wherever the workspace speaks of it; DataError where it cannot have it."""
        rename_table(self, self._files, name, new)

    def sizes(self) -> dict[str, int]:
        """How many bytes each table takes on disk."""
        return self._files.sizes()

    def remove_table(self, name: str) -> None:
        """Take a table away; the schema forgets it and the keys that lead to it."""
        if name not in self.tables().tables:
            raise DataError(f"There is no table {name!r} to remove.")
        self._files.remove([name])

    def clear(self) -> None:
        """Empty the workspace; runs, and the models they made, stay."""
        self._files.replace_all(())
        self._labels.clear()
        for file in ("schema.json", "task.json", "settings.json", MLOPS_FILE, DRAWING_FILE):
            (self.folder / file).unlink(missing_ok=True)

    # What the tables mean

    def proposal(self) -> Proposal:
        """What the values suggest: kinds, keys and relations, each with its evidence."""
        return known.proposal(self.folder, self._files.stamp())

    def is_proposed(self) -> bool:
        """Whether `proposal` answers at once, because these tables have been looked at by this server."""
        return known.is_proposed(self.folder, self._files.stamp())

    def schema(self) -> Schema:
        """The saved schema, carried over to the present tables; what it does not speak of is proposed."""
        saved = self._saved_schema()
        return self.proposal().schema if saved is None else saved.schema

    def set_kind(self, table: str, column: str, kind: Kind) -> None:
        """Take a column as this kind; a schema that nobody has accepted stays so."""
        schema = self.schema()
        changed = schema.with_table(schema[table].with_kinds({column: kind}))
        self.save_schema(changed, accepted=self.schema_accepted())

    def save_schema(self, schema: Schema, *, accepted: bool = True) -> None:
        """Keep the schema, with its problems if it has any; `checks` tells them. It is a step that can be undone."""
        with one_at_a_time(self.folder):
            drawing = self.drawing()
            recorded = drawing.recorded(drawing.sheet(self.schema()), drawing.sheet(schema))
            write_json(self.folder / "schema.json", {"accepted": accepted, **schema.to_dict()})
            if recorded != drawing:
                write_drawing(self.folder, recorded)

    def drawing(self) -> Drawing:
        """How the schema is drawn, and the steps by which it came about."""
        return read_drawing(self.folder)

    def redraw(self, change: Callable[[Schema, Drawing], tuple[Schema, Drawing]]) -> None:
        """Change schema and drawing together; no other tab comes in between.

        A schema that stays the same is not saved, so that looking at a proposal does not accept it.
        """
        with one_at_a_time(self.folder):
            before, drawing = self.schema(), self.drawing()
            schema, drawn = change(before, drawing)
            if schema != before:
                write_json(self.folder / "schema.json", schema.to_dict())
            if drawn != drawing:
                write_drawing(self.folder, drawn)

    def undo(self) -> bool:
        """Take back the last step of schema or drawing; False where there is none."""

        def back(schema: Schema, drawing: Drawing) -> tuple[Schema, Drawing]:
            history, sheet = drawing.history.undo(drawing.sheet(schema))
            return sheet.schema, replace(drawing.with_sheet(sheet), history=history)

        can = bool(self.drawing().history.done)
        self.redraw(back)
        return can

    def held(self) -> Mapping[str, Mapping[str, str | None]]:
        """What each column of each table holds (numbers, text or times), which decides what can be joined."""
        return known.held(self.folder, self._files.stamp())

    def schema_accepted(self) -> bool:
        """Whether a schema has been saved that speaks of every present table and column."""
        saved = self._saved_schema()
        return saved is not None and saved.accepted

    def checks(self) -> tuple[Problem, ...]:
        """What is wrong, or odd, with the schema as it stands, given the tables."""
        found = known.found(self.folder, self._files.stamp(), self.schema())
        return tuple(problem for problem, _ in found)

    def findings(self) -> tuple[Finding, ...]:
        """The same, and doubts about keys and features, each with the changes that would end it."""
        return known.findings(self.folder, self._files.stamp(), self.schema())

    def relation_stats(self, schema: Schema | None = None) -> dict[ForeignKey, RelationStats]:
        """Match rate, cardinality and fan-out of each foreign key of the schema (default: the present one).

        Counted once per key and upload, so an edit costs no more than its own key. A key that names a table or
        column which is not there is left out.
        """
        return known.stats(self.folder, self._files.stamp(), schema or self.schema())

    def counted_stats(self, schema: Schema) -> dict[ForeignKey, RelationStats | None]:
        """The same without counting anything: None for a key that has not been counted yet."""
        return known.counted(self.folder, self._files.stamp(), schema)

    def _saved_schema(self) -> known.Saved | None:
        try:
            text = (self.folder / "schema.json").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return known.saved(self.folder, self._files.stamp(), text)

    # What is asked

    def task(self) -> Task | None:
        """The question, or None where none has been asked or its columns are gone."""
        data = read_json(self.folder / "task.json")
        if data is None:
            return None
        return standing(Task.from_dict(data), self.tables(), self.schema())

    def save_task(self, task: Task) -> None:
        """Keep the question."""
        write_json(self.folder / "task.json", task.to_dict())

    def asked(self) -> tuple[TableSet, Schema]:
        """Tables and schema as the question speaks of them: with its label table, where it is one over time.

        TaskError where the tables give it no label any more.
        """
        tables, schema, task = self.tables(), self.schema(), self.task()
        if task is None or task.over_time is None:
            return tables, schema
        labels = self._labels.read(tables, task.over_time)
        return with_labels(tables, schema, task.over_time, task.entity_table, labels)

    def ask(
        self,
        question: Question,
        *,
        split: Split | None = None,
        hidden: tuple[tuple[str, str], ...] = (),
        frozen_at: str | None = None,
    ) -> Asked:
        """The task of a question over time with its label table, which is kept; TaskError where it cannot be asked."""
        tables, schema = self.tables(), self.schema()
        resolved = resolve_question(tables, schema, question)
        labels = self._labels.read(tables, resolved)
        task = question_task(
            tables, schema, resolved, split=split, hidden=hidden, frozen_at=frozen_at, labels=labels
        )
        found = with_labels(tables, schema, resolved, task.entity_table, labels)
        return Asked(task=task, tables=found[0], schema=found[1], labels=labels)

    # How to answer it

    def encoders(self) -> dict[str, EncoderChoice]:
        """The encoder of every present table."""
        chosen = self._settings().get("encoders", {})
        return {name: EncoderChoice(**chosen.get(name, {})) for name in self.tables()}

    def architecture(self) -> ArchitectureConfig:
        """The network's settings."""
        return ArchitectureConfig.model_validate(self._settings().get("architecture", {}))

    def training(self) -> TrainingConfig:
        """The training's settings."""
        return TrainingConfig.model_validate(self._settings().get("training", {}))

    def save_model_settings(
        self,
        *,
        encoders: Mapping[str, EncoderChoice],
        architecture: ArchitectureConfig,
        training: TrainingConfig,
    ) -> None:
        """Keep the settings of the network and its training."""
        settings = {
            "encoders": {name: asdict(choice) for name, choice in encoders.items()},
            "architecture": architecture.model_dump(mode="json"),
            "training": training.model_dump(mode="json"),
        }
        write_json(self.folder / "settings.json", settings)

    def config(self) -> RunConfig:
        """Everything above as one configuration, with what the file of its project says besides; see `own_config`."""
        return as_in_project(self.folder, self.own_config())

    def own_config(self) -> RunConfig:
        """Everything above as one configuration; TaskError where no question has been asked."""
        task = self.task()
        if task is None:
            raise TaskError("There is no question yet. Ask one on the Task page.")
        return to_config(
            schema=self.schema(),
            task=task,
            sources={name: table.source for name, table in self.tables().items()},
            encoders=self.encoders(),
            architecture=self.architecture(),
            training=self.training(),
        ).model_copy(update={"mlops": logged_to(self.folder)})

    def adopt(self, config: RunConfig) -> None:
        """Take schema, question and settings from a configuration that speaks of the present tables.

        Nothing is changed where it does not fit them.
        """
        tables = self.tables()
        schema = schema_from_config(config, tables, self.proposal().schema)
        task = task_from_config(config, tables, schema)
        self.save_schema(schema)
        self.save_task(task)
        choices = {dataset.table: EncoderChoice.of(dataset) for dataset in config.datasets}
        self.save_model_settings(encoders=choices, architecture=config.architecture, training=config.training)
        log_to(self.folder, config.mlops)

    def _settings(self) -> dict[str, Any]:
        return read_json(self.folder / "settings.json") or {}
