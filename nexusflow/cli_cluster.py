"""The options of `nexusflow train` that lead to a cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nexusflow.cli_shared import UsageError
from nexusflow.errors import ConfigError

if TYPE_CHECKING:
    from nexusflow.services.cluster_share import Cluster

PANEL = "In a Ray cluster (docs/scaling.md)"
Address = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Train by workers of a Ray cluster: local (a Ray of this machine, for this training), auto, HOST:PORT or "
        "ray://HOST:PORT.",
        rich_help_panel=PANEL,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        help="How many processes train. Default: one on each GPU, or one on each machine where there is none.",
        rich_help_panel=PANEL,
    ),
]
Cores = Annotated[
    int | None,
    typer.Option(
        "--worker-cores",
        min=1,
        help="The cores of each worker. Default: an equal share of a machine's.",
        rich_help_panel=PANEL,
    ),
]
Storage = Annotated[
    Path | None,
    typer.Option(
        "--storage",
        metavar="FOLDER",
        help="A folder that all machines reach under this path. Default: that of the runs. Parquet in it is read where "
        "it lies; other tables are handed over through it.",
        rich_help_panel=PANEL,
    ),
]


def asked_cluster(
    address: str | None, workers: int | None, cores: int | None, storage: Path | None, *, dry_run: bool
) -> "Cluster | None":
    """The cluster that the options name, if they name one; UsageError where they do not go together."""
    from nexusflow.services.cluster_share import Cluster
    from nexusflow.train.place import place

    if address is None:
        given = {"--workers": workers, "--worker-cores": cores, "--storage": storage}
        if alone := [name for name, value in given.items() if value is not None]:
            raise UsageError(f"{alone[0]} is for a training in a cluster: name it by --cluster.")
        return None
    if dry_run:
        raise UsageError("--dry-run tells what a training takes on this machine: leave --cluster out.")
    if place() is not None:
        raise UsageError("torchrun started this process, and --cluster starts its own. Use one of the two.")
    try:
        return Cluster(address=address, workers=workers, cores=cores, storage=storage)
    except ConfigError as error:
        raise UsageError(*error.problems) from None
