"""`daggr app.py`: serve a script's workflow. Exit codes: 0 done, 1 a run failed, 2 usage or script, 3 store."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from daggr._version import __version__
from daggr.cli.script import load_script, unknown_word
from daggr.errors import DaggrError, RunError, StoreError
from daggr.wiring import Runtime

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"daggr {__version__}")
        raise typer.Exit


@app.command()
def serve(
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="A Python script that makes a daggr Graph.")],
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="First port to try; 0 takes any.  [default: 7860]")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of the artifact store.")] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    no_reload: Annotated[bool, typer.Option("--no-reload", hidden=True)] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Serve the canvas and the REST API of a workflow script."""
    if (error := unknown_word(script)) is not None:
        raise error
    overrides = {"host": host, "port": port, "store": store, "open_browser": open_browser or None}
    real = Runtime(overrides, typer.echo)
    loaded = load_script(Path(script), real)
    real.launch(loaded.graph, loaded.options)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except DaggrError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(_exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _exit_code(error: DaggrError) -> int:
    if isinstance(error, StoreError):
        return 3
    return 1 if isinstance(error, RunError) else 2
