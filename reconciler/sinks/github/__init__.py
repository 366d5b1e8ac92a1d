"""The `github` sink type: secrets of GitHub Actions, of a repository, an environment or an organisation.

Needs the extra `github`: PyNaCl, for the box in which secrets travel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, cast
from urllib.parse import quote

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Sink
from reconciler.errors import UsageError
from reconciler.http import Address, Client
from reconciler.sinks import Identity, Options, Proof, SinkType, needed
from reconciler.sinks.apart import owner_of
from reconciler.sinks.github.reach import Reach
from reconciler.sinks.github.reader import KEYS, GithubReader
from reconciler.sinks.github.server import address_in, credential
from reconciler.sinks.github.store import PATIENCE, GithubStore
from reconciler.sinks.records import RecordSink
from reconciler.sinks.rest import CONNECTIONS, Rest
from reconciler.surroundings import Surroundings

_ADVICE: Final = (
    "the token needs read and write for Secrets and Variables (of an environment: Environments, too);"
    " a workflow's own GITHUB_TOKEN never has that, the token of a GitHub App has"
)
_HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_READ: Final = frozenset({"GET"})
_WRITE: Final = frozenset({"PUT", "POST", "PATCH", "DELETE"})
_NOT_OF: Final = {
    "organization": {"environment"},
    "repository": {"visibility", "repositories"},
}


def key_rule(_options: Options) -> KeyRule:
    return KEYS


def build(options: Options, around: Surroundings) -> Sink:
    """The sink; where the config is silent, the variables of `gh` and of Actions speak."""
    needed("nacl.public", "github")
    address = address_in(options, around)
    name, path = _place(options)
    auth = credential(address, options, around)

    def rest(below: str, methods: frozenset[str]) -> Rest:
        return Rest(f"github {name}", _client(address, below, methods), auth, _ADVICE, _HEADERS)

    writes = rest(path, _WRITE)
    return RecordSink(
        GithubStore(
            reader=GithubReader(rest(path, _READ)),
            writes=replace(writes, pace=replace(writes.pace, deadline=PATIENCE)),
            reach=_reach(options, rest),
        )
    )


def store(options: Options, around: Surroundings) -> Identity:
    """A repository, an environment or an organisation; none of them is a part of another."""
    address = address_in(options, replace(around, allow_http=True))  # `build` has the last word
    return (address.server, address.path.rstrip("/").lower(), _place(options)[1].lower())


def known(options: Options, around: Surroundings) -> Identity:
    """As `store`, whichever address and name a config has: GitHub knows id and address itself."""
    address, kind = address_in(options, around), _kind(options)
    whose = str(options[kind])
    auth = credential(address, options, around)
    rest = Rest(f"github {whose}", _client(address, "", _READ), auth, _ADVICE, _HEADERS)
    path = f"orgs/{whose}" if kind == "organization" else f"repos/{whose}"
    return (*owner_of(rest, path, "html_url"), *part(options))


def part(options: Options) -> Identity:
    """Where two sinks may be one."""
    return (_kind(options), str(options.get("environment", "")).lower())


def _kind(options: Options) -> str:
    return "organization" if "organization" in options else "repository"


def _place(options: Options) -> tuple[str, str]:
    """What to call it, and where its secrets and variables are."""
    owner = _kind(options)
    for name in _NOT_OF[owner] & options.keys():
        raise UsageError(
            f"a github sink with `{owner}` has no `{name}`",
            hint=f"remove `{name}` from the config, or see examples/sinks/github.yaml",
        )
    whose, environment = str(options[owner]), options.get("environment")
    if owner == "organization":
        return whose, f"orgs/{whose}/actions/"
    if environment is None:
        return whose, f"repos/{whose}/actions/"
    below = quote(str(environment), safe="")
    return f"{whose} {environment}", f"repos/{whose}/environments/{below}/"


def _reach(options: Options, rest: Callable[[str, frozenset[str]], Rest]) -> Reach:
    if "organization" not in options:
        return Reach()
    return Reach(
        owned=rest(f"repos/{options['organization']}/", _READ),
        visibility=str(options.get("visibility", "selected")),
        repositories=cast("Sequence[str]", options.get("repositories", ())),
    )


def _client(address: Address, below: str, methods: frozenset[str]) -> Client:
    return Client(
        f"{address.origin}{address.path.rstrip('/')}/{below}",
        methods,
        is_loopback=address.is_loopback,
        connections=CONNECTIONS,
    )


TYPE = SinkType(keys=key_rule, build=build, store=store, proof=Proof(part, known))
