"""virsh: the guests of a host, their configuration, and the jobs that run on them."""

import os
import re
import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from brownout.adapters.hypervisor.domain_xml import parse_domain, read_domain, vcpus_of
from brownout.domain.errors import BrownoutError

__all__ = ["Guest", "Virsh"]

TIMEOUT_S = 15.0
AT_ONCE = 200
"""Commands of one call: the kernel takes 128 KiB of them."""
TARGET = re.compile(r"[A-Za-z0-9_.:-]+")
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


@dataclass(frozen=True, slots=True)
class _GuestAnswers:
    """What virsh printed of a guest; None where it refused."""

    uuid: str
    xml: str
    job: str | None
    block_jobs: tuple[str | None, ...]


@dataclass(frozen=True)
class Virsh:
    """Calls virsh; ``uri`` is the connection, "" for virsh's own default."""

    uri: str = ""
    program: str = "virsh"

    def guests(self, complain: Callable[[BrownoutError], None]) -> Iterator[Guest]:
        """All guests that run or are paused; one that cannot be read is complained about and left out."""
        for answers in self._answers_of(self._say("list", "--uuid").split(), complain):
            try:
                yield _guest(answers)
            except BrownoutError as error:
                complain(BrownoutError(f"Guest {answers.uuid}: {error.what}", remedy=error.remedy))

    def running(self) -> Iterator[str]:
        """The domain XML of each guest that runs or is paused; one that went meanwhile is left out."""
        for uuid in self._say("list", "--uuid").split():
            xml = self._say_or_none("dumpxml", uuid)
            if xml is not None:
                yield xml

    def statistics(self, groups: Sequence[str]) -> str:
        """What ``domstats`` prints of all domains; what a busy one would not say at once is left out."""
        return self._say("domstats", "--nowait", *groups)

    def host_name(self) -> str:
        """The hypervisor's own name, which its Telegraf writes as the tag host."""
        return self._say("hostname").strip()

    def _answers_of(self, uuids: Sequence[str], complain: Callable[[BrownoutError], None]) -> Iterator["_GuestAnswers"]:
        """What libvirt says of guests: in two calls for all of them, the second of which a stuck guest may spoil."""
        domains: dict[str, tuple[str, list[str]]] = {}
        for uuid, answer in zip(uuids, self._together([f"dumpxml {uuid}" for uuid in uuids]), strict=True):
            try:
                xml = answer or self._say("dumpxml", uuid)  # once more alone, for the reason
            except BrownoutError as error:
                complain(BrownoutError(f"Guest {uuid}: {error.what}", remedy=error.remedy))
                continue
            domains[uuid] = xml, _targets(xml)
        commands = [f"domjobinfo {uuid}" for uuid in domains]
        commands += [f"blockjob {uuid} {name} --info" for uuid, (_, names) in domains.items() for name in names]
        try:
            answers = dict(zip(commands, self._together(commands), strict=True))
        except BrownoutError as error:
            complain(error)
            answers = {}
        for uuid, (xml, names) in domains.items():
            jobs = tuple(answers.get(f"blockjob {uuid} {name} --info") for name in names)
            yield _GuestAnswers(uuid, xml, answers.get(f"domjobinfo {uuid}"), jobs)

    def _together(self, commands: Sequence[str]) -> list[str | None]:
        """The output of each command, all run by one virsh; None where one fails, such as on an empty CD drive."""
        mark = f"end-{secrets.token_hex(8)}"  # that no guest can write into its description
        answers: list[str | None] = []
        for start in range(0, len(commands), AT_ONCE):
            some = commands[start : start + AT_ONCE]
            done = self._run("; ".join(f"{command}; echo {mark}" for command in some), what=some[0].split()[0])
            parts = done.stdout.split(f"{mark}\n")[:-1]
            if len(parts) != len(some):
                msg = f"virsh stopped after {len(parts)} of {len(some)} commands: {done.stderr.strip()}."
                raise BrownoutError(msg, remedy="See that libvirtd answers.")
            answers += [part if part.strip() else None for part in parts]
        return answers

    def _say_or_none(self, *words: str) -> str | None:
        """What virsh says; None where it refuses, as for an empty CD drive or without the permission to look."""
        try:
            return self._say(*words)
        except BrownoutError:
            return None

    def _say(self, *words: str) -> str:
        done = self._run(*words, what=words[0])
        if done.returncode:
            msg = f"virsh {words[0]}: {done.stderr.strip() or done.returncode}."
            raise BrownoutError(msg, remedy="Let the user be a member of the group libvirt, or check --connect.")
        return done.stdout

    def _run(self, *words: str, what: str) -> "subprocess.CompletedProcess[str]":
        command = [self.program, *(("--connect", self.uri) if self.uri else ()), *words]
        environment = {**os.environ, "LC_ALL": "C"}
        try:
            return subprocess.run(  # noqa: S603 - a list of words, no shell
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_S,
                env=environment,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = f"nothing within {TIMEOUT_S:g} s" if isinstance(error, subprocess.TimeoutExpired) else error
            msg = f"virsh {what} did not answer: {reason}."
            raise BrownoutError(msg, remedy="Install libvirt's clients here; see that libvirtd answers.") from error


def _targets(xml: str) -> list[str]:
    """Disks by the names that virsh knows them by; names that are none to it are left out."""
    try:
        elements = parse_domain(xml).findall("devices/disk/target")
    except BrownoutError:  # told when the guest is read
        return []
    return [name for target in elements if TARGET.fullmatch(name := target.get("dev", ""))]


def _guest(answers: "_GuestAnswers") -> Guest:
    root = parse_domain(answers.xml)
    name, labels = read_domain(answers.xml)
    operation = next((line for line in (answers.job or "").splitlines() if line.startswith("Operation:")), "")
    jobs = [None if text is None else not text.startswith(NO_JOB) for text in answers.block_jobs]
    agent = [t.get("state") for t in root.findall("devices/channel/target") if t.get("name") == AGENT]
    vcpus = vcpus_of(root)
    return Guest(
        name=name,
        labels=labels,
        vcpus=int(vcpus) if vcpus.isdecimal() else 0,
        migrating=None if answers.job is None else "migration" in operation,
        block_job=None if answers.job is None and None in jobs else any(jobs) or "Backup" in operation,
        agent=agent[0] == "connected" if agent else None,
    )
