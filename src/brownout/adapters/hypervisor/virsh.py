"""virsh: the guests of a host, their configuration, and the jobs that run on them."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from brownout.adapters.hypervisor.domain_xml import parse_domain, read_domain, vcpus_of
from brownout.domain.errors import BrownoutError

__all__ = ["Guest", "Virsh"]

TIMEOUT_S = 15.0
NO_JOB = "No current block job"
AGENT = "com.redhat.spice.0"
"""Channel of the SPICE guest agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A guest that runs or is paused.

    ``agent`` says whether the SPICE guest agent is connected. None = unknown: libvirt would not say, or the guest has
    no channel for an agent.
    """

    name: str
    labels: dict[str, str]
    vcpus: int
    migrating: bool | None
    block_job: bool | None
    agent: bool | None


@dataclass(frozen=True)
class Virsh:
    """Calls virsh; ``uri`` is the connection, "" for virsh's own default."""

    uri: str = ""
    program: str = "virsh"

    def guests(self, complain: Callable[[BrownoutError], None]) -> Iterator[Guest]:
        """All guests that run or are paused; one that cannot be read is complained about and left out."""
        for uuid in self._say("list", "--uuid").split():
            try:
                yield self._guest(uuid)
            except BrownoutError as error:
                complain(BrownoutError(f"Guest {uuid}: {error.what}", remedy=error.remedy))

    def running(self) -> Iterator[str]:
        """The domain XML of each guest that runs or is paused; one that went meanwhile is left out."""
        for uuid in self._say("list", "--uuid").split():
            xml = self._asked("dumpxml", uuid)
            if xml is not None:
                yield xml

    def host_name(self) -> str:
        """The hypervisor's own name, which its Telegraf writes as the tag host."""
        return self._say("hostname").strip()

    def _guest(self, uuid: str) -> Guest:
        xml = self._say("dumpxml", uuid)
        root = parse_domain(xml)
        name, labels = read_domain(xml)
        job = self._asked("domjobinfo", uuid)
        operation = next((line for line in (job or "").splitlines() if line.startswith("Operation:")), "")
        targets = [target.get("dev", "") for target in root.findall("devices/disk/target")]
        jobs = [self._block_job(uuid, target) for target in targets if target]
        agent = [t.get("state") for t in root.findall("devices/channel/target") if t.get("name") == AGENT]
        vcpus = vcpus_of(root)
        return Guest(
            name=name,
            labels=labels,
            vcpus=int(vcpus) if vcpus.isdecimal() else 0,
            migrating=None if job is None else "migration" in operation,
            block_job=None if job is None and None in jobs else any(jobs) or "Backup" in operation,
            agent=agent[0] == "connected" if agent else None,
        )

    def _block_job(self, uuid: str, target: str) -> bool | None:
        said = self._asked("blockjob", uuid, target, "--info")
        return None if said is None else bool(said.strip()) and not said.startswith(NO_JOB)

    def _asked(self, *words: str) -> str | None:
        """What virsh says; None where it refuses, as for an empty CD drive or without the permission to look."""
        try:
            return self._say(*words)
        except BrownoutError:
            return None

    def _say(self, *words: str) -> str:
        command = [self.program, *(("--connect", self.uri) if self.uri else ()), *words]
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(  # noqa: S603 - a list of words, no shell
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
                env=environment,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            msg = f"virsh {words[0]} did not answer: {error}."
            raise BrownoutError(msg, remedy="Install libvirt's clients here; see that libvirtd answers.") from error
        if done.returncode:
            msg = f"virsh {words[0]}: {done.stderr.strip() or done.returncode}."
            raise BrownoutError(msg, remedy="Let the user be a member of the group libvirt, or check --connect.")
        return done.stdout
