"""Where the reviewed definitions and the lock lie: inside an installed wheel, or in a checkout of the repository."""

from pathlib import Path

__all__ = ["definitions_folder", "lock_file"]

PACKAGE = Path(__file__).parents[1]
CHECKOUT = Path(__file__).parents[3]


def definitions_folder() -> Path:
    """Folder of the reviewed definitions: the repository's ``models/``, which a wheel carries as ``definitions/``."""
    shipped = PACKAGE / "definitions"
    return shipped if shipped.is_dir() else CHECKOUT / "models"


def lock_file() -> Path:
    """``constraints.txt``: the versions that this brownout was tested with."""
    shipped = PACKAGE / "constraints.txt"
    return shipped if shipped.is_file() else CHECKOUT / "constraints.txt"
