"""HTTP to one server: where the rules of DESIGN §8 are kept, none of them by good will alone.

The only adapter is mounted at the client's own root, so requests has no way to any other place. It
lets through only the methods it was built with, so a reader cannot write. Redirects, cookies and
`~/.netrc` are off; proxy variables and REQUESTS_CA_BUNDLE are read once, at the start.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError

from reconciler import __version__
from reconciler.errors import UsageError
from reconciler.http.outcome import Answer, Failure, Outcome, Stage, content_of, failure_of
from reconciler.http.tls import Tls

_CHUNK: Final = 64 * 1024
_HEADERS: Final = {
    "User-Agent": f"netbird-tokens/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take.

    Attributes:
        timeout: Seconds to connect, and between two bytes of an answer.
        body: The most bytes of an answer, unpacked.
    """

    timeout: tuple[float, float]
    body: int


class Client:
    """Sends requests below one root, and nowhere else. Safe to share by threads.

    Args:
        root: Scheme, host and maybe a path, up to a slash.
        methods: The only ones that it will ever send.
        is_loopback: Whether the root is this machine; then there is no proxy.
        connections: The most at one time; further callers await their turn.
        ca: A file of the certificates to trust instead of the usual ones.
        tls: What else is particular about its TLS.

    Raises:
        UsageError: REQUESTS_CA_BUNDLE names no file, or a certificate is none.
    """

    def __init__(
        self,
        root: str,
        methods: frozenset[str],
        *,
        is_loopback: bool,
        connections: int = 1,
        ca: Path | None = None,
        tls: Tls | None = None,
    ) -> None:
        self._root = root
        adapter = _Adapter(methods, connections, tls or Tls())
        self._session = _session(root, adapter, is_loopback=is_loopback)
        if ca is not None:
            self._session.verify = str(ca)
        elif adapter.has_own_ca:
            self._session.verify = True  # a bundle named here would be trusted, too

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        auth: AuthBase | None,
        limits: Limits,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Send one request, once, with JSON if there is a body; never raises for what becomes of it.

        `headers` are sent besides the usual ones, or instead of them; no credential stands there.
        """
        request = _prepared(method, self._root + path, auth, body)
        request.headers.update(headers or {})
        try:
            with self._session.send(
                request,
                proxies=self._session.proxies,
                timeout=limits.timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                return _received(response, limits.body)
        except (OSError, HTTPError) as error:
            failure = failure_of(error)
        return failure


def _prepared(
    method: str, url: str, auth: AuthBase | None, body: Mapping[str, object] | None
) -> requests.PreparedRequest:
    """One request, made by hand: nothing is merged into it, so no other credential can slip in.

    Letting the session merge its settings into each one would cost half as much again.
    """
    request = requests.PreparedRequest()
    request.method, request.url = method, url
    request.headers = CaseInsensitiveDict(_HEADERS)
    request.prepare_body(None, None, json=body)
    return request if auth is None else auth(request)


def _received(response: requests.Response, most: int) -> Outcome:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > most:
            return Failure(Stage.TOO_LARGE, f"the answer is larger than {_size(most)}")
    content = content_of(bytes(body), response.headers.get("Content-Type", ""))
    return Answer(response.status_code, response.headers, content)


def _size(count: int) -> str:
    return f"{count >> 20} MB" if count >> 20 else f"{count >> 10} KB"


class _Session(requests.Session):
    """Knows no redirect. Left alone, requests reads and prepares even those it does not follow."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002 - not our name
        return None


class _NoCookies(RequestsCookieJar):
    """Takes no cookie and has none to give."""

    def extract_cookies(self, response: object, request: object) -> None:
        pass


class _Adapter(HTTPAdapter):
    """The way out, for these methods only. Its own retries stay off: they cannot judge."""

    def __init__(self, methods: frozenset[str], connections: int, tls: Tls) -> None:
        self._methods = methods
        self.has_own_ca = tls.ca is not None
        self._tls: dict[str, Any] = {} if tls == Tls() else {"ssl_context": tls.context()}
        if tls.server_name is not None:
            self._tls["server_hostname"] = tls.server_name
        super().__init__(
            pool_connections=1, pool_maxsize=connections, max_retries=0, pool_block=True
        )

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **{**kwargs, **self._tls})

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        return super().proxy_manager_for(proxy, **{**kwargs, **self._tls})

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Where requests adds the usual authorities; our own ones stand alone."""
        if not self.has_own_ca:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]  # theirs

    def add_headers(self, request: requests.PreparedRequest, **_kwargs: object) -> None:
        """The hook that requests calls before it sends anything."""
        if request.method not in self._methods:
            raise RuntimeError(f"this client may not {request.method}: that is a bug of ours")


def _bundle(verify: bool | str | None) -> bool | str:  # noqa: FBT001 - the union of requests
    """Which certificates to trust. Checked here: later it would look like a failed request."""
    if isinstance(verify, str) and not Path(verify).exists():
        raise UsageError(
            f"there is no CA bundle at {verify}", hint="mend or unset REQUESTS_CA_BUNDLE"
        )
    return True if verify is None else verify


def _session(root: str, adapter: HTTPAdapter, *, is_loopback: bool) -> requests.Session:
    # urllib3 warns of headers that it cannot read, and quotes them. Where a frame is broken, the body
    # of a create, secret and all, stands among them.
    logging.getLogger("urllib3.connection").setLevel(logging.CRITICAL)
    session = _Session()
    environment = session.merge_environment_settings(root, {}, None, None, None)
    session.trust_env = False
    session.verify = _bundle(environment["verify"])
    if not is_loopback:  # through a proxy, plain http would no longer stay on this machine
        session.proxies = environment["proxies"]
    session.cookies = _NoCookies()
    session.adapters.clear()
    session.mount(root, adapter)
    return session
