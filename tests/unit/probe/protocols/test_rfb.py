import struct
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rfb_server import converse, frame, init, session

from brownout.probe.protocols.failures import (
    AuthFailedError,
    ProbeFailure,
    ProtocolError,
    RefusedError,
    TooMuchDataError,
)
from brownout.probe.protocols.rfb import Plan, RfbReport, rfb
from brownout.probe.protocols.vencrypt import Login
from brownout.probe.protocols.vnc_password import respond
from brownout.probe.protocols.wire import Conversation

UPDATE = Plan(update=True)
PASSWORD = "a-password"  # noqa: S105 - of bytes that a test makes up
SERVER_INIT = len(b"RFB 003.008\n" + b"\x01\x01" + bytes(4))


def test_a_session_goes_through_all_stages_and_asks_to_share() -> None:
    report = RfbReport()
    heard = converse(rfb(UPDATE, report), session())
    assert heard.conversation.done
    assert heard.stages == ["banner", "negotiate", "auth", "init", "request", "first_byte", "update"]
    assert heard.sent.startswith(b"RFB 003.008\n" + b"\x01" + b"\x01")  # version, no authentication, shared
    assert struct.pack(">BBHHHH", 3, 0, 0, 0, 16, 16) in heard.sent
    assert (report.width, report.height) == (64, 48)


@given(st.lists(st.integers(1, 40), min_size=1))
def test_how_the_bytes_are_cut_changes_nothing(sizes: list[int]) -> None:
    whole = converse(rfb(UPDATE, RfbReport()), session())
    cut = converse(rfb(UPDATE, RfbReport()), session(), iter([*sizes, *repeat(7, 500)]))
    assert cut.conversation.done
    assert cut.sent == whole.sent
    assert cut.stages == whole.stages
    assert [mark.bytes_read for mark in cut.conversation.marks] == [
        mark.bytes_read for mark in whole.conversation.marks
    ]


def test_a_handshake_sends_nothing_but_its_version() -> None:
    heard = converse(rfb(Plan(), RfbReport()), b"RFB 003.008\n\x01\x01")
    assert heard.conversation.done
    assert heard.sent == b"RFB 003.008\n"
    assert heard.stages == ["banner", "negotiate"]


@pytest.mark.parametrize("password", ["", "secret"])
@pytest.mark.parametrize("types", [b"\x13", b"\x05\x06", b"\x10"])
def test_what_cannot_be_opened_is_left_alone_and_says_why(types: bytes, password: str) -> None:
    report = RfbReport()
    plan = Plan(update=True, login=Login(password=password))
    heard = converse(rfb(plan, report), b"RFB 003.008\n" + bytes([len(types)]) + types)
    assert heard.conversation.done
    assert heard.sent == b"RFB 003.008\n"
    assert report.locked


def test_without_a_password_none_is_tried() -> None:
    report = RfbReport()
    heard = converse(rfb(UPDATE, report), b"RFB 003.008\n\x01\x02")
    assert heard.sent == b"RFB 003.008\n"
    assert "password" in report.locked


def test_a_password_answers_the_challenge() -> None:
    challenge = bytes(range(16))
    said = b"RFB 003.008\n\x01\x02" + challenge + bytes(4) + init() + frame()
    heard = converse(rfb(Plan(update=True, login=Login(password=PASSWORD)), RfbReport()), said)
    assert heard.conversation.done
    assert bytes(heard.sent[12:29]) == b"\x02" + respond(challenge, PASSWORD)


def test_the_answer_to_a_challenge_is_des_as_published() -> None:
    # FIPS 81's example, key 0123456789abcdef, with the key's bits turned as VNC does.
    key = bytes.fromhex("0123456789abcdef")
    password = bytes(int(f"{byte:08b}"[::-1], 2) for byte in key).decode("latin-1")
    assert respond(bytes.fromhex("4e6f77206973207468652074696d6520"), password)[:8].hex() == "3fa40e8a984d4815"


def test_a_wrong_password_is_told_with_the_servers_words() -> None:
    said = b"RFB 003.008\n\x01\x02" + bytes(16) + b"\0\0\0\x01" + struct.pack(">I", 4) + b"nope"
    with pytest.raises(AuthFailedError, match="nope"):
        converse(rfb(Plan(update=True, login=Login(password=PASSWORD)), RfbReport()), said)


@pytest.mark.parametrize(
    ("banner", "answer"),
    [
        (b"RFB 003.003\n", b"RFB 003.003\n"),
        (b"RFB 003.005\n", b"RFB 003.003\n"),
        (b"RFB 003.007\n", b"RFB 003.007\n"),
        (b"RFB 003.889\n", b"RFB 003.008\n"),
        (b"RFB 004.001\n", b"RFB 003.008\n"),
    ],
)
def test_old_and_odd_versions_are_answered_with_one_that_exists(banner: bytes, answer: bytes) -> None:
    security = struct.pack(">I", 1) if answer.endswith(b"3\n") else b"\x01\x01"
    result = bytes(4) if answer.endswith(b"8\n") else b""
    heard = converse(rfb(UPDATE, RfbReport()), banner + security + result + init() + frame())
    assert heard.sent.startswith(answer)
    assert heard.conversation.done


