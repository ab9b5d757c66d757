"""What goes past a web proxy."""

import urllib.request
from collections.abc import Mapping

import pytest

from brownout.loopback import bypass_proxy_for_loopback

OURS = "127.0.0.1,localhost,::1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"no_proxy": OURS}),
        ({"NO_PROXY": "intern.example"}, {"NO_PROXY": f"intern.example,{OURS}"}),
        ({"no_proxy": "a, b ,"}, {"no_proxy": f"a,b,{OURS}"}),
        ({"no_proxy": "a", "NO_PROXY": "b"}, {"no_proxy": f"a,{OURS}", "NO_PROXY": f"b,{OURS}"}),
        ({"no_proxy": "*"}, {"no_proxy": "*"}),
        ({"NO_PROXY": "localhost"}, {"NO_PROXY": "localhost,127.0.0.1,::1"}),
    ],
)
def test_this_machine_is_added_and_nothing_else_changes(before: dict[str, str], after: Mapping[str, str]) -> None:
    environment = before | {"http_proxy": "http://proxy:3128"}
    for _ in range(2):
        bypass_proxy_for_loopback(environment)
        assert environment == {**after, "http_proxy": "http://proxy:3128"}


def test_the_standard_library_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "intern.example")
    monkeypatch.delenv("no_proxy", raising=False)
    bypass_proxy_for_loopback(os.environ)
    for host, passes in (("127.0.0.1", True), ("localhost", True), ("intern.example", True), ("example.org", False)):
        assert bool(urllib.request.proxy_bypass(host)) is passes
