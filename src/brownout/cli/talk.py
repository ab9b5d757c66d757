"""Talk on stderr: progress and errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from brownout.domain.encoding import visible
from brownout.domain.errors import BrownoutError
from brownout.domain.ports import Progress as Report

__all__ = ["complain", "progress_bars", "say"]

PLAIN_STEPS = 4
"""Lines a stage prints where there is no terminal: at every quarter."""


def complain(error: BrownoutError) -> None:
    """Show an error and its remedy."""
    console = Console(stderr=True)
    console.print(f"[bold red]error:[/] {_plain(error.what)}", highlight=False, soft_wrap=True)
    console.print(f"[bold]  do:[/] {_plain(error.remedy)}", highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One line of talk."""
    Console(stderr=True).print(_plain(text), highlight=False, soft_wrap=True)


@contextmanager
def progress_bars() -> Iterator[Report]:
    """A progress callback: bars on a terminal, a line for every quarter of a stage elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain_lines(console)
        return
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"), TimeElapsedColumn(),
        console=console,
    )  # fmt: skip
    stages: dict[str, TaskID] = {}

    def show(stage: str, share: float) -> None:
        if stage not in stages:
            stages[stage] = bars.add_task(escape(stage), total=1.0)
        bars.update(stages[stage], completed=share)

    with bars:
        yield show


def _plain(text: str) -> str:
    """A text that a terminal shows as it is: what servers and names hold is no command to it."""
    return escape(visible(text))


def _plain_lines(console: Console) -> Report:
    shown: dict[str, int] = {}

    def show(stage: str, share: float) -> None:
        quarter = int(share * PLAIN_STEPS)
        if quarter > shown.get(stage, 0 if share < 1 else -1):
            shown[stage] = quarter
            console.print(f"{stage}: {100 * share:.0f} %", highlight=False, markup=False)

    return show
