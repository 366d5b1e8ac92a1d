"""What is particular to GitHub: two writes, times, 404s, organisations, limits, and the order of it all."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from boxes import REGISTRATION
from fakes.github import Github, Place
from fakes.relay import Passed, Relay, Trouble
from fakes.serving import Said

from reconciler.core.ports import Power
from reconciler.core.receipts import ABSENT, Absent, Damaged, SetName, Stored
from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure, UsageError
from reconciler.http import Answer
from reconciler.http.retry import Pace
from reconciler.sinks import sink_type
from reconciler.sinks.github.store import LATEST
from reconciler.sinks.records import Changed, RecordSink
from reconciler.sinks.rest import Missing, Rest
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, put, receipt, secret

KEY = "NB_PAT"
HOME = "repos/acme/infra/actions"
ORG = "orgs/acme/actions"
SECRET, NOTE = f"/{HOME}/secrets/{KEY}", f"/{HOME}/variables/NETBIRD_TOKENS_RECEIPT_{KEY}"


@dataclass
class Desk:
    """A fake with a relay before it. `naps`: the seconds that anybody waited between two tries."""

    github: Github
    relay: Relay
    home: Path
    naps: list[float]
    env: dict[str, str] = field(default_factory=dict)

    def sink(self, **options: object) -> RecordSink:
        where = options or {"repository": "acme/infra"}
        around = Surroundings(self.home, self.env, allow_http=False)
        built = sink_type("github").build({"api_url": self.relay.url, **where}, around)
        assert isinstance(built, RecordSink)
        return built

    def organization(self, **options: object) -> RecordSink:
        return self.sink(organization="acme", **options)

    def may(self, **rights: str | None) -> None:
        """Sign in with a token that has these rights, and all others."""
        name = self.env["GH_TOKEN"] = self.github.token()
        for each in self.github.tokens[name].values():
            each.update({kind: right for kind, right in rights.items() if right})
            for kind in [kind for kind, right in rights.items() if right is None]:
                del each[kind]

    @property
    def place(self) -> Place:
        return self.github.places[HOME]

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [asked for asked in self.relay.asked if asked[0] != "GET"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    naps: list[float] = []
    monkeypatch.setattr(
        "reconciler.sinks.github.Rest", partial(Rest, pace=Pace(sleep=naps.append, random=lambda: 0.5))
    )
    with Github().served() as github, Relay(github.url).served() as relay:
        desk = Desk(github, relay, tmp_path, naps)
        desk.env["GH_TOKEN"] = github.token()
        yield desk


def test_nobody_can_read_it_back_so_writers_are_elected(desk: Desk) -> None:
    assert desk.sink().power is Power.WRITE_ONLY


def test_the_receipt_goes_before_the_secret_and_its_time_after_it(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    post = ("POST", f"/{HOME}/variables")
    assert desk.writes == [("PATCH", NOTE), post, ("PUT", SECRET), ("PATCH", NOTE)]
    desk.relay.asked.clear()
    held = desk.sink().read(KEY)
    assert isinstance(held, Stored)
    desk.sink().amend(KEY, receipt(1, protect=False), held.version)
    assert desk.writes == [("PATCH", NOTE)]


def test_a_run_that_ends_between_the_two_leaves_a_place_that_says_whose_secret_was_coming(
    desk: Desk,
) -> None:
    put(desk.sink(), KEY, 1)
    with (
        desk.relay.troubled(Trouble("PUT", SECRET, (403, b"{}"))),
        pytest.raises(SinkUnsure, match=r"secret is still to come: github acme/infra was not written"),
    ):
        put(desk.sink(), KEY, 2)  # no refusal: what the receipt said before is gone
    held = desk.sink().read(KEY)
    assert isinstance(held, Damaged)
    assert held.receipt == receipt(2)
    assert desk.place.read(KEY) == plain(1)
    put(desk.sink(), KEY, 3)
    assert isinstance(desk.sink().read(KEY), Stored)


def test_what_is_stored_without_the_last_word_of_its_receipt_is_unsure(desk: Desk) -> None:
    sink = desk.sink()
    put(sink, KEY, 1)
    before = dict(desk.place.variables[f"NETBIRD_TOKENS_RECEIPT_{KEY}"])
    with (
        desk.relay.troubled(Trouble("GET", f"/{HOME}/secrets/{KEY}", (502, b"{}"))),
        pytest.raises(SinkRefused),
    ):
        sink.put(KEY, secret(2), receipt(2), ABSENT)
    assert desk.place.variables[f"NETBIRD_TOKENS_RECEIPT_{KEY}"] == before  # nothing was begun
    stale = json.dumps({"name": KEY, "updated_at": desk.place.secrets[KEY]["updated_at"]}).encode()
    with (
        desk.relay.troubled(Trouble("GET", SECRET, (200, stale))),
        pytest.raises(SinkUnsure, match="does not show the change"),
    ):
        put(sink, KEY, 2)
    assert desk.place.read(KEY) == plain(2)
    held = sink.read(KEY)
    assert isinstance(held, Damaged)
    assert held.receipt == receipt(2)


def test_a_write_that_takes_too_long_stops_before_its_secret(desk: Desk) -> None:
    sink = desk.sink()
    moments = iter([0.0, LATEST + 1])
    slow = RecordSink(replace(sink.store, clock=lambda: next(moments)))  # type: ignore[type-var]
    with pytest.raises(SinkUnsure, match="took so long that nothing more was sent"):
        put(slow, KEY, 1)
    assert ("PUT", SECRET) not in desk.writes
    assert desk.place.read(KEY) is None


def test_one_name_in_any_letters_is_one_place(desk: Desk) -> None:
    put(desk.sink(), "nb_pat", 1)
    held = desk.sink().read("Nb_Pat")
    assert isinstance(held, Stored)
    assert desk.sink().inventory([]).entries == {"NB_PAT": held}
    assert desk.sink().inventory(["nb_pat", "other"]).entries == {"nb_pat": held}
    assert desk.sink().delete("nb_PAT", receipt(1).token.id)
    assert (desk.place.secrets, desk.place.variables) == ({}, {})


NOT_ASCII = ["N\u0131", "A\u017f", "\u212aEY"]  # their capitals are I, S and K



@pytest.mark.parametrize("key", ["GITHUB_TOKEN", "github_x", "1ST", "A-B", "A.B", *NOT_ASCII])
def test_a_name_that_github_does_not_take_is_refused_before(desk: Desk, key: str) -> None:
    with pytest.raises(SinkRefused, match="does not fit"):
        desk.sink().preflight(key)
    assert desk.relay.asked == []


def test_a_secret_is_closed_for_its_own_place(desk: Desk) -> None:
    put(desk.sink(repository="acme/infra", environment="production/eu"), KEY, 1)
    put(desk.sink(), KEY, 2)
    put(desk.organization(), KEY, 3)
    assert [place.read(KEY) for place in desk.github.places.values()] == [plain(2), plain(1), plain(3)]


def test_the_selected_repositories_of_an_organization_stay_selected(desk: Desk) -> None:
    org = desk.github.places[ORG]
    sink = desk.organization(repositories=["infra", "web"])
    sink.preflight(KEY)
    put(sink, KEY, 1)
    assert (org.secrets[KEY]["visibility"], org.selected[KEY]) == ("selected", [7, 8])
    org.selected[KEY] = list(range(1, 251))  # people select others, three pages of them
    put(sink, KEY, 2)
    assert sorted(org.selected[KEY]) == list(range(1, 251))
    org.secrets[KEY]["visibility"] = "all"
    put(sink, KEY, 3)
    assert org.secrets[KEY]["visibility"] == "all"
    put(desk.organization(visibility="private"), "OTHER", 4)
    assert org.secrets["OTHER"]["visibility"] == "private"
    put(desk.organization(), "NOBODY", 5)
    assert (org.secrets["NOBODY"]["visibility"], org.selected["NOBODY"]) == ("selected", [])


def test_no_job_sees_the_receipts_of_an_organization(desk: Desk) -> None:
    sink = desk.organization(visibility="all")
    put(sink, KEY, 1)
    sink.register(REGISTRATION)
    for variable in desk.github.places[ORG].variables.values():
        assert variable["visibility"] == "selected"


def test_a_repository_that_the_token_does_not_see_is_told_before_anything_is_made(desk: Desk) -> None:
    sink = desk.organization(repositories=["infra", "gone"])
    for act in (lambda: sink.preflight(KEY), lambda: put(sink, KEY, 1)):
        with pytest.raises(SinkRefused, match="no repository gone that the token may see"):
            act()
    assert desk.writes == []


@pytest.mark.parametrize("hidden", [("secrets",), ("variables",), ("secrets", "variables")])
def test_a_404_for_who_may_not_look_is_not_an_empty_place(desk: Desk, hidden: tuple[str, ...]) -> None:
    put(desk.sink(), KEY, 1)
    desk.may(**dict.fromkeys(hidden))
    sink = desk.sink()
    for act in (lambda: sink.inventory([KEY]), lambda: sink.read(KEY), lambda: sink.read("OTHER")):
        with pytest.raises(SinkUnread) as unread:
            act()
        assert unread.value.message == "cannot read github acme/infra: it answered 404: Not Found"
        assert "may the token see it? GitHub answers 404 to both" in unread.value.hint
    with pytest.raises(SinkRefused):
        sink.preflight(KEY)
    assert desk.place.read(KEY) == plain(1)


def test_a_404_beside_a_list_is_an_empty_place(desk: Desk) -> None:
    assert isinstance(desk.sink().read(KEY), Absent)
    put(desk.sink(), KEY, 1)
    del desk.place.secrets[KEY]
    held = desk.sink().read(KEY)
    assert isinstance(held, Damaged)
    assert held.why == "there is a receipt, but no secret"
    assert desk.sink().delete(KEY, receipt(1).token.id)
    assert isinstance(desk.sink().read(KEY), Absent)


@pytest.mark.parametrize("kind", ["secrets", "variables"])
def test_a_preflight_sees_what_the_token_may_not_write(desk: Desk, kind: str) -> None:
    put(desk.sink(), KEY, 1)
    desk.may(**{kind: "read"})
    assert isinstance(desk.sink().read(KEY), Stored)
    with pytest.raises(SinkRefused, match="Resource not accessible") as refused:
        desk.sink().preflight(KEY)
    assert "read and write for Secrets and Variables" in refused.value.hint
    assert "GITHUB_TOKEN" in refused.value.hint


def test_a_preflight_changes_nothing(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    before = (dict(desk.place.secrets), dict(desk.place.variables), desk.github.now)
    desk.sink().preflight(KEY)
    desk.sink().preflight("OTHER")
    assert (desk.place.secrets, desk.place.variables, desk.github.now) == before


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, b'{"message": "Bad credentials"}'), SinkRefused),
        ((403, b'{"message": "Resource not accessible by integration"}'), SinkRefused),
        ((404, b'{"message": "Not Found"}'), SinkRefused),
        ((409, b"{}"), SinkRefused),
        ((413, b""), SinkRefused),
        ((422, b'{"message": "Invalid request."}'), SinkRefused),
        ((429, b"{}"), SinkRefused),
        ((301, b'{"message": "Moved Permanently"}'), SinkUnsure),
        ((500, b"{}"), SinkUnsure),
        ((502, b"<html>"), SinkUnsure),
        ("drop", SinkUnsure),
    ],
)
@pytest.mark.parametrize("what", [("PUT", SECRET), ("POST", f"/{HOME}/variables")], ids=["secret", "note"])
def test_an_answer_to_a_write_says_how_far_it_came(
    desk: Desk, what: tuple[str, str], answer: Any, error: type[Exception]
) -> None:
    """To the first of the two, that is; what follows it is never called refused."""
    with desk.relay.troubled(Trouble(*what, answer)):
        with pytest.raises(SinkUnsure if what[0] == "PUT" else error):
            put(desk.sink(), KEY, 1)
        if answer[0] != 422:  # what a probe is told that may write
            with pytest.raises(SinkRefused):
                desk.sink().preflight(KEY)
    assert desk.place.read(KEY) is None


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"total_count": 1}'),
        (200, b'{"total_count": "many", "secrets": [], "variables": []}'),
        (200, b"<html>please sign in</html>"),
        (301, b'{"message": "Moved Permanently"}'),
        (404, b"<html>no such page</html>"),
    ],
)
def test_an_answer_of_another_kind_is_not_an_empty_place(desk: Desk, answer: tuple[int, bytes]) -> None:
    for part in ("/secrets?", "/variables?"):
        with desk.relay.troubled(Trouble("GET", part, answer)):
            with pytest.raises(SinkUnread):
                desk.sink().inventory([KEY])
            with pytest.raises(SinkUnread):
                desk.sink().read(KEY)


def test_a_repository_that_moved_is_to_be_called_by_its_new_name(desk: Desk) -> None:
    with (
        desk.relay.troubled(Trouble("GET", "/secrets", (301, b'{"message": "Moved Permanently"}'))),
        pytest.raises(SinkUnread) as unread,
    ):
        desk.sink().inventory([])
    assert "it moved" in unread.value.hint


LIMITED = [
    Said(429, {"message": "slow down"}, {"Retry-After": "7"}),
    Said(403, {"message": "You have exceeded a secondary rate limit"}, {"Retry-After": "7"}),
]


@pytest.mark.parametrize("limit", LIMITED, ids=["429", "403"])
def test_a_limit_is_waited_for(desk: Desk, limit: Said) -> None:
    desk.github.refusals = [limit, limit]
    put(desk.sink(), KEY, 1)
    assert desk.naps[:2] == [7.5, 8.0]
    assert isinstance(desk.sink().read(KEY), Stored)


def test_a_limit_that_lasts_is_told_and_not_fought(desk: Desk) -> None:
    used_up = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800"}  # in the year 2100
    limit = Said(403, {"message": "API rate limit exceeded for user ID 1."}, used_up)
    desk.github.refusals = [limit]
    with pytest.raises(SinkUnread, match="it answered 403: API rate limit exceeded") as unread:
        desk.sink().inventory([])
    assert unread.value.hint == "it was asked too often: run the same command again later"
    desk.github.refusals = [limit]
    with pytest.raises(SinkRefused, match="API rate limit exceeded"):
        desk.sink().preflight(KEY)
    assert len(desk.relay.asked) == 2


def test_an_inventory_reads_each_list_page_by_page_until_it_is_the_same_twice(desk: Desk) -> None:
    sink = desk.sink()
    put(sink, KEY, 1)
    about = desk.place.secrets[KEY]
    note = desk.place.variables[f"NETBIRD_TOKENS_RECEIPT_{KEY}"]
    for number in range(249):
        name = f"NB_PAT_{number:03}"
        desk.place.secrets[name] = {**about, "name": name}
        if number < 99:
            companion = f"NETBIRD_TOKENS_RECEIPT_{name}"
            desk.place.variables[companion] = {**note, "name": companion}
    desk.place.variables["OF_PEOPLE"] = {**note, "name": "OF_PEOPLE"}
    sink.register(REGISTRATION)
    desk.relay.asked.clear()
    found = sink.inventory([f"NB_PAT_{number:03}" for number in (100, 101, 999)])
    assert sorted(found.entries) == [KEY, *(f"NB_PAT_{n:03}" for n in range(99)), "NB_PAT_100", "NB_PAT_101"]
    assert dict(found.registrations) == {REGISTRATION.set: REGISTRATION}
    # 250 secrets in pages of 100, 102 variables in pages of 30
    assert len(desk.relay.asked) == 2 * (3 + 4)
    assert desk.writes == []


def test_the_client_of_a_plan_cannot_write(desk: Desk) -> None:
    with pytest.raises(RuntimeError, match="may not PUT"):
        desk.sink().store.reader._rest.send("PUT", "secrets/X", {})  # type: ignore[attr-defined]


def test_a_receipt_speaks_for_one_change_of_its_secret_only(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    desk.place.secrets[KEY]["updated_at"] = "2026-06-01T00:01:00Z"  # somebody wrote over it
    held = desk.sink().read(KEY)
    assert isinstance(held, Damaged)
    assert held.receipt == receipt(1)
    assert not desk.sink().delete(KEY, receipt(1).token.id)


def test_a_note_that_is_none_is_no_receipt(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    note = desk.place.variables[f"NETBIRD_TOKENS_RECEIPT_{KEY}"]
    for text in ("", "{", "[]", "7", '{"written": "x"}', '{"receipt": 7}', note["value"].replace("v", "w")):
        note["value"] = text
        held = desk.sink().inventory([KEY]).entries[KEY]
        assert isinstance(held, Damaged), text
        assert held.receipt is None
        assert held == desk.sink().read(KEY)


def test_a_time_is_one_in_any_spelling(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    kept = desk.place.secrets[KEY]
    kept["updated_at"] = kept["updated_at"].replace("Z", "+00:00")
    assert isinstance(desk.sink().read(KEY), Stored)
    kept["updated_at"] = None
    with pytest.raises(SinkUnread, match="when a secret last changed"):
        desk.sink().read(KEY)


def test_what_somebody_writes_between_look_and_write_is_not_overwritten(desk: Desk) -> None:
    sink = desk.sink()
    put(sink, KEY, 1)
    held = sink.store.fetch(KEY)
    put(desk.sink(), KEY, 2)
    with pytest.raises(Changed):
        sink.store.save(KEY, "{}", secret(3), held.stamp)
    with pytest.raises(Changed):
        sink.store.erase(KEY, held.stamp)
    assert desk.place.read(KEY) == plain(2)


SAID_NO = [(403, b'{"message": "Resource not accessible by integration"}'), (429, b"{}"), (404, b"{}")]


@pytest.mark.parametrize("answer", SAID_NO, ids=["403", "429", "404"])
def test_a_removal_is_not_called_refused_once_the_secret_is_gone(
    desk: Desk, answer: tuple[int, bytes]
) -> None:
    put(desk.sink(), KEY, 1)
    with desk.relay.troubled(Trouble("DELETE", SECRET, answer)), pytest.raises(SinkRefused):
        desk.sink().delete(KEY, receipt(1).token.id)
    assert isinstance(desk.sink().read(KEY), Stored)
    with (
        desk.relay.troubled(Trouble("DELETE", NOTE, answer)),
        pytest.raises(SinkUnsure, match="the secret was removed, and its receipt may still be there"),
    ):
        desk.sink().delete(KEY, receipt(1).token.id)
    assert desk.place.read(KEY) is None


@dataclass
class Interloper(Relay):
    """Somebody else acts just as a request for this method and path ends, or before it is passed on."""

    when: tuple[str, str] = ("", "")
    act: Callable[[], object] = bool
    before: bool = False

    def passed_on(self, method: str, path: str, headers: Message, body: bytes) -> Passed:
        is_now = (method, path) == self.when
        if is_now and self.before:
            self.act()
        passed = super().passed_on(method, path, headers, body)
        if is_now and not self.before:
            self.act()
        return passed


@pytest.fixture
def interloper(desk: Desk) -> Iterator[Interloper]:
    with Interloper(desk.github.url).served() as relay:
        desk.relay = relay
        yield relay


def people_write(desk: Desk, seconds: int = 3) -> None:
    """Somebody stores a value of their own, some seconds later."""
    desk.github.now += timedelta(seconds=seconds)
    stamp = desk.github.now.isoformat().replace("+00:00", "Z")
    desk.place.secrets[KEY] = {**desk.place.secrets[KEY], "encrypted_value": "", "updated_at": stamp}


def test_a_change_that_somebody_makes_right_after_ours_is_not_ours(
    desk: Desk, interloper: Interloper
) -> None:
    put(desk.sink(), KEY, 1)
    interloper.when, interloper.act = ("PUT", SECRET), lambda: people_write(desk)
    with pytest.raises(SinkUnsure, match="or somebody made another one"):
        put(desk.sink(), KEY, 2)
    held = desk.sink().read(KEY)
    assert isinstance(held, Damaged)  # the receipt does not vouch for what they wrote
    assert held.receipt == receipt(2)


def test_an_earlier_change_that_shows_late_is_not_ours(desk: Desk, interloper: Interloper) -> None:
    """Made between our look and our write, and still shown after it."""
    put(desk.sink(), KEY, 1)
    desk.github.now += timedelta(seconds=30)
    theirs = (desk.github.now - timedelta(seconds=20)).isoformat()
    answer = json.dumps({"name": KEY, "updated_at": theirs}).encode()
    late = Trouble("GET", SECRET, (200, answer), skip=3)  # the looks before a write
    with desk.relay.troubled(late), pytest.raises(SinkUnsure, match="does not show the change"):
        put(desk.sink(), KEY, 2)


def test_another_visibility_is_no_change_of_the_secret(desk: Desk) -> None:
    sink = desk.organization(visibility="all")
    put(sink, KEY, 1)
    kept = desk.github.places[ORG].secrets[KEY]
    stale = {"name": KEY, "updated_at": kept["updated_at"], "visibility": "private"}
    late = Trouble("GET", f"/{ORG}/secrets/{KEY}", (200, json.dumps(stale).encode()), skip=3)
    with desk.relay.troubled(late), pytest.raises(SinkUnsure, match="does not show the change"):
        put(sink, KEY, 2)


def test_without_a_clock_no_change_is_taken_for_ours(desk: Desk) -> None:
    store: Any = desk.sink().store
    unclocked = replace(store, writes=Timeless(store.writes))
    with pytest.raises(SinkUnsure, match="does not show the change"):
        put(RecordSink(unclocked), KEY, 1)


@dataclass(frozen=True)
class Timeless:
    """Answers without their times."""

    plain: Rest

    def send(self, *args: Any, **given: Any) -> Answer:
        answer = self.plain.send(*args, **given)
        return replace(answer, headers={k: v for k, v in answer.headers.items() if k.lower() != "date"})

    def __getattr__(self, name: str) -> Any:
        return getattr(self.plain, name)


@pytest.mark.parametrize(("method", "path"), [("DELETE", SECRET), ("PATCH", NOTE), ("PUT", SECRET)])
def test_after_a_wait_it_is_looked_again_before_anything_is_written(
    desk: Desk, interloper: Interloper, method: str, path: str
) -> None:
    """While we wait for the end of a limit, somebody else stores a value there."""
    sink = desk.sink()
    put(sink, KEY, 1)
    held = sink.read(KEY)
    assert isinstance(held, Stored)
    interloper.when, interloper.before = (method, path), True

    def limited() -> None:
        interloper.when = ("", "")
        people_write(desk)
        desk.github.refusals.append(LIMITED[0])

    interloper.act = limited
    if method == "DELETE":
        with pytest.raises(Changed):
            sink.delete(KEY, receipt(1).token.id)
    elif method == "PATCH":
        with pytest.raises(Changed):
            sink.amend(KEY, receipt(1, protect=False), held.version)
    else:
        with pytest.raises(SinkUnsure, match="changed meanwhile"):
            sink.put(KEY, secret(2), receipt(2), held.version)
    assert desk.place.secrets[KEY]["encrypted_value"] == ""  # theirs
    assert desk.naps


def test_a_receipt_that_went_is_not_amended_into_being(desk: Desk, interloper: Interloper) -> None:
    sink = desk.sink()
    put(sink, KEY, 1)
    held = sink.read(KEY)
    assert isinstance(held, Stored)
    interloper.when, interloper.before = ("PATCH", NOTE), True
    interloper.act = desk.place.variables.clear
    with pytest.raises(Changed):
        sink.amend(KEY, receipt(1, protect=False), held.version)
    assert desk.place.variables == {}


def test_selected_repositories_that_cannot_all_be_listed_are_not_written_over(desk: Desk) -> None:
    org = desk.github.places[ORG]
    sink = desk.organization(repositories=["infra", "web"])
    put(sink, KEY, 1)
    org.selected[KEY] = [7, 8, 99]
    desk.github.unseen.add(99)
    for act in (lambda: sink.preflight(KEY), lambda: put(sink, KEY, 2)):
        with pytest.raises(SinkRefused, match="who may read NB_PAT cannot be told") as refused:
            act()
        assert "may the token see all of them?" in refused.value.hint
    assert org.selected[KEY] == [7, 8, 99]
    assert org.read(KEY) == plain(1)


def test_a_removal_that_breaks_off_can_be_finished(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    with desk.relay.troubled(Trouble("DELETE", NOTE)), pytest.raises(SinkUnsure):
        desk.sink().delete(KEY, receipt(1).token.id)
    assert desk.place.read(KEY) is None
    assert desk.sink().delete(KEY, receipt(1).token.id)
    assert isinstance(desk.sink().read(KEY), Absent)


def test_a_public_key_that_is_none_sends_no_secret(desk: Desk) -> None:
    for key in (b'"rubbish"', b'"AAAA"', b'""'):
        answer = (200, b'{"key_id": "1", "key": ' + key + b"}")
        with (
            desk.relay.troubled(Trouble("GET", "/public-key", answer)),
            pytest.raises(SinkRefused, match="public key that is none"),
        ):
            put(desk.sink(), KEY, 1)
    assert desk.writes == []


def test_a_set_that_could_be_taken_for_another_is_not_registered(desk: Desk) -> None:
    sink = desk.sink()
    sink.register(replace(REGISTRATION, set=SetName("a-b")))
    for name in ("a_b", "A-b"):
        with pytest.raises(SinkRefused, match="cannot have a variable of its own"):
            sink.register(replace(REGISTRATION, set=SetName(name)))
    assert list(sink.inventory([]).registrations) == ["a-b"]


@pytest.mark.parametrize(("named", "variable"), [({}, "GITHUB_TOKEN"), ({"token_env": "MINE"}, "MINE")])
def test_the_token_comes_from_the_variable_that_is_named(
    desk: Desk, named: dict[str, str], variable: str
) -> None:
    desk.env = {variable: f" {desk.env['GH_TOKEN']}\n", "GH_TOKEN": "" if not named else "not this one"}
    put(desk.sink(repository="acme/infra", **named), KEY, 1)


GHES = "https://github.example/api/v3"
HOSTS = [
    (None, {"GH_TOKEN"}, True),
    ("https://api.github.com:443/", {"GITHUB_TOKEN"}, True),
    ("https://api.acme.ghe.com", {"GH_TOKEN"}, True),
    (GHES, {"GH_TOKEN", "GITHUB_TOKEN"}, False),
    ("https://api.github.com.example", {"GH_TOKEN"}, False),
    ("https://github.example:8443/api/v3", {"GITHUB_API_URL", "GITHUB_TOKEN"}, False),
    (GHES, {"GITHUB_API_URL", "GITHUB_TOKEN"}, True),
    (None, {"GITHUB_API_URL", "GH_TOKEN"}, True),
    ("https://api.github.com", {"GITHUB_API_URL", "GITHUB_TOKEN"}, False),
    (GHES, {"GH_ENTERPRISE_TOKEN"}, False),
    (GHES, {"GH_HOST", "GH_ENTERPRISE_TOKEN"}, True),
    (GHES, {"GH_HOST", "GITHUB_ENTERPRISE_TOKEN"}, True),
    (GHES, {"GH_HOST", "GH_TOKEN"}, False),
    (None, {"GH_HOST", "GH_ENTERPRISE_TOKEN"}, False),
]


@pytest.mark.parametrize(("url", "variables", "is_sent"), HOSTS)
def test_a_token_goes_to_the_server_that_it_is_meant_for(
    tmp_path: Path, url: str | None, variables: set[str], is_sent: bool
) -> None:
    """As `gh` has it; what is meant for another server is for `token_env` to say."""
    told = {"GITHUB_API_URL": GHES, "GH_HOST": "GitHub.example"}
    env = {name: told.get(name, "ghp_x") for name in variables}
    options = {"repository": "acme/infra", **({"api_url": url} if url else {})}

    def store(more: dict[str, object]) -> Any:
        around = Surroundings(tmp_path, {**env, "MINE": "ghp_y"}, allow_http=False)
        return sink_type("github").build({**options, **more}, around).store  # type: ignore[attr-defined]

    for rest in (store({}).writes, store({}).reader._rest):
        assert isinstance(rest.auth, Missing) is not is_sent
    assert not isinstance(store({"token_env": "MINE"}).writes.auth, Missing)


def test_a_token_of_another_server_is_not_sent_and_it_is_said_why(tmp_path: Path) -> None:
    around = Surroundings(tmp_path, {"GH_TOKEN": "ghp_x"}, allow_http=False)
    sink = sink_type("github").build({"repository": "acme/infra", "api_url": GHES}, around)
    told = "GH_TOKEN and GITHUB_TOKEN are for api.github.com and not sent to github.example; name"
    for act, error in ((lambda: sink.inventory([]), SinkUnread), (lambda: sink.preflight(KEY), SinkRefused)):
        with pytest.raises(error, match=told):
            act()


def test_without_a_token_nothing_is_sent(desk: Desk) -> None:
    desk.env = {}
    with pytest.raises(SinkUnread, match="no credential: GH_TOKEN and GITHUB_TOKEN not set"):
        desk.sink().inventory([])
    with pytest.raises(SinkRefused, match="no credential: MINE not set") as refused:
        desk.sink(repository="acme/infra", token_env="MINE").register(REGISTRATION)
    assert "read and write for Secrets" in refused.value.hint
    assert desk.relay.asked == []


def test_an_enterprise_server_is_asked_below_its_own_path(desk: Desk) -> None:
    desk.env["GITHUB_API_URL"] = f"{desk.relay.url}/api/v3/"
    around = Surroundings(desk.home, desk.env, allow_http=False)
    sink = sink_type("github").build({"repository": "acme/infra"}, around)
    put(sink, KEY, 1)
    assert {path[:8] for _, path in desk.relay.asked} == {"/api/v3/"}
    with pytest.raises(UsageError, match="unencrypted"):
        desk.sink(repository="acme/infra", api_url="http://github.example/api/v3")


def test_what_is_no_api_is_told_from_what_is_not_there(desk: Desk) -> None:
    with (
        desk.relay.troubled(Trouble("GET", "/secrets", (404, b"<html>no such page</html>"))),
        pytest.raises(SinkUnread) as unread,
    ):
        desk.sink().inventory([])
    assert "ends in /api/v3" in unread.value.hint


def test_the_credential_is_in_no_log_and_no_repr(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    sink = desk.organization(repositories=["infra"])
    put(sink, KEY, 1)
    desk.may(secrets="read")
    with pytest.raises(SinkRefused) as refused:
        desk.sink().preflight(KEY)
    said = f"{caplog.text} {sink!r} {vars(refused.value)}"
    assert "/secrets" in said
    assert [token for token in desk.github.tokens if token in said] == []


def test_a_missing_extra_is_told_with_the_command_that_installs_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "nacl.public", None)
    with pytest.raises(UsageError, match=r"nacl\.public is not installed") as refused:
        desk.sink()
    assert refused.value.hint == f"{sys.executable} -m pip install 'netbird-token-reconciler[github]'"
    assert sink_type("github").keys({}).accepts(KEY)
