"""Forecasts and explains degradation of KVM guests: laggy consoles, hosts that run out of a resource.

For notebooks and scripts: :func:`open` gives the night that an output folder holds, as pandas frames, and :func:`load`
telemetry that one can ask: forecast, detect, diagnose, plan.

>>> import brownout
>>> night = brownout.open("nightly")
>>> list(night.incidents[["start", "entity", "title", "probability"]].columns)
['start', 'entity', 'title', 'probability']
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brownout.api import StoredNight, nights, open  # noqa: A004 - the name that a reader looks for
    from brownout.api.loaded_fleet import Fleet, load

__all__ = ["Fleet", "StoredNight", "__version__", "load", "nights", "open"]

LEARNING = frozenset({"Fleet", "load"})
"""Names behind which models are trained: what only reads results need not wait for torch."""

__version__ = version("brownout")


def __getattr__(name: str) -> Any:
    """The public names, imported when they are first used: importing the package alone does nothing."""
    if name in __all__:
        return getattr(import_module("brownout.api.loaded_fleet" if name in LEARNING else "brownout.api"), name)
    msg = f"module 'brownout' has no attribute {name!r}; it has {', '.join(sorted(__all__))}"
    raise AttributeError(msg)
