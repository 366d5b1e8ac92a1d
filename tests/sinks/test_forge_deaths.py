"""A run that hears and says nothing more from any request on, before or after that took effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from clusters import fake_site
from fakes.github import Github
from fakes.gitlab import Gitlab
from fakes.relay import Relay, Trouble

from reconciler.core.ports import Sink
from reconciler.core.receipts import Absent, Damaged, Stored, version_of
from reconciler.errors import SinkError, SinkRefused
from reconciler.http.retry import Pace
from reconciler.sinks import Options, sink_type
from reconciler.sinks.rest import Rest
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, put, receipt


@dataclass
class Place:
    """A sink behind a relay; `value`: what a job gets under a key; `key`: one that the sink takes."""

    relay: Relay
    sink: Callable[[], Sink]
    value: Callable[[str], str | None]
    key: Callable[[str], str] = str


@contextmanager
def on_github() -> Iterator[Place]:
    with Github().served() as github, Relay(github.url).served() as relay:
        options = {"repository": "acme/infra", "api_url": relay.url}
        sink = partial(built, "github", options, {"GH_TOKEN": github.token()})
        yield Place(relay, sink, github.places["repos/acme/infra/actions"].read)


@contextmanager
def on_gitlab(*, hidden: bool) -> Iterator[Place]:
    options = {"project": "acme/infra", "environment_scope": "*", "masked": True, "protected": True}
    with Gitlab().served() as gitlab, Relay(gitlab.url).served() as relay:
        whole = {**options, "hidden": hidden, "url": relay.url}
        sink = partial(built, "gitlab", whole, {"GITLAB_TOKEN": gitlab.token()})
        yield Place(relay, sink, partial(gitlab.read, "projects/acme%2Finfra"))


@contextmanager
def on_kubernetes(*, shared: str | None) -> Iterator[Place]:
    options = {"secret": shared} if shared else {}
    with TemporaryDirectory() as home, fake_site(Path(home), **options) as site:

        def own(name: str) -> str:
            return name.lower().replace("_", "-")

        def value(key: str) -> str | None:
            return site.server.value(shared or key, key if shared else "token")

        yield Place(site.relay, site.sink, value, str if shared else own)


def built(kind: str, options: Options, env: dict[str, str]) -> Sink:
    return sink_type(kind).build(options, Surroundings(Path(), env, allow_http=False))


def renew(sink: Sink, key: str) -> None:
    put(sink, key, 2)


def amend(sink: Sink, key: str) -> None:
    held = sink.read(key)
    assert isinstance(held, Stored)
    sink.amend(key, receipt(1, protect=False), version_of(held))


def remove(sink: Sink, key: str) -> None:
    sink.delete(key, receipt(1).token.id)


PLACES = {
    "github": on_github,
    "gitlab": partial(on_gitlab, hidden=False),
    "hidden": partial(on_gitlab, hidden=True),
    "kubernetes": partial(on_kubernetes, shared=None),
    "shared": partial(on_kubernetes, shared="netbird-mgmt-api-key"),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("place", PLACES)
def test_whatever_is_left_tells_the_truth_and_heals(
    place: str, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    hasty = partial(Rest, pace=Pace(sleep=lambda _seconds: None))
    for kind in ("github", "gitlab", "kubernetes"):
        monkeypatch.setattr(f"reconciler.sinks.{kind}.Rest", hasty)
    with PLACES[place]() as there:
        for what, wanted in ((renew, plain(2)), (amend, plain(1)), (remove, None)):
            for skip in count():
                key = there.key(f"{what.__name__.upper()}_{skip}")
                put(there.sink(), key, 1)
                with there.relay.troubled(Trouble("", "", after=after, skip=skip)):
                    told = outcome(what, there.sink(), key)
                check_what_is_left(there, key, told, wanted)
                if told is None:
                    break
            assert skip >= 2


def outcome(what: Callable[[Sink, str], None], sink: Sink, key: str) -> SinkError | None:
    try:
        what(sink, key)
    except SinkError as error:
        return error
    return None


def check_what_is_left(there: Place, key: str, told: SinkError | None, wanted: str | None) -> None:
    held, value = there.sink().read(key), there.value(key)
    assert value in (plain(1), wanted)
    if told is None:
        assert value == wanted
    elif isinstance(told, SinkRefused):
        assert value == plain(1)
    if isinstance(held, Stored):
        assert value == plain(held.receipt.rotation)
    elif isinstance(held, Damaged):
        assert held.receipt is not None
    else:
        assert isinstance(held, Absent)
        assert value is None
    assert there.sink().inventory([key]).at(key) == held
    put(there.sink(), key, 3)
    assert isinstance(there.sink().read(key), Stored)
    assert there.value(key) == plain(3)
