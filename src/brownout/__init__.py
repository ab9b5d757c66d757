"""Forecasts and explains degradation of KVM guests: laggy consoles, hosts that run out of a resource."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("brownout")
