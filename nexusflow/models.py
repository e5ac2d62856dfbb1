"""A trained model in a program: loaded from its file, asked about tables, row by row or by the million.

from nexusflow import load_model

model = load_model("model.nxf")
frame = model.predict({"customers.csv": customers, "orders": "orders.parquet"})
"""

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from nexusflow import artifact
from nexusflow.data.tables import Table, TableSet
from nexusflow.errors import Problem, Severity
from nexusflow.explain.baseline import Baseline
from nexusflow.services.attributing import ATTRIBUTED
from nexusflow.services.opening import as_tables, wanted_tables
from nexusflow.services.prediction import Prediction, Scoring, open_scoring, predict_with
from nexusflow.services.prediction_files import write_predictions

if TYPE_CHECKING:
    from nexusflow.api import Explanation

Tables = TableSet | Mapping[str, pd.DataFrame | Table | Path | str] | Path | str


class TablesWarning(UserWarning):
    """What of the tables a model could not read as in training."""


class TrainedModel(artifact.TrainedModel):
    """A model ready to predict.

    Tables are frames or files by the name of the table (`customers`, or `customers.csv`), or a folder of files named as
    the tables. The target column may be absent. A model of a question over time is asked as of `as_of` (such as
    2024-01-31), or where the data end. ArtifactError names every table and column that is needed and lacks.
    """

    def predict(self, tables: Tables, *, as_of: str | None = None) -> pd.DataFrame:
        """A row per row of the entity table, in its order: key, cutoff, prediction, and a probability per class.

        There is no cutoff where the question has none. A value has the ends of its interval instead of probabilities,
        as in `low_90` and `high_90`. What the model could not read as in training is warned of (TablesWarning);
        `report` gives it as a list, with what was not used.
        """
        found = self.report(tables, as_of=as_of)
        for problem in found.problems:
            if problem.severity is Severity.WARNING:
                warnings.warn(str(problem), TablesWarning, stacklevel=2)
        return found.frame

    def report(self, tables: Tables, *, as_of: str | None = None) -> Prediction:
        """The predictions (`frame`), and what did not fit (`problems`): unseen categories, changed types, lost keys."""
        return predict_with(self, self._read(tables), as_of=as_of)

    def check(self, tables: Tables, *, as_of: str | None = None) -> tuple[Problem, ...]:
        """What of these tables does not fit, without scoring them."""
        return self._scoring(tables, as_of).problems

    def predict_blocks(self, tables: Tables, *, as_of: str | None = None) -> Iterator[pd.DataFrame]:
        """What `predict` gives, in frames of at most 65,536 rows: memory does not grow with what is said of them."""
        return self._scoring(tables, as_of).frames()

    def predict_to(
        self, file: Path | str, tables: Tables, *, as_of: str | None = None
    ) -> tuple[Problem, ...]:
        """Write what `predict` gives as .csv or .parquet while it is made; gives what did not fit."""
        scoring = self._scoring(tables, as_of)
        write_predictions(scoring, Path(file))
        return scoring.problems

    def explain(
        self,
        tables: Tables | None = None,
        *,
        as_of: str | None = None,
        baseline: str = Baseline.MISSING,
        attributed: int = ATTRIBUTED,
    ) -> "Explanation":
        """The reasons for what it says of these tables; see `nexusflow.api.explain`."""
        from nexusflow.api import explain

        return explain(self, tables, as_of=as_of, baseline=baseline, attributed=attributed)

    def save(self, path: Path | str) -> None:
        """Write it as a model file; see `nexusflow.artifact.save_model`."""
        artifact.save_model(Path(path), **artifact.parts_of(self))

    def _read(self, tables: Tables) -> TableSet:
        return as_tables(tables, wanted_tables(self))

    def _scoring(self, tables: Tables, as_of: str | None) -> Scoring:
        return open_scoring(self, self._read(tables), as_of=as_of)


def load_model(path: Path | str) -> TrainedModel:
    """The model in this file, or of the run whose folder this is; ArtifactError says why it cannot be read."""
    return public(artifact.load_model(artifact.find_model(Path(path))))


def public(found: artifact.TrainedModel) -> TrainedModel:
    """The same model, as it is offered to programs."""
    return TrainedModel(**{field.name: getattr(found, field.name) for field in fields(found)})


__all__ = ["TablesWarning", "TrainedModel", "load_model", "public"]
