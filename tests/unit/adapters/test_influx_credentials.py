"""No form of a secret, and no sign that steers a terminal, comes through; odd secrets are refused unseen."""

from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brownout.adapters.influx.connect import SECRETS, secret
from brownout.adapters.influx.credentials import Credentials, checked_secret, visible
from brownout.domain.errors import SettingsError
from brownout.settings import InfluxSettings

PASSWORD = "p+Ss/w%rd=42&<x>"  # noqa: S105 - of no server
OWN = Credentials("Basic", "user", PASSWORD)


@pytest.mark.parametrize(
    "echo",
    [
        PASSWORD,
        PASSWORD.upper(),
        "p%2BSs%2Fw%25rd%3D42%26%3Cx%3E",
        "p+Ss/w%rd=42&amp;&lt;x&gt;",
        b64encode(f"user:{PASSWORD}".encode()).decode(),
        b64encode(PASSWORD.encode()).decode().rstrip("="),
        " ".join(PASSWORD),
        "\x00".join(PASSWORD),
        PASSWORD[:6] + "\n" + PASSWORD[6:],
    ],
)
def test_no_form_of_the_secret_comes_through(echo: str) -> None:
    shown = OWN.clean(f"bad header: {echo} is wrong " + "x" * 500)
    assert len(shown) <= 300
    letters = "".join(sign for sign in shown.casefold() if sign.isalnum())
    for form in (PASSWORD, echo):
        assert form not in shown
        assert "".join(sign for sign in form.casefold() if sign.isalnum()) not in letters


def test_a_secret_that_a_cut_would_have_shown_in_part_is_hidden_first() -> None:
    assert PASSWORD[:5] not in OWN.clean("x" * 290 + PASSWORD)


def test_a_short_secret_leaves_words_as_they_are() -> None:
    own = Credentials("Token", "", "t")
    assert own.clean("that is not it: t") == "that is not it: [secret]"


def test_neither_repr_shows_the_secret() -> None:
    assert PASSWORD not in repr(OWN)
    assert OWN.headers["Authorization"] == "Basic " + b64encode(f"user:{PASSWORD}".encode()).decode()
    assert Credentials().headers == {}


@given(text=st.text())
def test_what_is_shown_is_one_line_without_controls(text: str) -> None:
    import unicodedata

    shown = Credentials().clean(text)
    assert not {unicodedata.category(sign) for sign in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(shown.splitlines()) <= 1


def test_controls_are_written_out() -> None:
    assert visible("\x1b]0;a\x07\x9b1m\u202eb\u2066") == "\\x1b]0;a\\x07\\x9b1m\\u202eb\\u2066"


@pytest.mark.parametrize("around", ["", "\n", "\r\n", " ", "\t\n "])
def test_white_space_around_a_secret_is_no_part_of_it(around: str, tmp_path: Path) -> None:
    assert checked_secret(f"{around}abcd{around}", "X", token=True) == "abcd"
    path = tmp_path / "secret"
    path.write_bytes(f"{around}abcd{around}".encode())
    assert secret(InfluxSettings(url="http://h:1", secret_file=path)) == "abcd"


@pytest.mark.parametrize(
    ("odd", "what"),
    [("S3cret\nx", "a line end"), ("S3cret\rx", "a line end"), ("S3cret x", "a space"),
     ("S3cret\x00x", "a control character"), ("S3cretä", "not ASCII"),
     ("S3cret\udcff", "not ASCII"), ("S3cret\u202ex", "not ASCII")],
)  # fmt: skip
def test_a_token_that_no_header_can_hold_is_refused_without_being_shown(odd: str, what: str) -> None:
    with pytest.raises(SettingsError, match=what) as caught:
        checked_secret(odd, "BROWNOUT_INFLUXDB_TOKEN", token=True)
    assert "S3cret" not in repr(caught.value)
    assert "BROWNOUT_INFLUXDB_TOKEN" in caught.value.what


def test_a_password_may_have_spaces_and_letters_of_any_alphabet_but_no_controls() -> None:
    assert checked_secret("pass wörd €", "X", token=False) == "pass wörd €"
    with pytest.raises(SettingsError):
        checked_secret("pass\x1bword", "X", token=False)


@pytest.mark.parametrize("content", [b"\xff\xfesecret", b"x" * 100_000])
def test_a_secret_file_that_is_none_is_an_error_without_its_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"holds no text|longer than") as caught:
        secret(InfluxSettings(url="http://h:1", secret_file=path))
    error: BaseException = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert "xxx" not in repr(error)


def test_an_empty_variable_does_not_hide_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    token, password = SECRETS
    monkeypatch.setenv(token, " \n")
    monkeypatch.setenv(password, "of the password")
    assert secret(InfluxSettings(url="http://h:1")) == "of the password"
