"""Addresses that people paste, and those that we would not send a credential to."""

from __future__ import annotations

import pytest
from callers import MINTED

from reconciler.api import Endpoint
from reconciler.core.secret import Secret
from reconciler.errors import Unauthenticated, UsageError


@pytest.mark.parametrize(
    ("given", "url", "is_loopback"),
    [
        ("https://api.netbird.io", "https://api.netbird.io", False),
        (" HTTPS://API.NetBird.io/api/\n", "https://api.netbird.io", False),
        ("https://nb.example:8443//", "https://nb.example:8443", False),
        ("https://nb.example/tools/nb/api", "https://nb.example/tools/nb", False),
        ("https://nb_mgmt/api", "https://nb_mgmt", False),
        ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]:443", False),
        ("http://[::1]:8080", "http://[::1]:8080", True),
        ("http://127.9.9.9", "http://127.9.9.9", True),
        ("http://localhost:80/api", "http://localhost:80", True),
    ],
)
def test_an_address_has_one_form(
    credential: Secret, given: str, url: str, is_loopback: bool
) -> None:
    endpoint = Endpoint(given, credential)
    assert (endpoint.url, endpoint.is_loopback) == (url, is_loopback)
    assert Endpoint(endpoint.url, credential).url == url
    assert "nbp_" not in repr(endpoint)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("", "does not begin with https"),
        ("api.netbird.io", "does not begin with https"),
        ("ftp://nb.example", "does not begin with https"),
        ("file:///etc/passwd", "does not begin with https"),
        ("https://[::1", "does not begin with https"),
        ("https://", "no usable host"),
        ("https:///api", "no usable host"),
        ("https://bücher.example", "no usable host"),
        ("https://nb..example", "no usable host"),
        (f"https://{'a' * 64}.example", "no usable host"),
        ("https://nb.example\\@evil.example", "no usable host|user name"),
        ("https://nb.example:0", "bad port"),
        ("https://nb.example:99999", "bad port"),
        ("https://nb.example:http", "bad port"),
        ("https://hunter2@nb.example", "user name or password"),
        ("https://me:hunter2@nb.example", "user name or password"),
        ("https://nb.example?", "part"),
        ("https://nb.example/?key=hunter2", "part"),
        ("https://nb.example/#", "part"),
        ("https://nb.example/#hunter2", "part"),
        ("https://nb.example/../x", "unusual path"),
        ("https://nb.example/a//b", "unusual path"),
        ("https://nb.example/%2e%2e", "unusual path"),
        ("http://nb.example", "unencrypted"),
        ("http://localhost.evil.example", "unencrypted"),
        ("http://127.0.0.1.evil.example", "unencrypted"),
        ("http://0.0.0.0", "unencrypted"),
        ("http://2130706433", "unencrypted"),
    ],
)
def test_an_address_that_is_refused_comes_with_a_way_out(
    credential: Secret, given: str, problem: str
) -> None:
    with pytest.raises(UsageError, match=problem) as refused:
        Endpoint(given, credential)
    assert refused.value.hint
    assert "hunter2" not in refused.value.message + refused.value.hint


def test_plain_http_beyond_this_machine_needs_a_word(credential: Secret) -> None:
    with pytest.raises(UsageError) as refused:
        Endpoint("http://nb.example", credential)
    assert "allow_http" in refused.value.hint
    assert Endpoint("http://nb.example", credential, allow_http=True).url == "http://nb.example"


@pytest.mark.parametrize("plain", ["", "nbp_short", "nbp_" + "x" * 36, f"{MINTED}\n"])
def test_a_credential_that_is_no_token_is_neither_sent_nor_shown(plain: str) -> None:
    with pytest.raises(Unauthenticated) as refused:
        Endpoint("https://nb.example", Secret(plain))
    assert not plain or plain not in str(refused.value)
    assert refused.value.hint
