import asyncio
from pathlib import Path

import pytest

from brownout.domain.errors import BrownoutError, SettingsError
from brownout.probe.console_list import Consoles, file_source
from brownout.probe.target import Target, parse_target, read_targets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vnc://10.0.0.1:5901", ("vnc", "tcp", "10.0.0.1", 5901)),
        ("vnc://host:1", ("vnc", "tcp", "host", 5901)),  # a display, as virsh domdisplay prints it
        ("vnc://[::1]:5900", ("vnc", "tcp", "::1", 5900)),
        ("vnc+tls://host:5900", ("vnc", "tls", "host", 5900)),
        ("vnc+unix:///run/vm01.sock", ("vnc", "unix", "/run/vm01.sock", 0)),
        ("spice://host:5930", ("spice", "tcp", "host", 5930)),
        ("spice+tls://host:5931", ("spice", "tls", "host", 5931)),
        ("ws://host/websockify", ("vnc", "ws", "host", 80)),
        ("wss://host:6080/?token=abc", ("vnc", "ws", "host", 6080)),
        ("spice+ws://host:6082/", ("spice", "ws", "host", 6082)),
    ],
)
def test_addresses(text: str, expected: tuple[str, str, str, int]) -> None:
    target = parse_target(text)
    assert (target.protocol, target.transport, target.host, target.port) == expected


@pytest.mark.parametrize(
    ("page", "path"),
    [
        ("http://ctl:6080/vnc_auto.html?path=%3Ftoken%3Dabc-1", "/?token=abc-1"),
        ("https://ctl/vnc_lite.html?path=websockify%3Ftoken%3Dabc", "/websockify?token=abc"),
        ("http://ctl:6080/vnc_auto.html?token=abc", "/websockify?token=abc"),
    ],
)
def test_the_websocket_behind_a_page_of_openstack(page: str, path: str) -> None:
    target = parse_target(page)
    assert (target.transport, target.path) == ("ws", path)
    assert target.secure is page.startswith("https")
    assert "abc" not in repr(target) + target.address


def test_what_is_said_of_the_guest() -> None:
    target = parse_target("vnc://h:5900 domain_name='web 01' hypervisor=kvm1 vantage=office password_file=/run/pw")
    assert (target.name, target.hypervisor, target.vantage) == ("web 01", "kvm1", "office")
    assert target.password_file == Path("/run/pw")


@pytest.mark.parametrize(
    "text",
    ["", "vnc://", "vnc://h", "vnc://h:99999", "vnc://h:x", "h:5900", "ftp://h:1", "vnc://u:s3cret@h:5900",
     "vnc://h:5900 colour=red", "vnc://h:5900 'open", "ws://h/a b", "http://h:6080/vnc.html?path=a%0d%0aX: y"],
)  # fmt: skip
def test_what_is_no_target_is_told_without_its_secrets(text: str) -> None:
    with pytest.raises(SettingsError) as told:
        parse_target(text)
    assert "s3cret" not in str(told.value)
    assert told.value.remedy


def test_a_file_is_read_anew_with_its_comments_and_the_line_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "consoles"
    file.write_text("# office\n\nvnc://h:5900 password_file=pw\n  spice://h:5930\n")
    source = file_source(file)
    first, second = source()
    assert first.password_file == tmp_path / "pw"
    assert second.protocol == "spice"
    file.write_text("vnc://h:5900\nnonsense\n")
    with pytest.raises(SettingsError, match="line 2"):
        source()
    assert read_targets("", "nothing") == []


def test_a_source_that_fails_keeps_what_it_listed_and_one_address_is_one_console() -> None:
    answers = [[parse_target("vnc://h:5900 domain_name=a"), parse_target("vnc://h:5901")], None]
    told: list[BrownoutError] = []

    def source() -> list[Target]:
        answer = answers.pop(0)
        if answer is None:
            raise BrownoutError("libvirt does not answer.", remedy="Start it.")
        return answer

    consoles = Consoles([parse_target("vnc://h:5900 domain_name=by-hand")], [source], told.append)
    asyncio.run(consoles.refresh(strict=True))
    assert [target.name for target in consoles.now()] == ["by-hand", "h:5901"]
    asyncio.run(consoles.refresh())
    assert len(consoles.now()) == 2
    assert "libvirt" in told[0].what


def test_consoles_behind_one_proxy_are_told_apart() -> None:
    first, second = (parse_target(f"ws://proxy:6080/?token={token}") for token in "ab")
    again = parse_target("ws://proxy:6080/?token=a")
    consoles = Consoles([first, second, again], [], pytest.fail)
    assert len(consoles.now()) == 2
