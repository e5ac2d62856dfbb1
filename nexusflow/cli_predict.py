"""`nexusflow predict` and `nexusflow evaluate`: a trained model on tables."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nexusflow.cli_progress import share_of
from nexusflow.cli_results import NETWORK, print_interval, print_scores
from nexusflow.cli_shared import (
    AsJson,
    UsageError,
    err,
    give,
    read_tables,
    say,
    tell,
    told,
    told_plainly,
)

if TYPE_CHECKING:
    from nexusflow.services.evaluation import Evaluation

Model = Annotated[Path, typer.Argument(help="A trained model, or the folder of its run.", metavar="MODEL")]
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        help="The date to ask a question over time on, as 2024-01-31; default: where the data end.",
    ),
]
TABLE_HELP = "A table and its file, as in customers=data/customers.csv; once for each table."


def predict(
    model: Model,
    table: Annotated[list[str], typer.Option("--table", metavar="NAME=FILE", help=TABLE_HELP)],
    file: Annotated[Path, typer.Option("--out", help="Where predictions go: .csv or .parquet.")],
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Score every row of the entity table with a trained model, block by block, so that there may be millions.

    A model of a question over time scores its entities as of one date, and needs no labels.

    In a CSV, text that a spreadsheet would run as a formula gets a leading apostrophe; Parquet keeps it as it is.

    Example: nexusflow predict models/RUN/model.nxf --table customers=new.csv --table orders=orders.csv --out scores.csv
    """
    with told_plainly():
        if file.suffix not in (".csv", ".parquet"):
            raise UsageError(f"--out must end in .csv or .parquet; it is {file.name!r}.")
        from nexusflow.artifact import find_model, load_model
        from nexusflow.services.prediction import open_scoring
        from nexusflow.services.prediction_files import write_predictions

        trained = load_model(find_model(model))
        tables = read_tables(table)
        tell(tables.problems)
        scoring = open_scoring(trained, tables, as_of=as_of)
        tell(scoring.problems)
        with share_of(err, "Scoring") as on_progress:
            columns = write_predictions(scoring, file, on_progress)
        if as_json:
            problems = told((*tables.problems, *scoring.problems))
            give({"rows": len(scoring), "file": str(file), "columns": columns, "problems": problems})
        else:
            say(f"{len(scoring):,} rows: {file}")


def evaluate(
    model: Model,
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            metavar="NAME=FILE",
            help=f"{TABLE_HELP} Default: the tables of the project folder that the model lies in.",
        ),
    ] = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> None:
    """Measure a model on rows whose answers are known.

    On the tables of its training the test rows are told apart from those it has learned from, and its baselines stand
    beside it. On new tables all rows with a known answer count, and the best constant answer to these very rows stands
    beside it.

    Example: nexusflow evaluate models/RUN --table customers=march.csv --table orders=orders.csv
    """
    with told_plainly():
        from nexusflow.services.evaluation import evaluate as evaluate_model

        tables = read_tables(table) if table else None
        with err.status("Scoring every row"):
            found = evaluate_model(model, tables, as_of=as_of)
        tell(found.problems)
        if as_json:
            give(_facts(found))
        else:
            _print(found)


def _facts(found: "Evaluation") -> dict[str, object]:
    return {
        "question": found.question,
        "kind": found.kind.value,
        "own_tables": found.own,
        "rows": found.rows,
        "rows_without_answer": found.unanswered,
        "scores": found.scores,
        "interval_level": found.level,
        "problems": told(found.problems),
    }


def _print(found: "Evaluation") -> None:
    say(f"Question: {found.question}")
    for part, scores in found.scores.items():
        print_scores(f"{part.capitalize()} rows ({found.rows[part]:,})", scores)
        if found.level is not None:
            print_interval(scores[NETWORK], found.level, part)
    if found.own:
        say(
            "The model has learned from the training rows, and once its epoch was chosen from the validation rows."
        )
    if found.unanswered:
        say(f"{found.unanswered:,} rows have no known answer and are left out.")
