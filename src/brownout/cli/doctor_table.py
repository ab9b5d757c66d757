"""What the doctor found, on stdout."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from brownout.domain.encoding import visible
from brownout.operate.checks import Check, State

__all__ = ["show_checks"]

PAGE = 160
"""Signs of a line where no terminal says how many it has."""
SIGNS = {State.GOOD: "[green]✔[/]", State.WARNING: "[yellow]![/]", State.BAD: "[bold red]✘[/]"}


def show_checks(checks: Iterable[Check]) -> None:
    """Findings on stdout, a line each with the first line of what to do, tables below theirs."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PAGE)  # a file or a pipe has no edge at which to break lines
    for check in _once(checks):
        first = check.do.partition("\n")[0]
        console.print(
            f"{SIGNS[check.state]} [bold]{_shown(check.about)}[/]: {_shown(check.found)}"
            + (f" → {_shown(first)}" if first else ""),
            highlight=False,
            soft_wrap=True,
        )
        if check.table:
            headings, *rows = check.table
            table = Table(*map(_shown, headings), box=None, pad_edge=False, padding=(0, 2, 0, 0))
            for row in rows:
                table.add_row(*map(_shown, row))
            with console.capture() as captured:
                console.print(table, highlight=False)
            for line in captured.get().splitlines():
                console.file.write(f"{line.rstrip()}\n")


def _shown(text: str) -> str:
    return escape(visible(text))


def _once(checks: Iterable[Check]) -> Iterator[Check]:
    """Neighbours that say the same as one."""
    for _, alike in groupby(checks, key=lambda check: (check.state, check.found, check.do, check.table)):
        own = list(alike)
        yield replace(own[0], about=", ".join(dict.fromkeys(check.about for check in own)))
