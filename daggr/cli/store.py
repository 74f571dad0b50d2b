"""`daggr gc`, `daggr fsck`, `daggr store`: looking after what is kept. Graph, engine and server stay dark."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from daggr import config
from daggr.cli.quantities import duration, shown, size
from daggr.errors import ConfigError, did_you_mean
from daggr.store import reserve
from daggr.store.durable import disk_error
from daggr.store.fsck.check import Depth, check
from daggr.store.fsck.findings import Report
from daggr.store.fsck.repair import repair
from daggr.store.gc.execute import GcResult, collecting, execute_gc
from daggr.store.gc.plan import GcPlan, plan_gc
from daggr.store.gc.policy import Policy
from daggr.store.report import Contents, Share, contents
from daggr.store.store import Store

StoreOption = Annotated[
    Path | None, typer.Option("--store", help="Folder of the artifact store.  [default: DAGGR_STORE]")
]


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and stop.")] = False,
    max_size: Annotated[
        str | None, typer.Option(help="Remove results until the store has this size, such as 10GB.")
    ] = None,
    keep_last: Annotated[
        int | None, typer.Option(min=1, help="Keep this many newest results of each node (and sheet); drop older ones.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(help="Drop results that were not made or used for this long, such as 30d.")
    ] = None,
    node: Annotated[str | None, typer.Option(help="Drop results of this node only: NODE or GRAPH/NODE.")] = None,
    remote: Annotated[str | None, typer.Option(help="Collect in a remote store.", hidden=True)] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    store: StoreOption = None,
) -> None:
    """Remove what nothing refers to, and old results when the store is too large. Safe while servers run.

    Kept in any case: what sheets show and can undo to, pinned runs, the last result of each node, and what is less than
    an hour old. Without options the store may have half of the room that is there for it.
    """
    if remote is not None:
        raise ConfigError("gc of remote stores is not built yet in this version of daggr.", "Leave --remote out.")
    policy = Policy(
        max_size=None if max_size is None else size(max_size),
        keep_last=keep_last,
        older_than=None if older_than is None else duration(older_than),
        node=node,
    )
    with _existing(store, use_reserve=not dry_run) as opened:
        if dry_run:
            _plan(opened, policy)
            return
        with collecting(opened):
            plan = _plan(opened, policy)
            if not plan.is_empty and not yes and not _agreed():
                typer.echo("Nothing was removed.")
                return
            result = execute_gc(opened, plan, _progress())
        _print_result(result, plan)


def fsck(
    quick: Annotated[bool, typer.Option("--quick", help="Compare names and sizes only.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Compute the SHA-256 of every blob.")] = False,
    mend: Annotated[
        bool, typer.Option("--repair", help="Set damaged things aside, so that their nodes run again.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Look for damage. Exits with 3 if something that was kept is missing or damaged, also after a repair left any."""
    if quick and full:
        raise ConfigError("--quick and --full exclude each other.", "Give one of them, or none.")
    depth: Depth = "quick" if quick else "full" if full else "normal"
    with _existing(store) as opened:
        report = check(opened, depth, _progress())
        _print_report(report)
        rounds = 0
        while mend and report.damage and rounds < 3:
            repair(opened, report)
            report = check(opened, depth, _progress())
            rounds += 1
        if rounds:
            aside = opened.root / "quarantine"
            typer.echo(f"Repaired. What was damaged is in {aside}; what is lost runs again when it is needed.")
            _print_report(report)
    if report.damage:
        raise typer.Exit(3)


def show(store: StoreOption = None) -> None:
    """Say what the store holds: by folder, table, node and codec."""
    with _existing(store) as opened:
        found = contents(opened)
        typer.echo(f"{opened.root}  ({shown(found.size)}, format {opened.format.format})")
        if found.open_elsewhere:
            typer.echo(f"Open in {found.open_elsewhere} other process(es).")
        _print_contents(found)


# ---------------------------------------------------------------- parts


