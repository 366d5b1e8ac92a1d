"""TLS: whom we trust, and that nothing is sent to anybody else."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from callers import WRITES, talk
from raw_server import RawServers, answered

from reconciler.api import Endpoint, reader
from reconciler.core.secret import Secret
from reconciler.errors import Unavailable, UsageError


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS with a certificate of its own making, and that certificate."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the command openssl makes the certificate of this test")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-days", "2", "-subj", "/CN=test", "-addext", f"subjectAltName={name}",
            "-keyout", key, "-out", cert,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context, cert


def test_a_certificate_that_nobody_vouches_for_ends_it_before_anything_is_sent(
    raw_servers: RawServers, credential: Secret, tmp_path: Path
) -> None:
    context, _ = certificate(tmp_path, "IP:127.0.0.1")
    server = raw_servers.start(answered(b"[]"), tls=context)
    with talk(server.url, credential) as api:
        with pytest.raises(Unavailable, match="certificate") as refused:
            api.users()
        for write in WRITES:
            with pytest.raises(Unavailable):
                write(api)
    assert "REQUESTS_CA_BUNDLE" in refused.value.hint
    assert server.heard == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize(("name", "trusted"), [("IP:127.0.0.1", True), ("DNS:elsewhere", False)])
def test_a_private_ca_is_named_by_the_environment(
    raw_servers: RawServers,
    credential: Secret,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    name: str,
    trusted: bool,
) -> None:
    context, cert = certificate(tmp_path, name)
    monkeypatch.setenv(variable, str(cert))
    server = raw_servers.start(answered(b"[]"), tls=context)
    with talk(server.url, credential) as api:
        if trusted:
            assert api.users() == ()
        else:
            with pytest.raises(Unavailable, match="certificate"):
                api.users()


def test_a_missing_ca_bundle_is_said_before_anything_is_sent(
    credential: Secret, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/bundle.pem")
    with pytest.raises(UsageError, match="no CA bundle") as refused:
        reader(Endpoint("https://nb.example", credential))
    assert "REQUESTS_CA_BUNDLE" in refused.value.hint


def test_a_plain_server_at_an_https_address_is_said(
    raw_servers: RawServers, credential: Secret
) -> None:
    server = raw_servers.start()
    server.greeting = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    with (
        talk(server.url.replace("http:", "https:"), credential) as api,
        pytest.raises(Unavailable, match=r"(?i)ssl"),
    ):
        api.users()
