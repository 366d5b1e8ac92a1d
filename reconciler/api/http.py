"""HTTP to one server: where the rules of DESIGN §8 are kept, none of them by good will alone.

The only adapter is mounted at the server's own `/api/`, so requests has no way to any other host.
It lets through only the methods it was built with, so a reader cannot write. Redirects, cookies
and `~/.netrc` are off; proxy variables and REQUESTS_CA_BUNDLE are read once, at the start.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Final

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.cookies import RequestsCookieJar
from urllib3.exceptions import HTTPError

from reconciler import __version__
from reconciler.api.budget import Budget
from reconciler.api.endpoint import Endpoint
from reconciler.api.outcome import Answer, Failure, Outcome, Stage, content_of, failure_of
from reconciler.core.secret import Secret
from reconciler.errors import UsageError

THREADS: Final = 8
TIMEOUT: Final = (10.0, 30.0)
"""Seconds to connect, and between two bytes of an answer."""
MAX_BODY: Final = 64 * 1024 * 1024
_CHUNK: Final = 64 * 1024


class Reading:
    """Can GET, and nothing else. Safe to share by threads; keeps up to eight connections."""

    _methods: frozenset[str] = frozenset({"GET"})

    def __init__(self, endpoint: Endpoint, budget: Budget) -> None:
        self._root = f"{endpoint.url}/api/"
        self._credential = endpoint.credential
        self._budget = budget
        self._session = _session(endpoint, self._root, self._methods)
        self._lock = Lock()
        self._first_date: str | None = None

    def get(self, path: str, credential: Secret | None = None) -> Outcome:
        """GET a path below `/api/`, by default with our own credential."""
        return self._ask("GET", path, credential or self._credential)

    @property
    def first_date(self) -> str | None:
        """The `Date` of the first 200 as it was sent; empty without one; None before any."""
        with self._lock:
            return self._first_date

    def use(self, credential: Secret) -> None:
        """Send this credential from now on."""
        self._credential = credential

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _ask(
        self, method: str, path: str, credential: Secret, body: Mapping[str, object] | None = None
    ) -> Outcome:
        self._budget.take()
        try:
            # An auth object, not a header: requests then never looks for another credential, and
            # ours stands in no session, no repr and no log.
            with self._session.request(
                method,
                self._root + path,
                auth=_TokenAuth(credential),
                json=body,
                timeout=TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response:
                return self._received(response)
        except (OSError, HTTPError) as error:
            failure = failure_of(error)
        return failure

    def _received(self, response: requests.Response) -> Outcome:
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > MAX_BODY:
                return Failure(Stage.TOO_LARGE, f"the answer is larger than {MAX_BODY >> 20} MB")
        if response.status_code == requests.codes.ok:
            with self._lock:
                if self._first_date is None:
                    self._first_date = response.headers.get("Date", "")
        content = content_of(bytes(body), response.headers.get("Content-Type", ""))
        return Answer(response.status_code, response.headers, content)


class Writing(Reading):
    """Can POST and DELETE, too."""

    _methods = frozenset({"GET", "POST", "DELETE"})

    def post(self, path: str, body: Mapping[str, object]) -> Outcome:
        """POST JSON to a path below `/api/`, once."""
        return self._ask("POST", path, self._credential, body)

    def delete(self, path: str) -> Outcome:
        """DELETE a path below `/api/`, once."""
        return self._ask("DELETE", path, self._credential)


class _TokenAuth(AuthBase):
    """Writes the credential into one request."""

    def __init__(self, credential: Secret) -> None:
        self._credential = credential

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Token {self._credential.reveal()}"
        return request


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

    def __init__(self, methods: frozenset[str]) -> None:
        super().__init__(pool_connections=1, pool_maxsize=THREADS, max_retries=0, pool_block=True)
        self._methods = methods

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


def _session(endpoint: Endpoint, root: str, methods: frozenset[str]) -> requests.Session:
    # urllib3 warns of headers that it cannot read, and quotes them. Where a frame is broken, the body
    # of a create, secret and all, stands among them.
    logging.getLogger("urllib3.connection").setLevel(logging.CRITICAL)
    session = _Session()
    environment = session.merge_environment_settings(root, {}, None, None, None)
    session.trust_env = False
    session.verify = _bundle(environment["verify"])
    if not endpoint.is_loopback:  # through a proxy, plain http would no longer stay on this machine
        session.proxies = environment["proxies"]
    session.cookies = _NoCookies()
    session.adapters.clear()
    session.mount(root, _Adapter(methods))
    session.headers.update(
        {
            "User-Agent": f"netbird-tokens/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
        }
    )
    return session
