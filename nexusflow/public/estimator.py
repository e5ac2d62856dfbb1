"""Scikit-learn estimators on related tables: X is a dict of frames, y the target of the entity table's rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.validation import check_is_fitted

from nexusflow.config import FILE_ENDINGS
from nexusflow.data.featurize import category_names
from nexusflow.data.task import Part
from nexusflow.errors import ConfigError, DataError
from nexusflow.public.data import RelationalData, renamed, table_name
from nexusflow.public.encoders import Encoder
from nexusflow.public.model import NexusFormer
from nexusflow.public.trainer import NexusFlowTrainer

Tables = Mapping[str, pd.DataFrame]
TARGET = "target"


class _Estimator(BaseEstimator, ABC):
    """What both estimators share.

    `target` is `table.column`, or the entity table alone where y is given. `settings` is the rest of a configuration
    (`datasets`, `architecture`, `training`, more of `target` such as `cutoff_column`); what is not said is chosen
    from the data. `encoders` are as NexusFormer takes them.
    """

    _kinds: tuple[str, ...]

    def __init__(
        self,
        target: str,
        *,
        settings: Mapping[str, Any] | None = None,
        encoders: Sequence[Encoder] = (),
        random_state: int = 0,
    ) -> None:
        self.target, self.settings = target, settings
        self.encoders, self.random_state = encoders, random_state

    def fit(self, X: Tables, y: npt.ArrayLike | None = None) -> Self:
        """Train on the rows of the entity table that have a target; a share of them is kept to validate and to test.

        `artifact_` is the trained model and `metrics_` its measured scores. A NexusFlowError says what does not fit.
        """
        table, column = self._named(y is not None)
        tables = dict(renamed(X))  # type: ignore[call-overload]
        if table not in tables:
            raise DataError(f"There is no table {table!r}; given were: {', '.join(tables)}.")
        if y is not None:
            tables[table] = _with_target(tables[table], column, y)
        values = pd.Series(tables[table][column]) if column in tables[table] else pd.Series(dtype=object)
        data = RelationalData.from_frames(tables, self._config(table, column))
        if str(data.task.kind) not in self._kinds:
            raise ConfigError(
                f"{table}.{column} reads as {data.task.kind}; {type(self).__name__} is for "
                f"{' and '.join(self._kinds)} targets."
            )
        model = NexusFormer(self.encoders)
        train, validation = (data.loader(p, batch_size=None) for p in (Part.TRAIN, Part.VALIDATION))
        self.artifact_ = NexusFlowTrainer(model=model).train(train, validation)
        self.metrics_ = self.artifact_.metrics
        self.n_features_in_ = len(tables)
        self._learn_names(values)
        return self

    def _learn_names(self, values: pd.Series) -> None:
        """Keep what predictions are given back as."""

    def _predicted(self, X: Tables) -> pd.DataFrame:
        check_is_fitted(self, "artifact_")
        return self.artifact_.predict(X)

    def _score(
        self,
        measure: Callable[..., float],
        X: Tables,
        y: npt.ArrayLike | None,
        weight: npt.ArrayLike | None,
    ) -> float:
        truth = self._truth(X, y)
        known = ~pd.isna(truth)
        weight = None if weight is None else np.asarray(weight)[known]
        return float(measure(truth[known], self.predict(X)[known], sample_weight=weight))

    @abstractmethod
    def predict(self, X: Tables) -> npt.NDArray[Any]:
        """What is predicted of every row of the entity table, in its order."""

    def _truth(self, X: Tables, y: npt.ArrayLike | None) -> npt.NDArray[Any]:
        if y is not None:
            return np.asarray(y)
        table, column = self._named(False)
        tables = renamed(X)
        if column not in tables[table]:  # type: ignore[index]
            raise DataError(f"Table {table!r} has no column {column!r} to score against; give y.")
        return tables[table][column].to_numpy()  # type: ignore[index]

    def _named(self, given: bool) -> tuple[str, str]:
        table, dot, column = self.target.rpartition(".")
        if dot and f".{column.lower()}" not in FILE_ENDINGS:
            return table_name(table), column
        if given:
            return table_name(self.target), TARGET
        raise ConfigError(
            f"target names a column, as in customers.churned, or y is given; it is {self.target!r}."
        )

    def _config(self, table: str, column: str) -> dict[str, Any]:
        rest = dict(self.settings or {})
        target = {"target_table": table, "target_column": column, **rest.pop("target", {})}
        training = {"baselines": False, "seed": self.random_state, **rest.pop("training", {})}
        return {"target": target, "training": training, **rest}


class NexusFlowClassifier(ClassifierMixin, _Estimator):
    """Predicts a class of each row of the entity table."""

    _kinds = ("binary", "multiclass")

    def predict(self, X: Tables) -> npt.NDArray[Any]:
        """The likeliest class of every row of the entity table, in its order."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def predict_proba(self, X: Tables) -> npt.NDArray[np.float64]:
        """The probability of every class [N, classes], in the order of `classes_`."""
        frame = self._predicted(X)
        return frame[[f"probability_{name}" for name in self._names]].to_numpy()

    def score(self, X: Tables, y: npt.ArrayLike | None = None, sample_weight: Any = None) -> float:
        """The share of rows whose class is right, of those whose class is known."""
        return self._score(accuracy_score, X, y, sample_weight)

    def _learn_names(self, values: pd.Series) -> None:
        names = list(self.artifact_.preprocessors.task.classes)
        values = values.dropna()
        seen = dict(zip(category_names(values), values.tolist(), strict=True))
        self.classes_ = np.array([seen.get(name, name) for name in names])
        self._names = names


class NexusFlowRegressor(RegressorMixin, _Estimator):
    """Predicts a number of each row of the entity table."""

    _kinds = ("regression",)

    def predict(self, X: Tables) -> npt.NDArray[np.float64]:
        """The value of every row of the entity table, in its order."""
        return self._predicted(X)["prediction"].to_numpy()

    def score(self, X: Tables, y: npt.ArrayLike | None = None, sample_weight: Any = None) -> float:
        """The coefficient of determination, over the rows whose value is known."""
        return self._score(r2_score, X, y, sample_weight)


def _with_target(frame: pd.DataFrame, column: str, y: npt.ArrayLike) -> pd.DataFrame:
    values = np.asarray(y)
    if values.shape != (len(frame),):
        raise DataError(f"y has the shape {values.shape}; the entity table has {len(frame)} rows.")
    return frame.assign(**{column: values})
