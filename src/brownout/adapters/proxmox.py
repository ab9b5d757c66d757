"""Consoles of a Proxmox VE cluster, from its API: directly where a guest listens, else through its proxy."""

import asyncio
import os
import re
from pathlib import Path
from ssl import create_default_context
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from brownout.domain.errors import BrownoutError, SettingsError
from brownout.probe.console_list import Source
from brownout.probe.target import Access, Target

__all__ = ["TOKEN", "proxmox_source"]

TOKEN = "BROWNOUT_PROXMOX_TOKEN"  # noqa: S105 - the name of a variable
PORT = 8006
TIMEOUT_S = 10.0
VNC = re.compile(r"(?:^|\s)-vnc\s+([^\s,]*):(\d+)(?=[,\s]|$)")
"""QEMU's option in a guest's ``args``: a console of its own on an address and display."""
EVERYWHERE = frozenset({"", "0.0.0.0", "[::]", "::"})  # noqa: S104 - what a guest may listen on, not what we do


def proxmox_source(address: str, ca_file: Path | None = None) -> Source:
    """Lists the guests that run in the cluster at ``proxmox://HOST[:PORT]``.

    The token (``USER@REALM!NAME=SECRET``, from the environment) needs Sys.Audit and VM.Audit; VM.Console for the proxy.
    """
    parts = urlsplit(address)
    token = os.environ.get(TOKEN, "")
    if not parts.hostname or parts.password:
        raise SettingsError(f"The target proxmox://{parts.hostname or ''} cannot be used.",
                            remedy="Write proxmox://HOST, and the token into the environment.")  # fmt: skip
    if not token:
        raise SettingsError(
            f"Proxmox at {parts.hostname} needs a token.", remedy=f"Set {TOKEN} to USER@REALM!NAME=SECRET."
        )
    return _Cluster(parts.hostname, parts.port or PORT, token, ca_file).targets


class _Cluster:
    def __init__(self, host: str, port: int, token: str, ca_file: Path | None) -> None:
        self._host, self._port = host, port
        self._headers = {"Authorization": f"PVEAPIToken={token}"}
        trust = create_default_context()
        if ca_file is not None:
            trust.load_verify_locations(ca_file)
        authority = f"[{host}]" if ":" in host else host
        self._client = httpx.Client(
            base_url=f"https://{authority}:{port}/api2/json", headers=self._headers, timeout=TIMEOUT_S, verify=trust
        )

    def targets(self) -> list[Target]:
        """Guests that run, each with its own console or that of the proxy."""
        nodes = {str(row.get("name")): str(row.get("ip", "")) for row in self._ask("GET", "/cluster/status")}
        guests = self._ask("GET", "/cluster/resources", type="vm")
        return [
            self._target(guest, nodes)
            for guest in guests
            if guest.get("type") == "qemu" and guest.get("status") == "running" and not guest.get("template")
        ]

    def _target(self, guest: dict[str, Any], nodes: dict[str, str]) -> Target:
        node, number = str(guest["node"]), int(guest["vmid"])
        path = f"/nodes/{quote(node, safe='')}/qemu/{number}"
        name = str(guest.get("name") or number)
        vnc_option = VNC.search(str(self._ask("GET", f"{path}/config").get("args", "")))
        if vnc_option:
            host = (nodes.get(node) or node) if vnc_option[1] in EVERYWHERE else vnc_option[1].strip("[]")
            return Target(
                protocol="vnc",
                transport="tcp",
                host=host,
                port=5900 + int(vnc_option[2]),
                domain_name=name,
                hypervisor=node,
            )

        async def access() -> Access:
            return await asyncio.to_thread(self._ticket, path)

        return Target(
            protocol="vnc",
            transport="ws",
            secure=True,
            host=self._host,
            port=self._port,
            domain_name=name,
            hypervisor=node,
            access=access,
        )

    def _ticket(self, path: str) -> Access:
        """A proxy of its own for one connection; Proxmox writes it into the log of tasks."""
        vnc_proxy = self._ask("POST", f"{path}/vncproxy", websocket=1)
        ticket = str(vnc_proxy["ticket"])
        socket = f"/api2/json{path}/vncwebsocket?port={int(vnc_proxy['port'])}&vncticket={quote(ticket, safe='')}"
        return Access(path=socket, headers=dict(self._headers), password=ticket)

    def _ask(self, method: str, path: str, **parameters: object) -> Any:
        """The ``data`` of an answer."""
        where = f"Proxmox at {self._host}, {path}"
        sent: dict[str, Any] = {"params" if method == "GET" else "data": parameters} if parameters else {}
        try:
            answer = self._client.request(method, path, **sent)
            answer.raise_for_status()
            return answer.json()["data"]
        except httpx.HTTPStatusError as error:
            raise BrownoutError(
                f"{where}: answered {error.response.status_code}.", remedy="Check the token and its permissions."
            ) from None
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise BrownoutError(f"{where}: {error}.", remedy="Check address, certificate and network.") from None
