"""The `daggr` command. Exit codes: 0 done, 1 a run failed, 2 usage or script, 3 store.

`daggr app.py` is short for the hidden command `serve`: what is no other command is a script.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from daggr._version import __version__
from daggr.cli.serve import serve
from daggr.cli.store import fsck, gc, show
from daggr.errors import DaggrError, RunError, StoreError

DEFAULT = "serve"


class _Commands(TyperGroup):
    """Commands, and a default one for words that are none."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the default command before a script and its options."""
        own = {name for option in self.params for name in option.opts} | {"--help"}
        if args and args[0] not in self.commands and args[0] not in own:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    subcommand_metavar="SCRIPT | COMMAND [OPTIONS]",
    no_args_is_help=True,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"daggr {__version__}")
        raise typer.Exit


@app.callback()
def daggr(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """AI workflows with a canvas, a REST API and a content-addressed cache. `daggr app.py` serves a script."""


app.command(DEFAULT, help="Serve a script. `daggr app.py` is short for it.")(serve)
app.command("gc")(gc)
app.command("fsck")(fsck)
app.command("store")(show)


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
