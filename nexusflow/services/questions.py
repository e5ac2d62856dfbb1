"""Questions over time in the configuration file, and their label tables on disk."""

import difflib
import hashlib
import io
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd

from nexusflow.config import DatasetConfig, RunConfig
from nexusflow.config_question import (
    AsOfConfig,
    ConditionConfig,
    DateSpanConfig,
    EligibilityConfig,
    PathStepConfig,
    QuestionConfig,
)
from nexusflow.data.labels import Labels, evaluate
from nexusflow.data.question import (
    WITHOUT_OPERAND,
    Aggregate,
    AsOf,
    Comparison,
    Condition,
    DateSpan,
    Eligibility,
    Question,
    Who,
)
from nexusflow.data.schema import ForeignKey, Schema
from nexusflow.data.tables import TableSet
from nexusflow.errors import ConfigError, Problem, Severity
from nexusflow.services.storage import read_json, write_bytes, write_json


def question_from_config(asked: QuestionConfig, config: RunConfig, schema: Schema) -> Question:
    """The question as the file states it, its tables by the names that the engine knows."""
    return Question(
        entity_table=_table(config, asked.entity_table, "entity_table"),
        event_table=_table(config, asked.event_table, "event_table"),
        aggregate=Aggregate(asked.aggregate),
        value_column=asked.value_column,
        where=tuple(
            Condition(column=c.column, comparison=Comparison(c.comparison), value=c.value)
            for c in asked.where
        ),
        comparison=Comparison(asked.comparison) if asked.comparison else None,
        threshold=asked.threshold,
        horizon=asked.horizon,
        as_of=AsOf(
            spans=tuple(DateSpan(**span.model_dump()) for span in asked.as_of.spans),
            dates=asked.as_of.dates,
            each_event=asked.as_of.each_event,
        ),
        eligibility=Eligibility(
            who=Who(asked.eligibility.who), within=asked.eligibility.within, since=asked.eligibility.since
        ),
        path=tuple(_key(config, schema, step) for step in asked.path),
        time_column=asked.time_column or "",
        observed_until=asked.observed_until,
    )


def question_to_config(question: Question) -> QuestionConfig:
    """The question as `question_from_config` reads it."""
    return QuestionConfig.model_validate(
        {
            "entity_table": question.entity_table,
            "event_table": question.event_table,
            "aggregate": str(question.aggregate),
            "value_column": question.value_column,
            "where": [
                ConditionConfig(
                    column=c.column,
                    comparison=c.comparison.value,
                    value=None if c.comparison in WITHOUT_OPERAND else c.value,
                )
                for c in question.where
            ],
            "comparison": str(question.comparison) if question.comparison else None,
            "threshold": question.threshold,
            "horizon": question.horizon,
            "as_of": AsOfConfig(
                spans=tuple(DateSpanConfig(**vars(span)) for span in question.as_of.spans),
                dates=question.as_of.dates,
                each_event=question.as_of.each_event,
            ),
            "eligibility": EligibilityConfig(
                who=question.eligibility.who.value,
                within=question.eligibility.within,
                since=question.eligibility.since,
            ),
            "path": [PathStepConfig(table=k.child_table, columns=k.child_columns) for k in question.path],
            "time_column": question.time_column or None,
            "observed_until": question.observed_until,
        }
    )


class LabelFiles:
    """The label table of a workspace's question: a Parquet file with the question beside it, made anew when the tables
    or the question have changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "labels"

    def read(self, tables: TableSet, question: Question) -> Labels:
        """The label table of this question over these tables; TaskError where there is none."""
        stamp = _stamp(tables, question)
        try:
            return _read(self.folder, stamp)
        except FileNotFoundError:
            labels = evaluate(tables, question)
        self._keep(stamp, question, labels)
        return labels

    def clear(self) -> None:
        """Remove every label table."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                path.unlink(missing_ok=True)

    def _keep(self, stamp: str, question: Question, labels: Labels) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.clear()
        # Numbers stand for the names in the file: a name may be one that Parquet cannot hold.
        frame = labels.frame.set_axis([str(at) for at in range(labels.frame.shape[1])], axis=1)
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        write_bytes(self.folder / f"{stamp}.parquet", buffer.getvalue())
        told = {name: value for name, value in vars(labels).items() if name != "frame"}
        told |= {"until": labels.until.isoformat(), "columns": list(labels.frame.columns)}
        write_json(self.folder / f"{stamp}.json", {"question": question.to_dict(), "labels": told})


@lru_cache(maxsize=8)
def _read(folder: Path, stamp: str) -> Labels:
    """What was kept under this stamp; FileNotFoundError where nothing was."""
    kept = read_json(folder / f"{stamp}.json")
    if kept is None:
        raise FileNotFoundError(stamp)
    told = dict(kept["labels"])
    frame = pd.read_parquet(folder / f"{stamp}.parquet").set_axis(told.pop("columns"), axis=1)
    return Labels(frame=frame, **{**told, "until": pd.Timestamp(told["until"])})


def _stamp(tables: TableSet, question: Question) -> str:
    """A digest of the question and of every table that its labels depend on."""
    used = sorted({question.entity_table, question.event_table, *(k.parent_table for k in question.path)})
    said = {"question": question.to_dict(), "tables": [tables[name].sha256 for name in used]}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _table(config: RunConfig, name: str, setting: str) -> str:
    table = DatasetConfig(name=name).table
    known = [dataset.table for dataset in config.datasets]
    if table not in known:
        message = f"target.question.{setting} names {name!r}, which is not one of the datasets."
        fix, place = _nearest(table, known), f"target.question.{setting}"
        raise ConfigError(Problem(severity=Severity.ERROR, message=message, fix=fix, setting=place))
    return table


def _key(config: RunConfig, schema: Schema, step: PathStepConfig) -> ForeignKey:
    table = _table(config, step.table, "path")
    keys = [key for key in schema.foreign_keys if key.child_table == table]
    found = next((key for key in keys if key.child_columns == step.columns), None)
    if found is None:
        message = (
            f"target.question.path names {', '.join(step.columns)}, which is no foreign key of this table."
        )
        known = [", ".join(key.child_columns) for key in keys]
        fix = _nearest(", ".join(step.columns), known)
        raise ConfigError(
            Problem(
                severity=Severity.ERROR, table=table, message=message, fix=fix, setting="target.question.path"
            )
        )
    return found


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known) or 'none'}."
