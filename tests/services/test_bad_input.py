"""What bad input gets, from the files to the command line: told with its place and the way out, and the rest kept."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from nexusflow.cli import app
from nexusflow.data.examples import resolve_task
from nexusflow.data.schema import ForeignKey, Kind
from nexusflow.errors import NexusFlowError, Problem
from nexusflow.services.training import readiness
from nexusflow.services.workspace import Workspace

ROWS, MANY = 120, 10_000
RNG = np.random.default_rng(0)
PEOPLE = pd.DataFrame(
    {
        "id": [f"p{n}" for n in range(ROWS)],
        "age": RNG.integers(18, 80, ROWS).astype(float),
        "city": RNG.choice(list("abc"), ROWS),
        "left": RNG.integers(0, 2, ROWS),
    }
)
ORDERS = pd.DataFrame({"order": range(300), "id": RNG.choice(PEOPLE["id"], 300), "amount": RNG.random(300)})
EVIL = '![x](http://evil.example)<b>"c"\n\N{PARTY POPPER}'
Frames = dict[str, pd.DataFrame | bytes]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Bad files and what must be said of them: where, a few words, and whether a training may start."""

    files: Callable[[], Frames]
    place: tuple[str | None, str | None, int | None]
    words: str
    trains: bool
    people: dict[str, object] | None = None
    kinds: dict[str, Kind] | None = None


def frames(people: pd.DataFrame | bytes = PEOPLE, orders: pd.DataFrame = ORDERS, **more: bytes) -> Frames:
    return {"people": people, "orders": orders, **more}


def people(**columns: object) -> Callable[[], Frames]:
    return lambda: frames(PEOPLE.assign(**columns))


