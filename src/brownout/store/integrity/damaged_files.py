"""Damaged files of a history: set aside under another name, read from the source again, told for a day after that."""

import time
from pathlib import Path

from brownout.numerics.slots import DAY_S

__all__ = [
    "DAMAGED",
    "LOST",
    "damaged_slices",
    "forget_damage",
    "forget_restored",
    "restored_slices",
    "set_aside",
    "tried_in_vain",
]

DAMAGED, LOST = ".damaged", ".lost"
"""Suffixes of a file that waits for the next sync, and of one that the source no longer has."""
RESTORED = "restored"
"""Folder of a history with an empty file for each file that was damaged and read again."""


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that nothing reads it and the next sync brings its slice again."""
    aside = path.with_name(path.name + DAMAGED)
    path.replace(aside)
    return aside


def damaged_slices(folder: Path, suffix: str = DAMAGED) -> tuple[Path, ...]:
    """The files of a history folder that were set aside, under the names that they had."""
    return tuple(path.with_name(path.stem) for path in sorted((folder / "samples").glob(f"*.parquet{suffix}")))


def forget_damage(path: Path) -> None:
    """Remove what was set aside of a file whose slice was read again; a mark of that stays for a day."""
    path.with_name(path.name + DAMAGED).unlink(missing_ok=True)
    mark = path.parent.parent / RESTORED / path.name
    mark.parent.mkdir(exist_ok=True)
    mark.touch()


def restored_slices(folder: Path) -> tuple[Path, ...]:
    """The files of a history folder that were damaged and have been read again within the last day."""
    marks = sorted((folder / RESTORED).glob("*.parquet"))
    return tuple(folder / "samples" / mark.name for mark in marks if time.time() - mark.stat().st_mtime < DAY_S)


def forget_restored(folder: Path) -> None:
    """Remove the marks of files that were read again more than a day ago."""
    recent = {path.name for path in restored_slices(folder)}
    for mark in (folder / RESTORED).glob("*.parquet"):
        if mark.name not in recent:
            mark.unlink(missing_ok=True)


def tried_in_vain(path: Path) -> None:
    """Keep what was set aside of a file under a name that no sync tries again: its source has nothing any more."""
    path.with_name(path.name + DAMAGED).replace(path.with_name(path.name + LOST))