@pytest.mark.parametrize("version", [b"RFB 003.003\n\0\0\0\0", b"RFB 003.008\n\0"])
def test_a_refusal_is_told_with_the_servers_words(version: bytes) -> None:
    with pytest.raises(RefusedError, match="Too many security failures"):
        converse(rfb(UPDATE, RfbReport()), version + struct.pack(">I", 26) + b"Too many security failures")


def test_messages_between_are_passed_over() -> None:
    colours, text = b"\x01\0" + struct.pack(">HH", 0, 2) + bytes(12), b"\x03\0\0\0" + struct.pack(">I", 5) + b"hello"
    between = b"\x02" + colours + text
    empty = struct.pack(">BxH", 0, 0)
    heard = converse(rfb(UPDATE, RfbReport()), session(between, empty, frame()))
    assert heard.conversation.done
    assert heard.stages[-1] == "update"


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200",
        b"RFB 003.008\n\0" + struct.pack(">I", 2**32 - 1),
        session()[:SERVER_INIT] + struct.pack(">HH", 64, 48) + bytes(16) + struct.pack(">I", 4),
        session()[:SERVER_INIT] + init()[:-15] + struct.pack(">I", 2**32 - 1),
        session(b"\x07"),
        session(struct.pack(">BxHHHHHi", 0, 1, 0, 0, 9, 9, 7)),
    ],
    ids=["http", "giant reason", "no pixels", "giant name", "unknown message", "unknown encoding"],
)
def test_what_is_no_rfb_is_an_error_at_once(said: bytes) -> None:
    with pytest.raises(ProtocolError):
        converse(rfb(UPDATE, RfbReport()), said)


@pytest.mark.parametrize(
    "said",
    [
        session(struct.pack(">BxHHHHHi", 0, 1, 0, 0, 65535, 65535, 0)),
        session(b"\x03\0\0\0" + struct.pack(">I", 2**31)),
        session(struct.pack(">BxHHHHHiI", 0, 1, 0, 0, 9, 9, 16, 2**32 - 1)),
    ],
    ids=["pixels", "clipboard", "compressed"],
)
def test_more_than_the_limit_is_an_error_when_it_is_announced(said: bytes) -> None:
    with pytest.raises(TooMuchDataError):
        converse(rfb(UPDATE, RfbReport()), said)


def keys(sent: bytes) -> int:
    """Key and pointer messages behind the shared flag."""
    position, found = 14, 0
    sizes = {0: 20, 3: 10, 4: 8, 5: 6}
    while position < len(sent):
        kind = sent[position]
        found += kind in {4, 5}
        position += 4 + 4 * struct.unpack_from(">H", sent, position + 2)[0] if kind == 2 else sizes[kind]
    return found


@given(st.builds(Plan, update=st.booleans(), full=st.booleans(), window_s=st.sampled_from([0.0, 5.0])))
def test_no_plan_sends_keys_unless_it_says_so(plan: Plan) -> None:
    heard = converse(rfb(plan, RfbReport()), session(*[frame()] * 5))
    assert keys(bytes(heard.sent)) == 0


def test_a_prepared_guest_gets_a_key_and_its_undoing() -> None:
    heard = converse(rfb(Plan(inject=True), RfbReport()), session(frame(), frame()))
    assert heard.stages[-2:] == ["key", "echo"]
    assert keys(bytes(heard.sent)) == 4
    assert heard.conversation.done


def test_a_window_counts_frames_until_it_is_ended_from_outside() -> None:
    compressed = struct.pack(">BxHHHHHiI", 0, 1, 0, 0, 9, 9, 16, 3) + b"abc"
    heard = converse(rfb(Plan(window_s=5.0), RfbReport()), session(frame(), *[compressed] * 3))
    assert not heard.conversation.done
    assert heard.conversation.softened == 5.0
    assert heard.stages.count("frame") == 3


def test_of_a_giant_screen_a_part_is_asked_for() -> None:
    said = b"RFB 003.008\n\x01\x01" + bytes(4) + init(7680, 4320) + frame() + frame()
    heard = converse(rfb(Plan(full=True), RfbReport()), said)
    *_, width, height = struct.unpack(">BBHHHH", heard.sent[-10:])
    assert width == 7680
    assert 1_000_000 < 4 * width * height <= 4_000_000


@settings(max_examples=300)
@given(
    said=st.binary(max_size=600),
    prefix=st.integers(0, len(session())),
    sizes=st.lists(st.integers(1, 64), min_size=1, max_size=50),
    plan=st.sampled_from([Plan(), UPDATE, Plan(full=True, window_s=1.0), Plan(require_tls=True, update=True)]),
)
def test_no_bytes_break_the_parser(said: bytes, prefix: int, sizes: list[int], plan: Plan) -> None:
    limit = 100_000
    conversation = Conversation(rfb(plan, RfbReport()), limit=limit)
    conversation.start(0.0)
    everything, position = session()[:prefix] + said, 0
    try:
        for size in [*sizes, len(everything)]:
            if conversation.done or conversation.secure:
                break
            conversation.receive(everything[position : position + size], 1.0)
            position += size
    except ProbeFailure:
        pass
    assert all(mark.bytes_read <= min(limit, len(everything)) for mark in conversation.marks)
