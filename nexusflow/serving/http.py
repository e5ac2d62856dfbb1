"""The HTTP face of a served model: predictions, health, and an OpenAPI description at /docs."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile

import nexusflow
from nexusflow.data.tables import Table
from nexusflow.errors import NexusFlowError
from nexusflow.services.opening import as_tables
from nexusflow.services.prediction import safe_csv
from nexusflow.services.values import plain_values
from nexusflow.serving.limits import CAME, LimitedBody, Limits
from nexusflow.serving.server import (
    Record,
    Server,
    TimedOut,
    describe,
    make_server,
    problem_records,
    read_table,
)

SETTINGS = "NEXUSFLOW_SERVE"
# Headers have little room.
MOST_TOLD = 10


class Asked(BaseModel):
    """The tables to score, each a list of rows. One that the server holds may be left out."""

    tables: dict[str, list[Record]]
    as_of: str | None = Field(default=None, description="The date of a question over time, as 2024-01-31.")


class Answered(BaseModel):
    """A record per row of the entity table, in its order, and what of the tables did not fit."""

    predictions: list[Record]
    problems: list[Record] = Field(description="severity, message, fix, and the table, column and row meant")


class Refused(BaseModel):
    """Why there are no predictions."""

    problems: list[Record]


REFUSALS: dict[int | str, dict[str, Any]] = {
    413: {"model": Refused, "description": "The body is too large."},
    422: {"model": Refused, "description": "The tables do not fit the model, or cannot be read."},
    503: {"model": Refused, "description": "It took longer than a request may."},
}
AsOf = Annotated[str | None, Query(description="The date of a question over time, as 2024-01-31.")]


def make_app(server: Server) -> FastAPI:
    """The application that answers for this server."""
    app = FastAPI(title=f"NexusFlow: {server.trained.run.name}", version=nexusflow.__version__)
    app.add_middleware(LimitedBody, limits=server.limits)

    @app.exception_handler(NexusFlowError)
    async def _refused(request: Request, error: NexusFlowError) -> JSONResponse:
        return JSONResponse({"problems": problem_records(error.problems)}, status_code=422)

    @app.exception_handler(TimedOut)
    async def _timed_out(request: Request, error: TimedOut) -> JSONResponse:
        problem = {"severity": "error", "message": server.limits.too_slow}
        return JSONResponse({"problems": [problem]}, status_code=503, headers={"Retry-After": "1"})

    @app.get("/health")
    async def health() -> Record:
        """Whether the model is loaded and answers."""
        return {"status": "ok", "model": server.trained.run.name, "version": nexusflow.__version__}

    @app.get("/model")
    async def model() -> Record:
        """What the model answers, its measured metrics, and the tables and columns that it reads."""
        return describe(server.trained, server.held.tables)

    @app.post("/predict", response_model=Answered, responses=REFUSALS)
    async def predict(request: Request, asked: Asked) -> Response:
        """Score every row of the entity table; the target may be absent."""

        def read() -> list[Table]:
            return [server.table(name, records) for name, records in asked.tables.items()]

        prediction = await server.predict(read, asked.as_of, request.scope[CAME])
        body = {
            "predictions": plain_values(prediction.frame),
            "problems": problem_records(prediction.problems),
        }
        return Response(json.dumps(body, ensure_ascii=False), media_type="application/json")

    @app.post("/predict/files", responses=REFUSALS, response_class=Response, openapi_extra=FILES)
    async def predict_files(request: Request, as_of: AsOf = None) -> Response:
        """Score uploaded files, one per table and named as the table is; the answer is a CSV file."""
        async with request.form(max_files=200, max_fields=0) as form:
            files = [(name, file) for name, file in form.multi_items() if isinstance(file, UploadFile)]
            given = [(name, file.filename or name, await file.read()) for name, file in files]

        def read() -> list[Table]:
            return [read_table(*each) for each in given]

        prediction = await server.predict(read, as_of, request.scope[CAME])
        told = json.dumps(problem_records(prediction.problems[:MOST_TOLD]))
        return Response(safe_csv(prediction.frame), media_type="text/csv", headers={"X-Problems": told})

    return app


FILES = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "additionalProperties": {"type": "string", "format": "binary"},
                    "description": "A file per table, under the table's name.",
                }
            }
        },
    }
}


def from_environment() -> FastAPI:
    """The application of one worker process, as `settings` told it through the environment."""
    given = json.loads(os.environ[SETTINGS])
    server = make_server(
        Path(given["model"]), held=as_tables(given["tables"], ()), limits=Limits(**given["limits"])
    )
    return make_app(server)


def in_environment(model: Path, tables: Mapping[str, Path], limits: Limits) -> None:
    """Leave word for worker processes of what to serve; see `from_environment`."""
    places = {name: str(path) for name, path in tables.items()}
    os.environ[SETTINGS] = json.dumps({"model": str(model), "tables": places, "limits": asdict(limits)})
