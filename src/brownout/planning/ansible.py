"""An Ansible play for an action: it reads first whether it is done already, and changes nothing in check mode."""

import json
from collections.abc import Iterator

from brownout.domain.findings import Action

__all__ = ["playbook"]

SHELL = "ansible.builtin.shell"


def playbook(action: Action, read: str, wanted: str) -> str:
    """YAML with one play on the machine of the operator, which has the same rights as the commands.

    ``read`` is a command, and ``wanted`` the pattern of its answer, as one word of a shell, once the action is done.
    Strings are JSON, which YAML reads as they are, and marked unsafe: names from telemetry are no templates.
    """
    finds = [f"{find.name}=$({_answer(find.command)})" for find in action.finds]
    known = [*finds, f"if {{ {read} || true; }} | grep -Pzq -- {wanted}; then echo done; else echo needed; fi"]
    return "\n".join(_lines(action, "\n".join(known), "\n".join([*finds, action.command]))) + "\n"


def _answer(command: str) -> str:
    """The command within ``name=$(…); echo "$name"``."""
    inner = command.partition("=$(")[2]
    return inner[: inner.rindex(");")]


def _lines(action: Action, read: str, do: str) -> Iterator[str]:
    yield f"- name: {_text(f'{action.title}: {action.entity}')}"
    yield "  hosts: localhost"
    yield "  gather_facts: false"
    yield "  tasks:"
    yield from _task("Read whether it is done already", read)
    yield "      register: brownout_state"
    yield "      changed_when: false"
    yield "      check_mode: false"
    yield from _task(action.title, do)
    yield "      when: \"'needed' in brownout_state.stdout\""


def _task(name: str, command: str) -> Iterator[str]:
    yield f"    - name: {_text(name)}"
    yield f"      {SHELL}:"
    yield f"        cmd: {_text(command)}"
    yield "        executable: /bin/bash"


def _text(value: str) -> str:
    """A string that Ansible takes as it is: without ``!unsafe`` it would evaluate templates in names."""
    return "!unsafe " + json.dumps(value, ensure_ascii=True)
