"""The consoles of now: those named by hand and those that sources list, listed anew from time to time."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from brownout.domain.errors import BrownoutError, SettingsError
from brownout.probe.target import Target, read_targets

__all__ = ["Consoles", "Source", "file_source"]

Source = Callable[[], Sequence[Target]]
"""Lists consoles; may take seconds and raise a BrownoutError."""
REFRESH_S = 60.0


@dataclass(slots=True)
class Consoles:
    """Targets by hand and from sources.

    A source that fails keeps what it listed before: a hypervisor that does not answer is when probing it matters.
    """

    fixed: Sequence[Target]
    sources: Sequence[Source]
    complain: Callable[[BrownoutError], None]
    refresh_s: float = REFRESH_S
    _listed: dict[int, Sequence[Target]] = field(default_factory=dict)

    def now(self) -> list[Target]:
        """Each console once, in order; the first one that names it wins."""
        everything: Iterable[Target] = [*self.fixed, *(target for part in self._listed.values() for target in part)]
        return list({target.key: target for target in reversed(list(everything))}.values())[::-1]

    async def refresh(self, *, strict: bool = False) -> None:
        """Ask every source; ``strict`` raises where one fails that has never answered."""
        for number, source in enumerate(self.sources):
            try:
                self._listed[number] = await asyncio.to_thread(source)
            except BrownoutError as error:
                if strict:
                    raise
                self.complain(error)

    async def keep_fresh(self) -> None:
        """Reread the list until cancelled."""
        while True:
            await asyncio.sleep(self.refresh_s)
            await self.refresh()


def file_source(path: Path) -> Source:
    """The targets of a file, read anew each time."""

    def read() -> list[Target]:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            msg = f"The file of targets {path} cannot be read: {error}."
            raise SettingsError(msg, remedy="Give a text file with one target a line.") from error
        targets = read_targets(text, str(path))
        return [_below(target, path.parent) for target in targets]

    return read


def _below(target: Target, folder: Path) -> Target:
    """A relative password file lies beside the file that names it."""
    if target.password_file is None:
        return target
    return replace(target, password_file=folder / target.password_file)
