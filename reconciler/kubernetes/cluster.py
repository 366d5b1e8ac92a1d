"""One cluster, and requests to a part of its API, which sign in by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from threading import Lock

from reconciler.http import (
    Address,
    Answer,
    Auth,
    Certificate,
    Client,
    Failure,
    Limits,
    Outcome,
    Stage,
    Tls,
)
from reconciler.kubernetes.identity import Credential, SignIn, Unsigned


@dataclass(frozen=True, slots=True)
class Cluster:
    """One API server, and the namespace to work in."""

    address: Address
    namespace: str
    tls: Tls = field(repr=False)
    sign_in: SignIn = field(repr=False)

    def door(self, path: str, methods: frozenset[str], connections: int = 1) -> Door:
        """A way in below one path, for these methods alone. Nothing is sent."""
        return Door(self, path, methods, connections)


class Door:
    """Sends what a `Client` sends, below a root of its own; it makes one for each certificate."""

    def __init__(
        self, cluster: Cluster, path: str, methods: frozenset[str], connections: int
    ) -> None:
        self._root = f"{cluster.address.origin}{cluster.address.path.rstrip('/')}/{path}"
        self._cluster = cluster
        self._methods = methods
        self._connections = connections
        self._one_at_a_time = Lock()
        self._client: Client | None = None
        self._shows: Certificate | None = None

    def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            self._client.close()

    def ask(
        self,
        method: str,
        path: str,
        auth: Auth | None,
        limits: Limits,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Outcome:
        """As `Client.ask`; where `auth` is None, signed with what the cluster takes us for.

        A 401 comes before anything is done, so it is sent once more if there is another credential.

        Raises:
            UsageError: The credential is none that could be sent.
        """

        def send(credential: Credential) -> Outcome:
            client = self._client_for(credential)
            return client.ask(method, path, auth or credential.auth, limits, body, headers)

        try:
            credential = self._cluster.sign_in(None)
            outcome = send(credential)
            if isinstance(outcome, Answer) and outcome.status == HTTPStatus.UNAUTHORIZED:
                another = self._cluster.sign_in(credential)
                return outcome if another is credential else send(another)
        except Unsigned as error:
            return Failure(Stage.UNSIGNED, str(error))
        return outcome

    def _client_for(self, credential: Credential) -> Client:
        """A certificate belongs to connections, not to requests."""
        with self._one_at_a_time:
            if self._client is None or self._shows is not credential.certificate:
                tls = self._cluster.tls
                self._shows = credential.certificate
                self._client = Client(
                    self._root,
                    self._methods,
                    is_loopback=self._cluster.address.is_loopback,
                    connections=self._connections,
                    tls=Tls(tls.ca, credential.certificate, tls.server_name),
                )
            return self._client
