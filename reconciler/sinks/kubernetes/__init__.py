"""The `kubernetes` sink type: Secrets of one namespace, a Secret for each key or one for all.

What may be sent is bound to clients, not to good will: a plan has one that can only GET.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Sink
from reconciler.errors import UsageError
from reconciler.kubernetes import cluster_of
from reconciler.sinks import Identity, Options, SinkType
from reconciler.sinks.kubernetes.places import Layout
from reconciler.sinks.kubernetes.reader import SecretReader
from reconciler.sinks.kubernetes.store import SecretStore
from reconciler.sinks.kubernetes.writer import SecretWriter, declines
from reconciler.sinks.records import RecordSink
from reconciler.sinks.rest import CONNECTIONS, Rest
from reconciler.surroundings import Surroundings

_ADVICE: Final = (
    "does `kubectl auth can-i --list` with the same kubeconfig and namespace show the right?"
)
_READ: Final = frozenset({"GET"})
_WRITE: Final = frozenset({"POST", "PATCH", "DELETE"})


def key_rule(options: Options) -> KeyRule:
    return _layout(options).keys


def build(options: Options, around: Surroundings) -> Sink:
    """The sink; where the config is silent, what kubectl would take."""
    cluster = cluster_of(options, around)
    path = f"api/v1/namespaces/{quote(cluster.namespace, safe='')}/secrets"
    name = f"kubernetes {cluster.namespace}"
    layout = _layout(options)
    if layout.shared is not None:
        name = f"{name}/{layout.shared}"
    read = cluster.door(path, _READ, CONNECTIONS)
    write = cluster.door(path, _WRITE, CONNECTIONS)
    reader = SecretReader(layout, Rest(name, read, None, _ADVICE))
    writer = SecretWriter(Rest(name, write, None, _ADVICE, declines=declines))
    return RecordSink(SecretStore(name, reader, writer))


def store(options: Options, around: Surroundings) -> Identity:
    """A namespace, or a Secret in it; without a kubeconfig, as a file is checked, what the config says."""
    shared = [str(options["secret"])] if "secret" in options else []
    try:
        cluster = cluster_of(options, around)
    except UsageError:
        names = ("kubeconfig", "context", "service_account", "namespace")
        return (*(str(options.get(name, "")) for name in names), *shared)
    address = cluster.address
    return (address.origin, address.path.rstrip("/"), cluster.namespace, *shared)


def _layout(options: Options) -> Layout:
    shared = options.get("secret")
    return Layout(None if shared is None else str(shared), str(options["field"]))


TYPE = SinkType(keys=key_rule, build=build, store=store)
