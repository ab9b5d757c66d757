"""Addresses of this machine are never asked of a web proxy."""

from collections.abc import MutableMapping

__all__ = ["bypass_proxy_for_loopback"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
NAMES = ("no_proxy", "NO_PROXY")


def bypass_proxy_for_loopback(environment: MutableMapping[str, str]) -> None:
    """Add this machine's addresses to what the environment says goes past the proxy; other hosts stay as they are.

    httpx, requests and urllib read the lower-case name first: each name that is set is extended, so that neither hides
    what the other one says.
    """
    for name in [name for name in NAMES if name in environment] or NAMES[:1]:
        hosts = [host.strip() for host in environment.get(name, "").split(",") if host.strip()]
        if "*" not in hosts:
            environment[name] = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
