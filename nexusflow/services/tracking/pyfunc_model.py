"""How MLflow loads a model of ours: it runs this script (models from code), so that nothing has to be pickled.

`predict` takes {table: rows} as frames, or as lists of records where they come over HTTP, and gives the frame of
predictions; the parameter `as_of` dates a question over time.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from nexusflow.errors import DataError


class NexusFlowModel(PythonModel):
    """A trained model behind MLflow's interface."""

    def load_context(self, context: Any) -> None:
        """Read the model from the artifact."""
        from nexusflow.artifact import load_model

        self.trained = load_model(Path(context.artifacts["model"]))

    def predict(
        self, context: Any, model_input: Any, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Score every row of the entity table; DataError where the tables are not given by name."""
        from nexusflow.services.opening import as_tables
        from nexusflow.services.prediction import predict_with

        if not isinstance(model_input, Mapping):
            raise DataError(
                f"Tables are given by name, as in {{'customers': frame}}; found {type(model_input).__name__}."
            )
        frames = {str(name): _frame(rows) for name, rows in model_input.items()}
        names = self.trained.preprocessing.schema.tables
        tables = as_tables(frames, names)
        return predict_with(self.trained, tables, as_of=(params or {}).get("as_of")).frame


def _frame(rows: Any) -> Any:
    return rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows)


set_model(NexusFlowModel())
