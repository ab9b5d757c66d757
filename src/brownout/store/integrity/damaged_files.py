"""Damaged files of a history: set aside under another name, read from the source again, and told until that is done."""

from pathlib import Path

__all__ = ["DAMAGED", "LOST", "damaged_slices", "forget_damage", "set_aside", "tried_in_vain"]

DAMAGED, LOST = ".damaged", ".lost"
"""Suffixes of a file that waits for the next sync, and of one that the source no longer has."""


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that nothing reads it and the next sync brings its slice again."""
    aside = path.with_name(path.name + DAMAGED)
    path.replace(aside)
    return aside


def damaged_slices(folder: Path, suffix: str = DAMAGED) -> tuple[Path, ...]:
    """The files of a history folder that were set aside, under the names that they had."""
    return tuple(path.with_name(path.stem) for path in sorted((folder / "samples").glob(f"*.parquet{suffix}")))


def forget_damage(path: Path) -> None:
    """Remove what was set aside of a file: its slice was read again."""
    path.with_name(path.name + DAMAGED).unlink(missing_ok=True)


def tried_in_vain(path: Path) -> None:
    """Keep what was set aside of a file under a name that no sync tries again: its source has nothing any more."""
    path.with_name(path.name + DAMAGED).replace(path.with_name(path.name + LOST))
