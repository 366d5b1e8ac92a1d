"""Addresses and credentials of every adapter: what is let through, what is refused, what is never said."""

from __future__ import annotations

import pytest
from requests import PreparedRequest

from reconciler.core.secret import Secret
from reconciler.errors import UsageError
from reconciler.http import Address, Answer, Basic, Header, Json, Text, Tls, address_of
from reconciler.http.client import _Adapter

NAME, EXAMPLE = "the lock URL", "write it like https://x.example/lock"


def sent(auth: Basic | Header) -> PreparedRequest:
    request = PreparedRequest()
    request.prepare("GET", "https://x.example/", auth=auth)
    return request


def test_an_address_keeps_path_and_query_as_they_were_written() -> None:
    found = address_of(
        "https://X.example:8443/a%2Fb/lock?id=1", NAME, EXAMPLE, query=True, allow_http=False
    )
    assert found == Address("https://x.example:8443", "x.example", "/a%2Fb/lock", "id=1")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://x.example/lock#a", "the lock URL has a `#` part"),
        (
            "http://x.example/lock",
            "the lock URL would send the credential to x.example unencrypted",
        ),
        ("https://me:hunter2@x.example/lock", "the lock URL holds a user name or password"),
        ("x.example", "the lock URL does not begin with https://"),
        ("https://x.example:0", "the lock URL has a bad port"),
        ("https://", "the lock URL has no usable host"),
    ],
)
def test_a_refusal_names_the_address_and_a_way_out(url: str, problem: str) -> None:
    with pytest.raises(UsageError) as refused:
        address_of(url, NAME, EXAMPLE, query=True, allow_http=False)
    assert refused.value.message == problem
    assert refused.value.hint
    assert "hunter2" not in refused.value.message + refused.value.hint


def test_a_credential_writes_its_own_header() -> None:
    assert sent(Header(Secret("s3cret"), "Token")).headers["Authorization"] == "Token s3cret"
    assert sent(Header(Secret("s3cret"), name="X-Vault-Token")).headers["X-Vault-Token"] == "s3cret"
    assert sent(Basic("me", Secret("s3cret"))).headers["Authorization"] == "Basic bWU6czNjcmV0"


@pytest.mark.parametrize("secret", ["s3cret\n", "s3cret\r\nX-Evil: 1", "sécret", "s3\x00cret"])
def test_what_no_header_may_hold_is_refused_and_not_quoted(secret: str) -> None:
    with pytest.raises(UsageError) as refused:
        sent(Header(Secret(secret), "Token"))
    assert "s3" not in str(refused.value) + refused.value.hint
    assert "cret" not in str(refused.value) + refused.value.hint


@pytest.mark.parametrize("auth", [Header(Secret("s3cret")), Basic("me", Secret("s3cret"))])
def test_a_credential_has_no_content_in_its_repr(auth: Basic | Header) -> None:
    assert "s3cret" not in f"{auth!r} {vars(auth)!r}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Json({"message": "no such user"}), "no such user"),
        (Json({"errors": ["Vault is sealed", "more"]}), "Vault is sealed"),
        (Json({"errors": []}), None),
        (Json({"errors": [{"field": "x"}], "message": "as GitHub says it"}), "as GitHub says it"),
        (Text("<html>"), None),
    ],
)
def test_what_an_answer_says_of_an_error(content: Json | Text, message: str | None) -> None:
    assert Answer(400, {}, content).message == message


def test_a_proxy_is_passed_with_the_same_certificates() -> None:
    adapter = _Adapter(frozenset({"GET"}), 1, Tls(server_name="api.internal"))
    behind = adapter.proxy_manager_for("http://proxy.example:3128").connection_pool_kw
    direct = adapter.poolmanager.connection_pool_kw
    assert behind["ssl_context"] is direct["ssl_context"]
    assert behind["server_hostname"] == direct["server_hostname"] == "api.internal"
