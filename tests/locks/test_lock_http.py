"""One run and one lock server: taken, held, given back, and everything that can come between."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lock_server import METHODS, LockServer, Trouble

from reconciler.errors import LockDenied, LockError, LockHeld, LockUnavailable, UsageError
from reconciler.http import Limits
from reconciler.locks import Hold, Holder, Lock, Surroundings, lock_of, this_run

NOW = datetime(2026, 11, 24, 10, 0, 5, tzinfo=UTC)
ME = Holder("our-id", "apply", "process 1", "me@here", "netbird-tokens 1", "2026-11-24T10:00:05Z")
OTHER = Holder(
    "their-id",
    "renew",
    "process 2, https://ci.example/7",
    "they@there",
    "v",
    "2026-11-24T09:00:00Z",
)
OWN = {"NETBIRD_TOKENS_LOCK_USERNAME": "me", "NETBIRD_TOKENS_LOCK_PASSWORD": "hunter2"}


def made(server: LockServer, env: Mapping[str, str] | None = None, **options: Any) -> Lock:
    lock, unlock = METHODS[server.dialect]
    written = {
        "url": server.url, "lock_method": lock, "unlock_method": unlock, "gitlab_job_token": False,
    }  # fmt: skip
    around = Surroundings(Path(), env or {}, allow_http=False)
    return lock_of("http", {**written, **options}, around)


def yes(_question: str) -> None:
    pass


def test_it_is_taken_and_given_back_in_the_words_of_the_protocol(server: LockServer) -> None:
    lock = made(server)
    lock.take(ME)
    assert server.held == {
        "ID": "our-id", "Operation": "apply", "Info": "process 1", "Who": "me@here",
        "Version": "netbird-tokens 1", "Created": "2026-11-24T10:00:05Z", "Path": "",
    }  # fmt: skip
    lock.give_back()
    assert server.held is None
    assert [asked.method for asked in server.asked] == list(METHODS[server.dialect])
    assert server.asked[1].query == {"ID": ["our-id"]}
    assert server.asked[1].body["ID"] == "our-id"
    lock.give_back()
    assert len(server.asked) == 2


def test_no_connection_is_kept_for_the_length_of_a_run(server: LockServer) -> None:
    lock = made(server)
    lock.take(ME)
    lock.give_back()
    assert server.connections == 2


def test_a_query_of_our_own_stays_in_the_url(server: LockServer) -> None:
    lock = made(server, url=server.url + "?team=net%20ops")
    lock.take(ME)
    lock.give_back()
    assert [asked.query for asked in server.asked] == [
        {"team": ["net ops"]},
        {"team": ["net ops"], "ID": ["our-id"]},
    ]


def test_who_comes_second_learns_who_holds_it_and_what_to_do(server: LockServer) -> None:
    server.held = OTHER.document()
    lock = made(server)
    with pytest.raises(LockHeld) as held:
        lock.take(ME)
    assert held.value.exit_code == 7
    said = {
        "terraform": "renew by they@there (process 2, https://ci.example/7)",
        "gitlab": "gitlab-user",  # the rest of its answer is an echo of our own request
    }[server.dialect]
    assert held.value.message == (
        f"another run holds the lock {server.url}: {said} since 2026-11-24T09:00:00Z, id their-id"
    )
    assert held.value.hint.endswith("if that run is gone: netbird-tokens unlock their-id")
    lock.give_back()
    assert server.held == OTHER.document()
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it does not say who it is"),
        (b"<html>Locked</html>", "it does not say who it is"),
        (b'["ID"]', "it does not say who it is"),
        (b'{"ID": 7, "Who": null, "Created": {}}', "it does not say who it is"),
        (b'{"ID": "x\\u001b[31m\\n::error::\\u202e"}', r"id x\x1b[31m ::error::\u202e"),
        (b'{"ID": "' + b"i" * 9000 + b'"}', "id " + "i" * 159 + "…"),
    ],
)
def test_what_a_server_says_of_the_holder_is_hearsay(
    server: LockServer, body: bytes, said: str
) -> None:
    server.troubles.append(Trouble(METHODS[server.dialect][0], 423, body))
    with pytest.raises(LockHeld) as held:
        made(server).take(ME)
    assert held.value.message == f"another run holds the lock {server.url}: {said}"


def test_an_id_in_a_hint_can_be_pasted_into_a_shell(server: LockServer) -> None:
    body = b'{"ID": "$(reboot)"}'
    server.troubles.append(Trouble(METHODS[server.dialect][0], 423, body))
    with pytest.raises(LockHeld) as held:
        made(server).take(ME)
    assert held.value.hint.endswith("netbird-tokens unlock '$(reboot)'")


@pytest.mark.parametrize(
    ("status", "error", "advice"),
    [
        (400, LockUnavailable, "check `lock`"),
        (401, LockDenied, "NETBIRD_TOKENS_LOCK_USERNAME"),
        (403, LockDenied, "Maintainer"),
        (404, LockUnavailable, "is `lock.url` right?"),
        (405, LockUnavailable, "POST and DELETE"),
        (302, LockUnavailable, "check `lock`"),
        (299, LockUnavailable, "check `lock`"),
        (204, LockUnavailable, "check `lock`"),
    ],
)
def test_a_clear_no_is_told_and_asked_for_once(
    server: LockServer, status: int, error: type[LockError], advice: str
) -> None:
    server.troubles.append(
        Trouble(METHODS[server.dialect][0], status, headers=(("Location", "/elsewhere"),))
    )
    lock = made(server)
    with pytest.raises(error) as refused:
        lock.take(ME)
    assert refused.value.exit_code == (4 if error is LockDenied else 1)
    assert f"its server answered {status}" in refused.value.message
    assert advice in refused.value.hint
    lock.give_back()
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [500, 503, 520, "drop"])
def test_a_lost_answer_is_looked_into(server: LockServer, status: Any) -> None:
    method = METHODS[server.dialect][0]
    server.troubles.append(Trouble(method, status, after=True))
    lock = made(server)
    lock.take(ME)
    assert server.held is not None
    assert server.held["ID"] == "our-id"
    assert [asked.body["ID"] for asked in server.asked] == ["our-id", "our-id"]
    lock.give_back()
    assert server.held is None


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("status", [500, "drop"])
def test_where_no_answer_comes_at_all_nothing_stays_held_and_what_may_come_late_is_told(
    server: LockServer, status: Any, *, after: bool
) -> None:
    method = METHODS[server.dialect][0]
    server.troubles += [Trouble(method, status, after=after)] * 2
    lock = made(server)
    with pytest.raises(LockUnavailable) as lost:
        lock.take(ME)
    assert lost.value.exit_code == 1
    assert lost.value.message.endswith("or come to be, until it is freed, id our-id")
    assert lost.value.hint.endswith("should it be held: netbird-tokens unlock our-id")
    assert server.held is None
    lock.give_back()
    assert len(server.asked) == 3


def test_where_nothing_can_be_freed_either_the_id_is_told(server: LockServer) -> None:
    lock_method, unlock_method = METHODS[server.dialect]
    server.troubles += [Trouble(lock_method, "drop", after=True)] * 2
    server.troubles += [Trouble(unlock_method, 503)] * 2
    with pytest.raises(LockUnavailable) as lost:
        made(server).take(ME)
    assert lost.value.message.endswith("or come to be, until it is freed, id our-id")
    assert lost.value.hint.endswith("netbird-tokens unlock our-id")


def test_a_server_that_says_nothing_is_not_waited_for_long(
    server: LockServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.locks.http.LIMITS", Limits((1, 0.05), 1000))
    for method in METHODS[server.dialect]:
        server.troubles += [Trouble(method, "hang")] * 2
    with pytest.raises(LockUnavailable, match="no answer in time"):
        made(server).take(ME)
    assert len(server.asked) == 4


def test_an_endless_answer_is_not_read(server: LockServer) -> None:
    method = METHODS[server.dialect][0]
    server.troubles += [Trouble(method, 200, b" " * 100_000)] * 2
    with pytest.raises(LockUnavailable, match="larger than 64 KB"):
        made(server).take(ME)


def test_no_server_at_all() -> None:
    with LockServer("terraform").served() as server:
        lock = made(server)
    with pytest.raises(LockUnavailable) as missed:
        lock.take(ME)
    assert missed.value.exit_code == 1
    assert "Connection refused" in missed.value.message
    assert "our-id" not in missed.value.message
    lock.give_back()


@pytest.mark.parametrize("status", [500, "drop"])
def test_a_lost_answer_to_giving_back_is_settled(server: LockServer, status: Any) -> None:
    lock = made(server)
    lock.take(ME)
    server.troubles.append(Trouble(METHODS[server.dialect][1], status, after=True))
    lock.give_back()
    assert server.held is None


def test_a_lock_that_stays_behind_is_told_with_its_id(server: LockServer) -> None:
    said: list[str] = []
    hold = Hold(made(server), lambda: ME, said.append)
    hold.take(0)
    server.troubles += [Trouble(METHODS[server.dialect][1], 500)] * 2
    warning = hold.give_back()
    assert warning.startswith("WARNING: could not free the lock")
    assert warning.endswith("to free it: netbird-tokens unlock our-id")
    assert said == []


def test_a_lock_that_was_freed_under_us_is_told(server: LockServer) -> None:
    hold = Hold(made(server), lambda: ME, print)
    hold.take(0)
    server.held = OTHER.document()
    assert "is not held under the id our-id any more" in hold.give_back()
    assert server.held == OTHER.document()


def test_an_account_comes_from_the_environment_and_goes_to_no_other_host(
    server: LockServer,
) -> None:
    server.account = ("me", "hunter2")
    with LockServer("terraform").served() as evil:
        moved = (("Location", evil.url),)
        server.troubles.append(Trouble(METHODS[server.dialect][0], 307, headers=moved))
        lock = made(server, OWN)
        with pytest.raises(LockUnavailable, match="a redirect, which is not followed"):
            lock.take(ME)
        assert evil.asked == []
    lock.take(ME)
    assert server.held is not None
    lock.give_back()
    assert server.held is None


@pytest.mark.parametrize(
    ("env", "options", "user"),
    [
        ({}, {}, None),
        (OWN, {}, "me:hunter2"),
        ({"TF_HTTP_USERNAME": "tf", "TF_HTTP_PASSWORD": "pw"}, {}, "tf:pw"),
        ({"TF_HTTP_USERNAME": "tf", "TF_HTTP_PASSWORD": "pw", **OWN}, {}, "me:hunter2"),
        ({"TF_HTTP_PASSWORD": "pw"}, {}, None),
        ({"CI_JOB_TOKEN": "job"}, {}, None),
        ({"CI_JOB_TOKEN": "job"}, {"gitlab_job_token": True}, "gitlab-ci-token:job"),
        ({"CI_JOB_TOKEN": "job", **OWN}, {"gitlab_job_token": True}, "me:hunter2"),
        (
            {"CI_JOB_TOKEN": "job", "TF_HTTP_USERNAME": "tf", "TF_HTTP_PASSWORD": "pw"},
            {"gitlab_job_token": True},
            "gitlab-ci-token:job",
        ),
        ({}, {"gitlab_job_token": True}, None),
    ],
)
def test_which_account(
    server: LockServer, env: dict[str, str], options: dict[str, Any], user: str | None
) -> None:
    server.account = tuple(user.split(":")) if user else None  # type: ignore[assignment]
    made(server, env, **options).take(ME)
    assert bool(server.asked[0].authorization) == bool(user)


@pytest.mark.parametrize("name", OWN)
def test_half_an_account_is_refused_before_anything_is_sent(server: LockServer, name: str) -> None:
    with pytest.raises(LockDenied) as refused:
        made(server, {name: OWN[name]})
    assert refused.value.exit_code == 4
    assert "hunter2" not in refused.value.message + refused.value.hint


def test_no_error_says_the_password(server: LockServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    server.account = ("me", "something else")
    lock = made(server, OWN)
    with pytest.raises(LockDenied) as refused:  # the server quotes our header in its answer
        lock.take(ME)
    seen = f"{refused.value} {refused.value.hint} {vars(lock)} {caplog.text}"
    assert "hunter2" not in seen
    assert server.asked[0].authorization.split()[1] not in seen
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"url": "http://lock.example/x"}, "lock.url would send the credential to lock.example"),
        ({"url": "https://lock.example/ä"}, "lock.url has characters"),
        ({"url": "https://me:pw@lock.example/"}, "lock.url holds a user name or password"),
        ({"unlock_url": "http://lock.example/x"}, "lock.unlock_url would send the credential"),
        ({"unlock_url": "https://evil.example/x"}, "another server than lock.url"),
    ],
)
def test_an_address_that_is_refused(options: dict[str, str], problem: str) -> None:
    server = LockServer("terraform", url="https://lock.example/x")
    with pytest.raises(UsageError, match=problem):
        made(server, **options)


def test_unlocking_at_another_address_of_the_same_server(server: LockServer) -> None:
    made(server, unlock_url=server.url + "?way=out").take(ME)
    lock = made(server, unlock_url=server.url + "?way=out")
    assert "freed" in lock.unlock("our-id", OTHER, yes)
    assert server.asked[-1].query == {"way": ["out"], "ID": ["our-id"]}


def test_unlock_frees_what_is_held_under_the_id_and_asks_first(server: LockServer) -> None:
    server.held = OTHER.document()
    questions: list[str] = []

    def no(question: str) -> None:
        questions.append(question)
        raise UsageError("declined; nothing was changed")

    with pytest.raises(UsageError):
        made(server).unlock("their-id", ME, no)
    assert server.held == OTHER.document()
    assert "id their-id" in questions[0]
    assert made(server).unlock("their-id", ME, yes) == f"freed the lock {server.url}"
    assert server.held is None
    assert made(server).unlock("their-id", ME, yes).startswith("nobody holds the lock")
    assert server.held is None


def test_unlock_frees_nothing_under_another_id(server: LockServer) -> None:
    server.held = OTHER.document()
    with pytest.raises(LockHeld, match=r"under another id; nothing was freed: .*id their-id"):
        made(server).unlock("old-id", ME, yes)
    assert server.held == OTHER.document()
    assert [asked.method for asked in server.asked] == [METHODS[server.dialect][0]]


def test_unlock_where_the_server_does_not_say_who_holds_it(server: LockServer) -> None:
    server.held = OTHER.document()
    server.troubles.append(Trouble(METHODS[server.dialect][0], 423))
    assert "freed" in made(server).unlock("their-id", ME, yes)
    server.held = OTHER.document()
    server.troubles.append(Trouble(METHODS[server.dialect][0], 423))
    with pytest.raises(LockUnavailable, match="not held under the id old-id"):
        made(server).unlock("old-id", ME, yes)
    assert server.held == OTHER.document()


def test_the_wait_ends_when_the_other_run_ends(server: LockServer) -> None:
    server.held = OTHER.document()
    said: list[str] = []

    def note(text: str) -> None:
        said.append(text)
        server.held = None

    hold = Hold(made(server), lambda: this_run("apply", {}, NOW), note)
    hold.take(30)
    assert "id their-id; waiting up to 30 seconds" in said[0]
    assert hold.give_back() == ""
    assert server.held is None


def test_the_wait_has_an_end(server: LockServer) -> None:
    server.held = OTHER.document()
    with pytest.raises(LockHeld):
        Hold(made(server), lambda: ME, print).take(0.15)
    assert len(server.asked) >= 2


def test_a_server_that_breaks_down_ends_the_wait(server: LockServer) -> None:
    server.held = OTHER.document()

    def note(_text: str) -> None:
        server.troubles.append(Trouble(METHODS[server.dialect][0], 403))

    with pytest.raises(LockDenied):
        Hold(made(server), lambda: ME, note).take(30)


@pytest.mark.parametrize(
    ("env", "page"),
    [
        ({}, ""),
        ({"CI_JOB_URL": "https://gitlab.example/-/jobs/7"}, ", https://gitlab.example/-/jobs/7"),
        (
            {
                "GITHUB_SERVER_URL": "https://github.com",
                "GITHUB_REPOSITORY": "o/r",
                "GITHUB_RUN_ID": "42",
            },
            ", https://github.com/o/r/actions/runs/42",
        ),
    ],
)
def test_a_run_describes_itself(env: dict[str, str], page: str) -> None:
    one, two = this_run("apply", env, NOW), this_run("apply", env, NOW)
    assert one.id != two.id
    assert one.info.startswith("process ")
    assert one.info.endswith(page)
    assert one.created == "2026-11-24T10:00:05Z"
    assert "@" in one.who
    assert str(one).startswith(f"apply by {one.who} (process ")
