import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rfb_server import converse

from brownout.probe.protocols.failures import ProbeFailure, ProtocolError, RefusedError
from brownout.probe.protocols.spice import SpiceReport, spice


def reply(error: int = 0, size: int = 186) -> bytes:
    return b"REDQ" + struct.pack("<III", 2, 2, size) + struct.pack("<I", error) + bytes(min(max(size - 4, 0), 4096))


def test_the_link_message_is_sent_and_nothing_behind_it() -> None:
    heard = converse(spice(SpiceReport()), reply())
    assert heard.conversation.done
    assert heard.stages == ["negotiate"]
    # Header of 16 bytes, message of 22: no ticket, which would throw a user out.
    assert heard.sent[:4] == b"REDQ"
    assert len(heard.sent) == 16 + 22 == 16 + struct.unpack_from("<I", heard.sent, 12)[0]


@given(st.integers(1, 50))
def test_how_the_bytes_are_cut_changes_nothing(size: int) -> None:
    heard = converse(spice(SpiceReport()), reply(), iter([size] * 400))
    assert heard.conversation.done


@pytest.mark.parametrize(("error", "says"), [(5, "TLS"), (7, "permission"), (99, "99")])
def test_a_refusal_is_measured_and_told(error: int, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        converse(spice(SpiceReport()), reply(error))


@pytest.mark.parametrize("said", [b"RFB 003.008\n0000", reply(size=2**31), reply(size=3), reply(size=100)])
def test_what_is_no_spice_is_an_error(said: bytes) -> None:
    with pytest.raises(ProtocolError):
        converse(spice(SpiceReport()), said)


@given(st.binary(max_size=400), st.integers(0, 202), st.integers(1, 100))
def test_no_bytes_break_the_parser(said: bytes, prefix: int, size: int) -> None:
    try:
        heard = converse(spice(SpiceReport()), reply()[:prefix] + said, iter([size] * 1000))
    except ProbeFailure:
        return
    assert heard.conversation.done == (heard.stages == ["negotiate"])
