"""The `vault` sink type: KV v2 of HashiCorp Vault or OpenBao, over HTTPS.

What may be sent where is bound to clients, not to good will: a plan reads with one that can only GET and
signs in with one that can POST below `auth/` alone; writes have a client that a plan never touches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Sink
from reconciler.errors import UsageError
from reconciler.http import Address, Client, address_of
from reconciler.sinks import Identity, Options, SinkType
from reconciler.sinks.records import RecordSink
from reconciler.sinks.rest import CONNECTIONS, Rest
from reconciler.sinks.vault.kv import KEYS, KvReader, Shelf
from reconciler.sinks.vault.login import Session
from reconciler.sinks.vault.mount import Mount
from reconciler.sinks.vault.store import VaultStore
from reconciler.surroundings import Surroundings

_EXAMPLE: Final = "write it like https://vault.example:8200"
_ADVICE: Final = "is the token still good, and does its policy reach this path and namespace?"
_TOKEN: Final[Mapping[str, object]] = {"method": "token"}
_READ: Final = frozenset({"GET"})
_WRITE: Final = frozenset({"POST"})


def key_rule(_options: Options) -> KeyRule:
    return KEYS


def build(options: Options, around: Surroundings) -> Sink:
    """The sink; where the config is silent, the variables of `vault` and `bao` speak."""
    shelf = Shelf(
        mount=str(options["mount"]),
        folder=str(options["path"]),
        value=str(options["value_field"]),
        receipt=str(options["receipt_field"]),
    )
    if shelf.value == shelf.receipt:
        raise UsageError(
            "a vault sink has one field for both the token and its receipt",
            hint="give `value_field` and `receipt_field` different names",
        )
    doors = _Doors(_address(options, around), _ca(options, around))
    headers = _headers(options, around)
    auth = cast("Mapping[str, object]", options.get("auth", _TOKEN))
    session = Session(doors.open("auth/", _WRITE), headers, auth, around)

    def rest(path: str, methods: frozenset[str]) -> Rest:
        name = f"vault {shelf.mount}/{shelf.folder}"
        return Rest(name, doors.open(path, methods), None, _ADVICE, headers)

    return RecordSink(
        VaultStore(
            reader=KvReader(shelf, Mount(shelf.mount, rest("", _READ), session)),
            writes=rest(f"{shelf.mount}/", _WRITE),
            rights=rest("sys/capabilities-self", _WRITE),
            session=session,
            removal=str(options["old_versions"]),
        )
    )


def store(options: Options, around: Surroundings) -> Identity:
    """A folder of a mount, with all that is below it."""
    where = ("", "")  # as a file is checked, where nobody knows the server
    if _setting(options, "address", around, "ADDR") is not None:
        address = _address(options, replace(around, allow_http=True))  # `build` has the last word
        where = (address.server, address.path.rstrip("/").lower())
    namespace = _setting(options, "namespace", around, "NAMESPACE") or ""
    # One path, wherever namespace, mount and folder end: no two of them can bear one name.
    path = "/".join([namespace, str(options["mount"]), str(options["path"])])
    return (*where, *filter(None, path.split("/")))


class _Doors:
    """Clients of one server, each for one part of it."""

    def __init__(self, address: Address, ca: Path | None) -> None:
        self._address = address
        self._ca = ca

    def open(self, path: str, methods: frozenset[str]) -> Client:
        return Client(
            f"{self._address.origin}{self._address.path.rstrip('/')}/v1/{path}",
            methods,
            is_loopback=self._address.is_loopback,
            connections=CONNECTIONS,
            ca=self._ca,
        )


def _address(options: Options, around: Surroundings) -> Address:
    url = _setting(options, "address", around, "ADDR")
    if url is None:
        raise UsageError(
            "a vault sink has no address",
            hint="set `address` in the config, or VAULT_ADDR or BAO_ADDR",
        )
    return address_of(url, "the address of Vault", _EXAMPLE, allow_http=around.allow_http)


def _ca(options: Options, around: Surroundings) -> Path | None:
    name = _setting(options, "ca_cert", around, "CACERT")
    if name is None:
        return None
    path = around.base / Path(name).expanduser()
    if not path.exists():
        raise UsageError(
            f"there are no certificates at {path}",
            hint="mend `ca_cert`, VAULT_CACERT or BAO_CACERT",
        )
    return path


def _headers(options: Options, around: Surroundings) -> dict[str, str]:
    """Some agents and proxies want the first; it also keeps web pages from asking them."""
    namespace = _setting(options, "namespace", around, "NAMESPACE")
    headers = {"X-Vault-Request": "true"}
    return headers if namespace is None else {**headers, "X-Vault-Namespace": namespace}


def _setting(options: Options, name: str, around: Surroundings, variable: str) -> str | None:
    for value in (
        options.get(name),
        around.env.get(f"VAULT_{variable}"),
        around.env.get(f"BAO_{variable}"),
    ):
        if value:
            return str(value)
    return None


TYPE = SinkType(keys=key_rule, build=build, store=store)
