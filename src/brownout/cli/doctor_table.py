"""What the doctor found, on stdout."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape

from brownout.operate.doctor import Check, State

__all__ = ["show_checks"]

SIGNS = {State.GOOD: "[green]✔[/]", State.WARNING: "[yellow]![/]", State.BAD: "[bold red]✘[/]"}


def show_checks(checks: Iterable[Check]) -> None:
    """Findings on stdout, a line each, with what to do below it."""
    console = Console()
    for check in checks:
        console.print(
            f"{SIGNS[check.state]} [bold]{escape(check.about)}[/]: {escape(check.found)}",
            highlight=False,
            soft_wrap=True,
        )
        for line in check.do.splitlines():
            console.print(f"    {escape(line)}", highlight=False, soft_wrap=True)
