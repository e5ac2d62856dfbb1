"""`nexusflow serve`: a trained model behind HTTP, on this machine unless told otherwise."""

import ipaddress
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from nexusflow.cli_shared import err, table_files, tell, told_plainly
from nexusflow.errors import ConfigError


def serve(
    model: Annotated[
        Path, typer.Argument(help="A trained model, or the folder of its run.", metavar="MODEL")
    ],
    table: Annotated[
        list[str] | None,
        typer.Option(
            "--table",
            help="A table that the server holds, as in products=products.csv, so that requests need not.",
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 8000,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that answer.")] = 1,
    rows: Annotated[
        int, typer.Option("--max-rows", min=1, help="Most rows that a request may score.")
    ] = 10_000,
    megabytes: Annotated[
        float, typer.Option("--max-mb", min=0.001, help="Largest body of a request.")
    ] = 32.0,
    seconds: Annotated[float, typer.Option("--timeout", min=0.01, help="Longest time of a request.")] = 30.0,
) -> None:
    """Answer predictions over HTTP: POST /predict with JSON, POST /predict/files with files; see /docs.

    Nobody is asked who they are: an address that others can reach is for networks that you trust.
    """
    with told_plainly():
        if find_spec("fastapi") is None or find_spec("uvicorn") is None:
            raise ConfigError("Serving needs more packages: pip install 'nexusflow[serve]'.")
        import uvicorn
        from uvicorn.supervisors import Multiprocess

        from nexusflow.artifact import find_model
        from nexusflow.services.opening import as_tables
        from nexusflow.serving.http import in_environment, make_app
        from nexusflow.serving.limits import Limits
        from nexusflow.serving.server import make_server

        limits = Limits(rows=rows, megabytes=megabytes, seconds=seconds)
        files = table_files(table or [])
        place = find_model(model)
        held = as_tables(files, ())
        tell(held.problems)
        server = make_server(place, held=held, limits=limits)
        if not _is_loopback(host):
            err.print(f"{escape(host)} can be reached from other machines, and nobody is asked who they are.")
        settings: dict[str, Any] = {
            "log_level": "warning",
            "timeout_graceful_shutdown": 10,
            "workers": workers,
        }
        if workers == 1:
            config = uvicorn.Config(make_app(server), host=host, port=port, **settings)
        else:
            in_environment(
                place.resolve(), {name: Path(path).resolve() for name, path in files.items()}, limits
            )
            app = "nexusflow.serving.http:from_environment"
            config = uvicorn.Config(app, host=host, port=port, factory=True, **settings)
        # Bound here, so that the port that was free is known before it is said.
        with config.bind_socket() as listening:
            at = f"[{host}]" if ":" in host else host
            where = f"http://{at}:{listening.getsockname()[1]}/docs"
            err.print(f"{escape(server.trained.run.name)}: {where}; Ctrl-C stops.", highlight=False)
            if workers == 1:
                uvicorn.Server(config).run(sockets=[listening])
            else:
                Multiprocess(config, sockets=[listening]).run()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
