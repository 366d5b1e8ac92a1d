"""One token as a transaction, against the emulator and real files, where the wire alone cannot lead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from worlds import spec

from reconciler.api.endpoint import Endpoint
from reconciler.api.service import HttpTokenApi, writer
from reconciler.core.changes import Create, Renew, Target
from reconciler.core.outcome import Result, Status
from reconciler.core.ports import Minted, Power
from reconciler.core.reasons import Reason, Why
from reconciler.core.receipts import ABSENT, Place, SinkName
from reconciler.core.secret import Secret
from reconciler.core.tokens import UserId
from reconciler.emulator import Call, Clock, Emulator, Fault, Raw, serve
from reconciler.emulator import Status as Answer
from reconciler.errors import Forbidden, SinkRefused, SinkUnsure
from reconciler.sinks.file.raw import RawSink
from reconciler.transaction import WINDOW, Ports, mint

LOCAL = SinkName("local")


@dataclass
class Bench:
    emulator: Emulator
    api: HttpTokenApi
    sink: RawSink
    effect: Create
    clock: Clock

    @property
    def ports(self) -> Ports:
        return Ports(self.api, {LOCAL: self.sink})

    def live(self) -> list[str]:
        return [token.id for token in self.emulator.tokens(self.effect.spec.user)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = Clock()
    emulator = Emulator(clock=clock)
    us = emulator.add_user("us", role="admin", service_user=True)
    bot = UserId(emulator.add_user("bot", role="user", service_user=True))
    folder = tmp_path / "s"
    folder.mkdir(mode=0o700)
    place = Place(LOCAL, "a")
    wanted = spec("a", user=bot, places=(place,))
    effect = Create(wanted, 90, (Target(place, ABSENT),), (), Why(Reason.NEW, ""))
    with serve(emulator) as url, writer(Endpoint(url, Secret(emulator.issue(us, "x")))) as api:
        yield Bench(emulator, api, RawSink(folder, strict=False), effect, clock)


class Warped:
    """The real API, whose fresh tokens come back changed, as a strange server's would."""

    def __init__(self, bench: Bench, **changes: object) -> None:
        self._api, self._changes = bench.api, changes

    def create(self, user: UserId, live_name: str, days: int) -> Minted:
        minted = self._api.create(user, live_name, days)
        if "days" in self._changes:
            longer = minted.token.expires_at + timedelta(days=1)
            return replace(minted, token=replace(minted.token, expires_at=longer))
        if "name" in self._changes:
            return replace(minted, token=replace(minted.token, name="nbp_" + "0" * 36))
        return replace(minted, secret=Secret("nbp_" + "0" * 36))

    def __getattr__(self, name: str) -> object:
        return getattr(self._api, name)


class Breaking(RawSink):
    """The real sink, with one failure after the write."""

    failure: Exception = RuntimeError("nbp_" + "0" * 36)

    def put(self, *args: object) -> None:  # type: ignore[override]
        super().put(*args)  # type: ignore[arg-type]
        raise self.failure


def test_a_whole_transaction(bench: Bench) -> None:
    result = mint(bench.effect, bench.ports)
    assert result.status is Status.DONE
    assert bench.live() == [result.token]


@pytest.mark.parametrize("warp", ["days", "secret", "name"])
def test_a_token_that_is_not_what_was_asked_for_is_revoked(bench: Bench, warp: str) -> None:
    ports = Ports(Warped(bench, **{warp: True}), {LOCAL: bench.sink})  # type: ignore[arg-type]
    result = mint(bench.effect, ports)
    assert result.status is Status.ROLLED_BACK
    assert "nbp_" not in result.text
    assert bench.live() == []
    assert not (bench.sink.folder / "a").exists()


