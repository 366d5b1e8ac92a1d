"""One run and one Lease: taken, held, given back, and everything that can come between.

On our fake, and on a real server where one is given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from clusters import NO_REAL, REAL, Site, fake_site, real_site
from fakes.relay import Trouble

from reconciler.errors import LockDenied, LockError, LockHeld, LockUnavailable
from reconciler.http import Limits
from reconciler.locks import Hold, Holder, Lock, Surroundings, lock_of

ME = Holder("our-id", "apply", "process 1", "me@here", "netbird-tokens 1", "2026-11-24T10:00:05Z")
OTHER = replace(ME, id="their-id", operation="renew", info="process 2", who="they@there")
LEASE = "netbird-tokens"
PATH = "/leases"


@dataclass
class Desk:
    """A server with Leases, and our locks before it."""

    site: Site
    home: Path

    def lock(self, token: str | None = None, **options: object) -> Lock:
        path = self.site.server.kubeconfig(self.home / "kubeconfig", self.site.relay.url, token)
        written = {"name": LEASE, "kubeconfig": str(path), **options}
        return lock_of("kubernetes", written, Surroundings(self.home, {}, allow_http=False))

    @property
    def lease(self) -> dict[str, Any] | None:
        code, found = self.site.server.ask("GET", self.site.server.path(LEASE, "leases"))
        return found if code == 200 else None

    @property
    def holder(self) -> str | None:
        return (self.lease or {}).get("spec", {}).get("holderIdentity")

    def change(self, spec: dict[str, object]) -> None:
        """Somebody else writes into the Lease."""
        path = self.site.server.path(LEASE, "leases")
        code, said = self.site.server.ask("PATCH", path, {"spec": spec}, "application/merge-patch+json")
        assert code == 200, said


@pytest.fixture(params=["fake", "real"] if REAL else ["fake"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    with (fake_site if request.param == "fake" else real_site)(tmp_path) as site:
        yield Desk(site, tmp_path)


if not REAL:

    def test_leases_of_a_real_server() -> None:
        pytest.skip(NO_REAL)


def yes(_question: str) -> None:
    pass


def no(_question: str) -> None:
    raise AssertionError("nobody was to be asked")


def test_it_is_taken_and_given_back_and_the_lease_stays(desk: Desk) -> None:
    lock = desk.lock()
    lock.take(ME)
    assert desk.lease is not None
    spec, notes = desk.lease["spec"], desk.lease["metadata"]["annotations"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("our-id", 1)
    assert spec["acquireTime"] == spec["renewTime"]
    assert "leaseDurationSeconds" not in spec
    assert json.loads(notes["netbird-tokens/holder"]) == ME.document()
    lock.give_back()
    assert desk.lease["spec"] == {"leaseTransitions": 1}
    assert "annotations" not in desk.lease["metadata"]
    lock.give_back()
    desk.lock().take(OTHER)
    assert desk.holder == "their-id"


def test_it_asks_once_for_each_step(desk: Desk) -> None:
    lock = desk.lock()
    lock.take(ME)
    lock.give_back()
    assert [method for method, _ in desk.site.relay.asked] == ["GET", "POST", "GET", "PATCH"]


def test_who_comes_second_learns_who_holds_it_and_what_to_do(desk: Desk) -> None:
    desk.lock().take(OTHER)
    lock = desk.lock()
    with pytest.raises(LockHeld) as held:
        lock.take(ME)
    assert held.value.exit_code == 7
    namespace = desk.site.server.namespace
    assert held.value.message == (
        f"another run holds the lock lease {namespace}/netbird-tokens: renew by they@there (process 2) "
        "since 2026-11-24T10:00:05Z, id their-id"
    )
    assert held.value.hint.endswith("if that run is gone: netbird-tokens unlock their-id")
    lock.give_back()
    assert desk.holder == "their-id"


def test_of_many_at_once_one_gets_it(desk: Desk) -> None:
    desk.lock().take(ME)
    first = desk.lock()
    with pytest.raises(LockHeld):
        first.take(OTHER)
    locks = [desk.lock() for _ in range(2)]
    desk.change({"holderIdentity": None})
    others = [replace(OTHER, id=f"id-{n}") for n in range(2)]
    with desk.site.relay.troubled(Trouble("PATCH", PATH, after=True)):
        locks[0].take(others[0])  # its answers are lost, so it looks
    with pytest.raises(LockHeld):
        locks[1].take(others[1])
    assert desk.holder == "id-0"


def test_a_holder_of_another_kind_is_shown_by_its_id(desk: Desk) -> None:
    desk.lock().take(OTHER)
    desk.change({"holderIdentity": "kube-controller"})
    with pytest.raises(LockHeld, match=r"netbird-tokens: id kube-controller$"):
        desk.lock().take(ME)
    path = desk.site.server.path(LEASE, "leases")
    body = {"metadata": {"annotations": {"netbird-tokens/holder": "{"}}}
    assert desk.site.server.ask("PATCH", path, body, "application/merge-patch+json")[0] == 200
    with pytest.raises(LockHeld, match=r"netbird-tokens: id kube-controller$"):
        desk.lock().take(ME)


def test_a_lease_that_keeps_changing_is_given_up(desk: Desk) -> None:
    said = b'{"kind": "Status", "reason": "AlreadyExists"}'
    with (
        desk.site.relay.troubled(Trouble("POST", PATH, (409, said))),
        pytest.raises(LockUnavailable, match="it keeps changing"),
    ):
        desk.lock().take(ME)
    assert desk.lease is None


def test_a_time_that_is_none_has_not_passed(tmp_path: Path) -> None:
    with fake_site(tmp_path) as site:
        desk = Desk(site, tmp_path)
        desk.lock(expires_after="1m").take(OTHER)
        site.fake.leases.objects[site.server.namespace, LEASE]["spec"]["renewTime"] = "soon"
        with pytest.raises(LockHeld):
            desk.lock().take(ME)


def test_a_lock_that_lasts_is_taken_when_its_time_has_passed(desk: Desk) -> None:
    desk.lock(expires_after="2h").take(OTHER)
    assert (desk.lease or {})["spec"]["leaseDurationSeconds"] == 7200
    with pytest.raises(LockHeld):
        desk.lock().take(ME)
    desk.change({"renewTime": "2020-01-01T00:00:00.000000Z"})
    lock = desk.lock(expires_after="30m")
    lock.take(ME)
    assert desk.holder == "our-id"
    assert (desk.lease or {})["spec"]["leaseTransitions"] == 2
    desk.change({"renewTime": "2020-01-01T00:00:00.000000Z"})
    lock.give_back()
    assert desk.holder is None


@pytest.mark.parametrize("answer", ["drop", (500, b"{}"), (503, b"")])
@pytest.mark.parametrize("after", [False, True])
def test_where_no_answer_comes_nothing_stays_held(desk: Desk, answer: Any, *, after: bool) -> None:
    lock = desk.lock()
    if after:  # it was made, and a look says so
        with desk.site.relay.troubled(Trouble("POST", PATH, answer, after=True)):
            lock.take(ME)
        assert desk.holder == "our-id"
    else:
        with (
            desk.site.relay.troubled(Trouble("POST", PATH, answer)),
            pytest.raises(LockUnavailable, match=r"closed without an answer|answered 50"),
        ):
            lock.take(ME)
    lock.give_back()
    assert desk.holder is None


def test_where_nothing_can_be_looked_at_either_the_id_is_told(desk: Desk) -> None:
    lock = desk.lock()
    with (
        desk.site.relay.troubled(Trouble("POST", PATH, after=True), Trouble("GET", f"{PATH}/", after=True)),
        pytest.raises(LockUnavailable) as lost,
    ):
        lock.take(ME)
    assert "it may be held" not in lost.value.message  # the first look failed, so nothing was sent
    desk.lock().take(OTHER)
    desk.change({"holderIdentity": None})

    relay = desk.site.relay
    relay.asked.clear()

    def trouble(method: str, path: str, *, after: bool) -> Trouble | None:
        is_written = any(method == "PATCH" for method, _ in relay.asked)
        return Trouble(method, path, after=True) if after and is_written else None

    relay.trouble = trouble  # type: ignore[method-assign]  # a fault that depends on what came before
    with pytest.raises(LockUnavailable) as lost:
        desk.lock().take(ME)
    assert lost.value.message.endswith("it may be held in our name now, id our-id")
    assert lost.value.hint.endswith("netbird-tokens unlock our-id")
    assert desk.holder == "our-id"


def test_a_lost_answer_to_giving_back_is_settled(desk: Desk) -> None:
    lock = desk.lock()
    lock.take(ME)
    with desk.site.relay.troubled(Trouble("PATCH", PATH, after=True)):
        lock.give_back()
    assert desk.holder is None


def test_a_lock_that_stays_behind_is_told_with_its_id(desk: Desk) -> None:
    hold = Hold(desk.lock(), lambda: ME, print)
    hold.take(0)
    with desk.site.relay.troubled(Trouble("PATCH", PATH, (500, b"{}"))):
        warning = hold.give_back()
    assert warning.startswith("WARNING: could not free the lock")
    assert warning.endswith("to free it: netbird-tokens unlock our-id")


@pytest.mark.parametrize("now", [None, "their-id"])
def test_a_lock_that_was_freed_under_us_is_told(desk: Desk, now: str | None) -> None:
    hold = Hold(desk.lock(), lambda: ME, print)
    hold.take(0)
    desk.change({"holderIdentity": now})
    assert "is not held under the id our-id any more" in hold.give_back()
    assert desk.holder == now


def test_unlocking_frees_what_is_held_under_this_id_and_nothing_else(desk: Desk) -> None:
    assert "nobody holds" in desk.lock().unlock("their-id", ME, no)
    desk.lock().take(OTHER)
    with pytest.raises(LockHeld, match="under another id; nothing was freed"):
        desk.lock().unlock("our-id", ME, no)
    asked: list[str] = []
    assert desk.lock().unlock("their-id", ME, asked.append).startswith("freed the lock lease")
    assert "renew by they@there" in asked[0]
    assert desk.holder is None
    assert "nobody holds" in desk.lock().unlock("their-id", ME, no)


def test_what_another_took_meanwhile_is_not_freed(desk: Desk) -> None:
    desk.lock().take(OTHER)

    def meanwhile(_question: str) -> None:
        desk.change({"holderIdentity": "a-third"})

    with pytest.raises(LockUnavailable, match="not held under the id their-id any more"):
        desk.lock().unlock("their-id", ME, meanwhile)
    assert desk.holder == "a-third"


def test_who_may_not_is_told_which_rights_it_takes(desk: Desk) -> None:
    with pytest.raises(LockDenied, match="answered 401: Unauthorized") as denied:
        desk.lock(token="stranger").take(ME)
    assert denied.value.exit_code == 4
    assert "get, create and patch leases" in denied.value.hint


def test_three_rights_are_enough(tmp_path: Path) -> None:
    with fake_site(tmp_path) as site:
        desk = Desk(site, tmp_path)
        rules = [{"verbs": ["get", "create", "patch"], "resources": ["leases"]}]
        site.fake.users["lock-token"] = ("lock", rules)
        lock = desk.lock(token="lock-token")
        lock.take(ME)
        lock.give_back()
        rules[0]["verbs"] = ["get"]
        with pytest.raises(LockDenied, match='User "lock" cannot patch resource "leases"'):
            lock.take(ME)


def test_a_namespace_that_is_not_there(desk: Desk) -> None:
    with pytest.raises(LockUnavailable, match='namespaces "nowhere" not found'):
        desk.lock(namespace="nowhere").take(ME)


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"404 page not found"),
        (200, b"<html>sign in</html>"),
        (200, b'{"kind": "Lease"}'),
        (302, b""),
        (404, b'{"kind": "Status", "reason": "NotFound", "details": {"name": "other"}}'),
    ],
)
def test_an_answer_of_another_kind_is_no_free_lock(desk: Desk, answer: tuple[int, bytes]) -> None:
    with (
        desk.site.relay.troubled(Trouble("GET", PATH, answer)),
        pytest.raises(LockUnavailable, match=f"answered {answer[0]}"),
    ):
        desk.lock().take(ME)
    assert desk.lease is None


def test_an_endless_answer_is_not_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.lock().take(OTHER)
    monkeypatch.setattr("reconciler.locks.kubernetes.LIMITS", Limits((1, 30), 100))
    with pytest.raises(LockUnavailable, match="larger than"):
        desk.lock().take(ME)


def test_no_server_at_all(tmp_path: Path) -> None:
    with fake_site(tmp_path) as site:
        lock = Desk(site, tmp_path).lock()
    with pytest.raises(LockUnavailable, match="Connection refused"):
        lock.take(ME)
    lock.give_back()


def test_no_error_says_the_token(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    lock = desk.lock(token="s3cret-token")
    with pytest.raises(LockError) as refused:
        lock.take(ME)
    seen = f"{refused.value} {refused.value.hint} {vars(lock)} {lock!r} {caplog.text}"
    assert "s3cret" not in seen
    assert refused.value.__context__ is None or "s3cret" not in str(refused.value.__context__)
