"""The `gitlab` sink type: CI/CD variables of a project or a group."""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import quote

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Sink
from reconciler.http import Client
from reconciler.sinks import Identity, Options, Proof, SinkType
from reconciler.sinks.apart import owner_of
from reconciler.sinks.gitlab.reader import KEYS, GitlabReader
from reconciler.sinks.gitlab.server import address_in, credential
from reconciler.sinks.gitlab.store import GitlabStore, Manner
from reconciler.sinks.records import RecordSink
from reconciler.sinks.rest import CONNECTIONS, Rest
from reconciler.surroundings import Surroundings

_ADVICE: Final = (
    "the token needs the scope api, and the role Maintainer in a project or Owner in a group;"
    " a job's own CI_JOB_TOKEN cannot write variables"
)
_READ: Final = frozenset({"GET"})
_WRITE: Final = frozenset({"PUT", "POST", "DELETE"})


def key_rule(_options: Options) -> KeyRule:
    return KEYS


def build(options: Options, around: Surroundings) -> Sink:
    """The sink; where the config is silent, the variables of `glab` and of GitLab's jobs speak."""
    address = address_in(options, around)
    kind, place, scope = _place(options)
    root = f"{address.origin}{address.path.rstrip('/')}/api/v4/{kind}s/{quote(place, safe='')}/"
    name = f"gitlab {place}" if scope == "*" else f"gitlab {place} {scope}"
    auth = credential(address, options, around)

    def rest(methods: frozenset[str]) -> Rest:
        loopback = address.is_loopback
        client = Client(root, methods, is_loopback=loopback, connections=CONNECTIONS)
        return Rest(name, client, auth, _ADVICE)

    manner = Manner(
        masked=bool(options["masked"]),
        protected=bool(options["protected"]),
        hidden=bool(options["hidden"]),
    )
    return RecordSink(GitlabStore(GitlabReader(rest(_READ), scope), rest(_WRITE), manner))


def store(options: Options, around: Surroundings) -> Identity:
    """One environment scope of a project or a group."""
    kind, place, scope = _place(options)
    address = address_in(options, replace(around, allow_http=True))  # `build` has the last word
    return (address.server, address.path.rstrip("/").lower(), kind, place.lower(), scope)


def known(options: Options, around: Surroundings) -> Identity:
    """As `store`, whichever way a config names the project: GitLab knows id and address itself."""
    kind, place, scope = _place(options)
    address = address_in(options, around)
    root = f"{address.origin}{address.path.rstrip('/')}/api/v4/{kind}s/"
    client = Client(root, _READ, is_loopback=address.is_loopback, connections=CONNECTIONS)
    rest = Rest(f"gitlab {place}", client, credential(address, options, around), _ADVICE)
    path = quote(place, safe="") + ("?with_projects=false" if kind == "group" else "")
    server, number = owner_of(rest, path, "web_url")
    return (server, kind, number, scope)


def part(options: Options) -> Identity:
    """Where two sinks may be one."""
    kind, _, scope = _place(options)
    return (kind, scope)


def _place(options: Options) -> tuple[str, str, str]:
    kind = "project" if "project" in options else "group"
    return kind, str(options[kind]), str(options["environment_scope"])


TYPE = SinkType(keys=key_rule, build=build, store=store, proof=Proof(part, known))
