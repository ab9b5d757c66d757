"""Forecasts and explains degradation of KVM guests: laggy consoles, hosts that run out of a resource.

For notebooks and scripts: :func:`open` gives the night that an output folder holds, as pandas frames.

>>> import brownout
>>> night = brownout.open("nightly")  # doctest: +SKIP
>>> night.incidents[["start", "entity", "title", "probability"]]  # doctest: +SKIP
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brownout.api import StoredNight, nights, open  # noqa: A004 - the name that a reader looks for

__all__ = ["StoredNight", "__version__", "nights", "open"]

__version__ = version("brownout")


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used: importing the package alone does nothing."""
    if name in __all__:
        return getattr(import_module("brownout.api"), name)
    msg = f"module 'brownout' has no attribute {name!r}; it has {', '.join(sorted(__all__))}"
    raise AttributeError(msg)