@pytest.mark.parametrize("failure", [RuntimeError("nbp_" + "0" * 36), SinkUnsure("half written")])
def test_after_an_unclear_write_the_token_stays(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    monkeypatch.setattr(Breaking, "failure", failure)
    sink = Breaking(bench.sink.folder, strict=False)
    result = mint(bench.effect, Ports(bench.api, {LOCAL: sink}))
    assert result.status is Status.UNCERTAIN
    assert bench.live() == [result.token]
    assert "nbp_" not in result.text


def test_a_sink_that_fails_its_preflight_costs_no_token(bench: Bench) -> None:
    (bench.sink.folder / "a").symlink_to("/etc/passwd")
    with pytest.raises(SinkRefused):
        mint(bench.effect, bench.ports)
    assert bench.live() == []
    assert not [r for r in bench.emulator.requests if r.method == "POST"]


def test_a_server_that_refuses_costs_nothing(bench: Bench) -> None:
    bench.emulator.faults.add(Fault(method="POST", when="before", action=Answer(403, "no")))
    with pytest.raises(Forbidden):
        mint(bench.effect, bench.ports)


def test_what_another_run_wrote_meanwhile_is_seen_when_reading_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Overwritten(RawSink):
        def read(self, key: str) -> object:  # type: ignore[override]
            (self.folder / key).write_text("another's", encoding="utf-8")
            return super().read(key)

    sink = Overwritten(bench.sink.folder, strict=False)
    result = mint(bench.effect, Ports(bench.api, {LOCAL: sink}))
    assert result.status is Status.UNCERTAIN
    assert bench.live() == [result.token]


def test_an_unread_place_after_the_write_is_unclear(bench: Bench) -> None:
    class Unreadable(RawSink):
        def read(self, key: str) -> object:  # type: ignore[override]
            raise SinkUnsure("disk gone")

    result = mint(bench.effect, Ports(bench.api, {LOCAL: Unreadable(bench.sink.folder, strict=False)}))
    assert result.status is Status.UNCERTAIN


def test_verification_that_cannot_be_made_leaves_the_token(bench: Bench) -> None:
    def cannot(secret: Secret) -> bool:
        raise Forbidden("no")

    result = mint(bench.effect, Ports(bench.api, {LOCAL: bench.sink}, cannot))
    assert result.status is Status.UNCERTAIN
    assert "not verified" in result.text
    elsewhere = replace(bench.effect, targets=(Target(Place(LOCAL, "b"), ABSENT),))
    proved = mint(elsewhere, Ports(bench.api, {LOCAL: bench.sink}, bench.api.authenticates))
    assert proved.status is Status.DONE


@pytest.mark.parametrize(("gone", "status"), [(True, Status.DONE), (False, Status.UNCERTAIN)])
def test_an_old_token_that_should_go_at_once(bench: Bench, gone: bool, status: Status) -> None:
    bench.emulator.issue(bench.effect.spec.user, "old", days=9)
    (old,) = bench.emulator.tokens(bench.effect.spec.user)
    if gone:
        bench.emulator.faults.add(
            Fault(method="DELETE", when="before", action=Call(lambda: bench.emulator.forget(old.id)))
        )
    else:
        fault = Fault(method="DELETE", when="before", action=Answer(500, "x"))
        bench.emulator.faults.add(fault)
    create = bench.effect
    renew = Renew(create.spec, 90, create.targets, old, (), create.why, (old,))
    result = mint(renew, bench.ports)
    assert result.status is status
    assert (old.id in bench.live()) is not gone


class WriteOnly(RawSink):
    """The real sink, as weak as one that can never be read back."""

    power = Power.WRITE_ONLY


def elected(bench: Bench, meanwhile: Callable[[], object] = lambda: None) -> tuple[Result, list[float]]:
    """One transaction into a write-only sink; `meanwhile` happens while the election settles."""
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        meanwhile()

    sink = WriteOnly(bench.sink.folder, strict=False)
    return mint(bench.effect, Ports(bench.api, {LOCAL: sink}, pause=pause)), waited


def issue(bench: Bench, name: str = "a") -> str:
    before = set(bench.live())
    bench.emulator.issue(bench.effect.spec.user, name, days=90)
    (made,) = set(bench.live()) - before
    return made


def test_only_a_write_only_sink_holds_an_election(bench: Bench) -> None:
    result, waited = elected(bench)
    assert (result.status, waited) == (Status.DONE, [2.0])
    other = replace(bench.effect, targets=(Target(Place(LOCAL, "b"), ABSENT),))
    unheard = replace(bench.ports, pause=lambda _: pytest.fail("there is nothing to wait for"))
    assert mint(other, unheard).status is Status.DONE


def test_the_sink_that_can_refuse_is_asked_first_whatever_its_name(bench: Bench) -> None:
    """Refused there, nothing is written, and the new token can go at once."""
    weak = WriteOnly(bench.sink.folder.parent / "weak", strict=False)
    weak.folder.mkdir(mode=0o700)
    first = Target(Place(SinkName("an early name"), "a"), ABSENT)
    effect = replace(bench.effect, targets=(first, *bench.effect.targets))

    def somebody_writes(_: float) -> None:
        (bench.sink.folder / "a").write_text("somebody's", encoding="utf-8")

    sinks = {first.place.sink: weak, LOCAL: bench.sink}
    result = mint(effect, Ports(bench.api, sinks, pause=somebody_writes))
    assert (result.status, bench.live()) == (Status.ROLLED_BACK, [])
    assert not (weak.folder / "a").exists()


def test_the_elder_of_two_runs_wins_and_the_other_leaves_nothing(bench: Bench) -> None:
    elder = issue(bench)
    bench.clock.advance(timedelta(minutes=14))
    result, _ = elected(bench)
    assert result.status is Status.ROLLED_BACK
    assert f"another run made {elder}" in result.text
    assert bench.live() == [elder]
    assert not (bench.sink.folder / "a").exists()


def test_a_younger_token_an_older_one_and_another_name_are_no_rivals(bench: Bench) -> None:
    issue(bench)
    bench.clock.advance(timedelta(minutes=16))
    issue(bench, "b")
    result, _ = elected(bench, meanwhile=lambda: issue(bench))
    assert result.status is Status.DONE


def test_without_a_list_that_shows_the_new_token_nobody_is_elected(bench: Bench) -> None:
    bench.emulator.faults.add(Fault(Raw(200, "application/json", b"null"), "GET", "*/tokens"))
    result, _ = elected(bench)
    assert result.status is Status.ROLLED_BACK
    assert bench.live() == []
    bench.emulator.faults.add(Fault(Answer(403, "no"), "GET", "*/tokens"))
    result, _ = elected(bench)
    assert result.status is Status.ROLLED_BACK
    assert bench.live() == []


@pytest.mark.parametrize("first", ["a", "b"])
def test_no_write_starts_after_the_window(bench: Bench, first: str) -> None:
    """A machine that slept between the POST and the write: others may have revoked the token."""
    seconds = iter([0.0, WINDOW - 1, WINDOW + 1] if first == "b" else [0.0, WINDOW + 1])
    targets = (Target(Place(LOCAL, "a"), ABSENT), Target(Place(LOCAL, "b"), ABSENT))
    effect = replace(bench.effect, targets=targets)
    result = mint(effect, replace(bench.ports, clock=lambda: next(seconds)))
    assert "more than 300 s" in result.text
    if first == "a":
        assert (result.status, bench.live()) == (Status.ROLLED_BACK, [])
    else:
        assert (result.status, bench.live()) == (Status.UNCERTAIN, [result.token])
