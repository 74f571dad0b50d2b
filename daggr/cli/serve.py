"""`daggr app.py`: serve a script's workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daggr.cli.script import load_script, unknown_word
from daggr.wiring import Runtime


def serve(
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="A Python script that makes a daggr Graph.")],
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="First port to try; 0 takes any.  [default: 7860]")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of the artifact store.")] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    no_reload: Annotated[bool, typer.Option("--no-reload", hidden=True)] = False,
) -> None:
    """Serve the canvas and the REST API of a workflow script."""
    if (error := unknown_word(script)) is not None:
        raise error
    overrides = {"host": host, "port": port, "store": store, "open_browser": open_browser or None}
    real = Runtime(overrides, typer.echo)
    loaded = load_script(Path(script), real)
    real.launch(loaded.graph, loaded.options)