@contextmanager
def _existing(given: Path | None, *, use_reserve: bool = False) -> Iterator[Store]:
    root = config.load(store=given).store
    try:
        is_there = (root / "FORMAT").exists()
    except OSError as error:
        raise disk_error(error, root) from error
    if not is_there:
        raise ConfigError(f"There is no store at {root}.", "Give its folder with --store, or set DAGGR_STORE.")
    if use_reserve:
        reserve.use(root)
    with Store(root) as opened:
        yield opened


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise ConfigError("Nobody is there to be asked.", "Give --yes to remove without asking, or --dry-run to look.")
    return typer.confirm("Remove this?")


def _progress() -> Callable[[str, int, int], None]:
    """Shows how far something is, in one line, if somebody looks."""
    if not sys.stderr.isatty():
        return lambda *_: None

    def tell(what: str, done: int, total: int) -> None:
        typer.echo(f"\r{what}: {done} of {total} ", nl=done >= total, err=True)

    return tell


def _plan(store: Store, policy: Policy) -> GcPlan:
    """Plan and print.

    Raises:
        ConfigError: it is about a node that has no results.
    """
    plan = plan_gc(store, policy)
    if not any(policy.concerns(*node) for node in plan.nodes) and policy.node is not None:
        known = sorted({name for graph, node in plan.nodes for name in (node, f"{graph}/{node}")})
        raise ConfigError(
            f"The store has no results of a node {policy.node!r}.",
            did_you_mean(policy.node, known) or "`daggr store` lists its nodes.",
        )
    _print_plan(plan)
    return plan


def _print_plan(plan: GcPlan) -> None:
    typer.echo(f"The store has {shown(plan.used)}; it may have {shown(plan.budget)}.")
    if plan.is_empty:
        typer.echo("There is nothing to remove.")
    else:
        _print_going(plan)
    for why, count in plan.stay.most_common():
        typer.echo(f"  {count} results stay: {why}")
    if plan.used - plan.freed > plan.budget:
        over = plan.used - plan.freed - plan.budget
        typer.echo(f"That is still {shown(over)} too much: the rest is kept on purpose.")


def _print_going(plan: GcPlan) -> None:
    going = [(f"{graph}/{node}", counts) for (graph, node), counts in sorted(plan.nodes.items()) if counts.evicted]
    for name, counts in going:
        typer.echo(f"  {name}: {counts.evicted} of {counts.evicted + counts.kept} results go")
    loose = len(plan.artifacts) + len(plan.orphans)
    typer.echo(f"To remove: {len(plan.evict)} results, {loose} values and files that nothing refers to then.")
    typer.echo(f"That frees about {shown(plan.freed)}.")


def _print_result(result: GcResult, plan: GcPlan) -> None:
    if not plan.is_empty:
        typer.echo(f"Removed {result.evicted} results and {shown(result.freed)} of files in {result.seconds:.1f} s.")
    if result.waiting:
        more = shown(max(0, plan.freed - result.freed))
        typer.echo(
            f"About {more} more go within two minutes, when running processes have let go of {result.waiting} values."
        )


def _print_report(report: Report) -> None:
    for finding in report.findings[:50]:
        typer.echo(f"{'damage' if finding.is_damage else 'note'}: {finding}")
    if len(report.findings) > 50:
        typer.echo(f"… and {len(report.findings) - 50} more")
    looked = ", ".join(f"{count} {name}" for name, count in sorted(report.looked_at.items()) if count)
    typer.echo(f"Looked at {looked or 'an empty store'}: {len(report.damage)} damaged or missing.")
    if report.damage:
        typer.echo("`daggr fsck --repair` puts damaged things aside; what is lost then runs again when it is needed.")


def _print_contents(found: Contents) -> None:
    _print_table("Folders", found.folders)
    _print_table("Index", found.tables)
    _print_table("Nodes", {f"{graph}/{node}": share for (graph, node), share in found.nodes.items()})
    _print_table("Codecs", found.codecs)


def _print_table(title: str, rows: dict[str, Share]) -> None:
    rows = {name: share for name, share in rows.items() if share.count}
    width = max([len(name) for name in rows] + [12])
    typer.echo(f"\n{title:<{width + 2}}  {'count':>10}  {'size':>10}")
    for name, share in sorted(rows.items(), key=lambda row: -row[1].size):
        typer.echo(f"  {name:<{width}}  {share.count:>10}  {shown(share.size):>10}")
