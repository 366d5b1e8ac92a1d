"""One run and one Lease: taken, held, given back, and everything that can come between.

On our fake, and on a real server where one is given.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from clusters import NO_REAL, REAL, Site, fake_site, real_site
from fakes.relay import Trouble
from staging import wait_for

from reconciler.errors import LockDenied, LockError, LockHeld, LockUnavailable
from reconciler.http import Limits
from reconciler.kubernetes import cluster_of
from reconciler.locks import Hold, Holder, Lock, Surroundings, lock_of
from reconciler.locks.kubernetes import LeaseLock

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
        return lock_of("kubernetes", self.options(token, **options), self.around)

    def options(self, token: str | None = None, **options: object) -> dict[str, object]:
        path = self.site.server.kubeconfig(self.home / "kubeconfig", self.site.relay.url, token)
        return {"name": LEASE, "kubeconfig": str(path), **options}

    @property
    def around(self) -> Surroundings:
        return Surroundings(self.home, {}, allow_http=False)

    @property
    def renewed(self) -> str | None:
        return (self.lease or {}).get("spec", {}).get("renewTime")

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
    assert lost.value.message.endswith("or come to be, until it is freed, id our-id")
    assert lost.value.hint.endswith("netbird-tokens unlock our-id")
    assert desk.holder == "our-id"


class Late:
    """Keeps a request back, so that its sender gives it up, and lets it through when told to."""

    def __init__(self, desk: Desk, method: str) -> None:
        self.desk, self.method, self.kept = desk, method, list[tuple[Any, ...]]()
        self.passes_on = desk.site.relay.passed_on
        desk.site.relay.passed_on = self.passed_on  # type: ignore[method-assign]  # a slow way to the server

    def passed_on(self, method: str, *rest: Any) -> Any:
        if method != self.method:
            return self.passes_on(method, *rest)
        self.kept.append((method, *rest))
        return 504, [], b"{}"

    def arrive(self) -> list[int]:
        return [self.passes_on(*each)[0] for each in self.kept]


@pytest.mark.parametrize("is_new", [True, False])
def test_a_request_that_may_arrive_late_is_told_with_the_way_out(desk: Desk, *, is_new: bool) -> None:
    if not is_new:
        desk.lock().take(OTHER)
        desk.change({"holderIdentity": None})
    late = Late(desk, "POST" if is_new else "PATCH")
    lock = desk.lock(expires_after="2h")
    with pytest.raises(LockUnavailable) as lost:
        lock.take(ME)
    lock.give_back()
    assert desk.holder is None
    assert set(late.arrive()[:1]) <= {200, 201}
    assert desk.holder == "our-id"  # nobody is there any more to give it back
    assert re.search(r"or come to be, until 2\d{3}-\d\d-\d\d [\d:]{8} UTC, id our-id$", lost.value.message)
    assert lost.value.hint.endswith("should it be held: netbird-tokens unlock our-id")
    desk.site.relay.passed_on = late.passes_on  # type: ignore[method-assign]
    assert desk.lock().unlock("our-id", OTHER, yes).startswith("freed the lock")


def test_a_request_that_another_change_keeps_out_is_not_told(desk: Desk) -> None:
    desk.lock().take(OTHER)
    desk.change({"holderIdentity": None})
    late = Late(desk, "PATCH")
    passed_on = desk.site.relay.passed_on

    def then_another(method: str, *rest: Any) -> Any:
        said = passed_on(method, *rest)
        if method == "PATCH" and len(late.kept) == 4:
            desk.change({"leaseTransitions": 7})
        return said

    desk.site.relay.passed_on = then_another  # type: ignore[method-assign]
    with pytest.raises(LockUnavailable) as lost:
        desk.lock().take(ME)
    assert "our-id" not in lost.value.message
    assert set(late.arrive()) == {409}
    assert desk.holder is None


def test_a_run_that_outlasts_the_lock_renews_it(desk: Desk) -> None:
    lock = LeaseLock(cluster_of(desk.options(), desk.around), LEASE, timedelta(seconds=2))
    lock.take(ME)
    first = desk.renewed
    wait_for(lambda: desk.renewed != first)
    assert (desk.holder, (desk.lease or {})["spec"]["acquireTime"]) == ("our-id", first)
    desk.change({"holderIdentity": "their-id"})
    seen, asked = desk.renewed, len(desk.site.relay.asked)
    wait_for(lambda: len(desk.site.relay.asked) > asked)
    assert (desk.holder, desk.renewed) == ("their-id", seen)
    with pytest.raises(LockUnavailable, match="not held under the id our-id any more"):
        lock.give_back()


def test_a_lock_that_was_given_back_is_not_renewed(desk: Desk) -> None:
    before = set(threading.enumerate())
    lock = LeaseLock(cluster_of(desk.options(), desk.around), LEASE, timedelta(seconds=1))
    lock.take(ME)
    (renewal,) = [each for each in set(threading.enumerate()) - before if each.name == "lock"]
    lock.give_back()
    renewal.join(30)
    assert not renewal.is_alive()
    assert desk.holder is None


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
