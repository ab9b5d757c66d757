"""What servers and names hold is text to a terminal, never a command."""

import pytest

import brownout.cli
from brownout.cli.talk import complain, say
from brownout.domain.errors import DataError

HOSTILE = "401 \x1b]0;OWNED\x07\x1b[2J \x9b2J \u202egnp [red]"


def test_errors_and_talk_show_control_characters_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    complain(DataError(f"The server said {HOSTILE}.", remedy=f"Ask {HOSTILE}."))
    say(HOSTILE)
    shown = capsys.readouterr().err
    assert not set(shown) & set("\x1b\x07\x9b\u202e")
    assert shown.count(r"401 \x1b]0;OWNED\x07\x1b[2J \x9b2J \u202egnp [red]") == 3


def test_a_package_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Hypervisors have the few packages of the probe or the agent only."""

    def lacking(name: str) -> None:
        def app() -> None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

        monkeypatch.setattr(brownout.cli, "app", app)
        brownout.cli.main()

    with pytest.raises(SystemExit, match="1"):
        lacking("websockets")
    assert "The package websockets is missing." in capsys.readouterr().err
    with pytest.raises(ModuleNotFoundError):
        lacking("brownout.nowhere")