def head(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


CASES = {
    "an empty file": Case(
        files=lambda: frames(b""), place=(None, None, None), words="is empty", trains=False
    ),
    "another delimiter": Case(
        files=lambda: frames(head(PEOPLE).replace(b",", b"~")),
        place=("people", None, None),
        words="If '~' separates its columns",
        trains=False,
    ),
    "a column name twice": Case(
        files=lambda: frames(head(PEOPLE).replace(b"age,city", b"age,age", 1)),
        place=("people", "age.2", None),
        words="was named 'age.2'",
        trains=True,
    ),
    "a primary key twice": Case(
        files=people(id=["p1", "p1", *PEOPLE["id"][2:]]),
        place=("people", "id", 2),
        words="1 row repeats the key",
        trains=False,
    ),
    "a primary key missing": Case(
        files=people(id=[None, *PEOPLE["id"][1:]]),
        place=("people", "id", 1),
        words="is missing in 1 of",
        trains=False,
    ),
    "orphans": Case(
        files=lambda: frames(orders=ORDERS.assign(id=[*ORDERS["id"][:7], *["zz"] * 40, *ORDERS["id"][47:]])),
        place=("orders", "id", 8),
        words="in 40 rows",
        trains=True,
    ),
    "keys of two types": Case(
        files=lambda: frames(orders=ORDERS.assign(id=range(300))),
        place=("orders", "id", None),
        words="nothing can match",
        trains=False,
    ),
    "a reference to itself": Case(
        files=people(boss="p0"),
        place=("people", "boss", None),
        words="refers to its own table",
        trains=True,
        people={
            "foreign_keys": [{"columns": "boss", "references_table": "people", "references_columns": "id"}]
        },
    ),
    "a cycle": Case(
        files=lambda: frames(PEOPLE.assign(first=ORDERS["order"][:ROWS])),
        place=("people", None, None),
        words="circle",
        trains=True,
        people={
            "foreign_keys": [
                {"columns": "first", "references_table": "orders", "references_columns": "order"}
            ]
        },
    ),
    "a table joined to nothing": Case(
        files=lambda: frames(holidays=b"day,name\n2024-01-01,x\n2024-02-01,y\n"),
        place=("holidays", None, None),
        words="is joined to no other table",
        trains=True,
    ),
    "a target of one class": Case(
        files=people(left=1), place=("people", "left", None), words="one value in every row", trains=False
    ),
    "a target all missing": Case(
        files=people(left=np.nan), place=("people", "left", None), words="missing in every row", trains=False
    ),
    "text among numbers": Case(
        files=people(age=[*PEOPLE["age"][:4].astype(str), "old", *PEOPLE["age"][5:].astype(str)]),
        place=("people", "age", 5),
        words="cannot be read as numbers; the first is 'old'",
        trains=True,
    ),
    "infinities": Case(
        files=people(age=[1.0, np.inf, -np.inf, *PEOPLE["age"][3:]]),
        place=("people", "age", 2),
        words="2 infinite values",
        trains=True,
    ),
    "ten thousand categories": Case(
        files=lambda: frames(
            pd.DataFrame(
                {
                    "id": [f"p{n}" for n in range(MANY)],
                    "code": [f"k{n}" for n in range(MANY)],
                    "left": RNG.integers(0, 2, MANY),
                }
            )
        ),
        place=("people", "code", None),
        words="10,000 categories",
        trains=True,
        people={"categorical_columns": ["code"]},
        kinds={"code": Kind.CATEGORICAL},
    ),
    "a table of one row": Case(
        files=lambda: frames(orders=ORDERS.head(1)),
        place=("orders", None, None),
        words="has one row",
        trains=True,
    ),
}


def contents(case: Case) -> dict[str, bytes]:
    return {
        f"{name}.csv": given if isinstance(given, bytes) else head(given)
        for name, given in case.files().items()
    }


def keys(case: Case) -> tuple[ForeignKey, ...]:
    named = (case.people or {}).get("foreign_keys", [])
    own = [
        ForeignKey(
            child_table="people",
            child_columns=(key["columns"],),
            parent_table=key["references_table"],
            parent_columns=(key["references_columns"],),
        )
        for key in named
    ]
    usual = ForeignKey(
        child_table="orders", child_columns=("id",), parent_table="people", parent_columns=("id",)
    )
    return (*own, usual)


def told_in_the_app(case: Case, root: Path) -> tuple[list[Problem], bool]:
    """Everything that the pages say on the way to a training, and whether it may start."""
    workspace = Workspace.open("bad-input-0001", root)
    told = list(workspace.add_files(list(contents(case).items())))
    assert "orders" in workspace.tables(), "the good file is kept"
    schema = workspace.schema()
    if "people" in schema.tables:
        schema = schema.with_table(
            replace(schema["people"], primary_key=("id",)).with_kinds(case.kinds or {})
        )
    if "id" in schema.tables.get("people", ()):
        schema = replace(schema, foreign_keys=keys(case))
    workspace.save_schema(schema)
    told += workspace.checks()
    try:
        workspace.save_task(resolve_task(workspace.tables(), workspace.schema(), "people", "left"))
    except NexusFlowError as error:
        told += error.problems
    now = readiness(workspace)
    return [*told, *now], not [p for p in now if p.severity == "error"]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_app_names_the_place_and_the_way_out(case: Case, tmp_path: Path) -> None:
    told, ready = told_in_the_app(case, tmp_path)
    found = [p for p in told if case.words in str(p)]
    assert found, told
    assert (found[0].table, found[0].column, found[0].row) == case.place
    assert found[0].fix or found[0].severity == "note"
    assert ready is case.trains


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_command_line_says_the_same(case: Case, tmp_path: Path) -> None:
    for name, content in contents(case).items():
        (tmp_path / name).write_bytes(content)
    names = [name.removesuffix(".csv") for name in contents(case)]
    to_people = {"columns": "id", "references_table": "people", "references_columns": "id"}
    settings = {
        "people": {"primary_key": "id", **(case.people or {})},
        "orders": {"foreign_keys": [to_people]},
    }
    config = {
        "target": {"target_table": "people", "target_column": "left"},
        "datasets": [{"name": name, **settings.get(name, {})} for name in names],
        "architecture": {
            "global_embed_dim": 8,
            "num_blocks": 1,
            "num_heads": 2,
            "rows_per_key": 2,
            "hops": 1,
        },
        "training": {
            "epochs": 1,
            "batch_size": 4096,
            "device": "cpu",
            "baselines": False,
            "distillation": 0.0,
        },
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    result = CliRunner().invoke(
        app, ["train", "--config", str(tmp_path / "config.yaml"), "--out", str(tmp_path)]
    )
    assert case.words in result.stderr
    assert result.exit_code == (0 if case.trains else 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_names_that_look_like_markup_are_read_and_printed_as_they_are(tmp_path: Path) -> None:
    renamed = Case(
        files=lambda: frames(
            PEOPLE.rename(columns={"age": EVIL}).assign(**{EVIL: ["x", *PEOPLE["age"][1:]]})
        ),
        place=("people", EVIL, 1),
        words="cannot be read as numbers",
        trains=True,
    )
    told, ready = told_in_the_app(renamed, tmp_path)
    (found,) = {p for p in told if renamed.words in str(p)}
    assert ready and found.table == "people" and found.row == 1
    assert "evil.example" in str(found.column)
