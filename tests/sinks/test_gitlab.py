"""What is particular to GitLab: receipts in descriptions, scopes, hidden values, old and small servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from boxes import REGISTRATION
from fakes.gitlab import Gitlab, Token
from fakes.relay import Relay, Trouble
from fakes.serving import Request, Said, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.ports import Power
from reconciler.core.receipts import ABSENT, Absent, Damaged, Receipt, SetName, Stored, TokenRef
from reconciler.core.tokens import TokenId, UserId
from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure
from reconciler.http.retry import Pace
from reconciler.sinks import sink_type
from reconciler.sinks.compact import compact, expanded
from reconciler.sinks.gitlab.store import ROOM
from reconciler.sinks.receipt_text import receipt_to_json, to_text
from reconciler.sinks.records import Changed, RecordSink
from reconciler.sinks.rest import Missing, Rest
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, put, receipt, secret

KEY = "NB_PAT"
PROJECT = "projects/acme%2Finfra"
DEFAULTS: dict[str, object] = {
    "environment_scope": "*",
    "masked": True,
    "protected": True,
    "hidden": False,
}


@dataclass
class Desk:
    gitlab: Gitlab
    relay: Relay
    home: Path
    naps: list[float]
    env: dict[str, str] = field(default_factory=dict)

    def sink(self, **options: object) -> RecordSink:
        owner = {} if "group" in options else {"project": "acme/infra"}
        around = Surroundings(self.home, self.env, allow_http=False)
        built = sink_type("gitlab").build({**DEFAULTS, "url": self.relay.url, **owner, **options}, around)
        assert isinstance(built, RecordSink)
        return built

    def may(self, token: Token) -> None:
        self.env["GITLAB_TOKEN"] = self.gitlab.token(token)

    def held(self, scope: str = "*", key: str = KEY, owner: str = PROJECT) -> dict[str, Any]:
        names = (key, scope)
        [found] = [
            v for v in self.gitlab.variables[owner] if (v["key"], v["environment_scope"]) == names
        ]
        return found

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [asked for asked in self.relay.asked if asked[0] != "GET"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    naps: list[float] = []
    monkeypatch.setattr(
        "reconciler.sinks.gitlab.Rest", partial(Rest, pace=Pace(sleep=naps.append, random=lambda: 0.5))
    )
    with Gitlab().served() as gitlab, Relay(gitlab.url).served() as relay:
        desk = Desk(gitlab, relay, tmp_path, naps)
        desk.env["GITLAB_TOKEN"] = gitlab.token()
        yield desk


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)).map(lambda t: t.replace(tzinfo=UTC))  # noqa: DTZ001 - hypothesis wants them naive
REFS = st.builds(TokenRef, TEXTS.map(UserId), TEXTS.map(TokenId))
RECEIPTS = st.builds(
    Receipt,
    token=REFS,
    set=TEXTS.map(SetName),
    name=TEXTS,
    created_at=TIMES,
    expires_at=TIMES,
    fingerprint=st.just("a" * 16),
    rotation=st.integers(0, 1000),
    protect=st.booleans(),
    predecessors=st.lists(REFS, max_size=3).map(tuple),
    undeployed=st.booleans(),
)


@given(RECEIPTS)
@settings(max_examples=60)
def test_a_description_gives_back_the_receipt_or_there_is_none(whole: Receipt) -> None:
    text = to_text(receipt_to_json(whole))
    try:
        description = compact(text, ROOM)
    except SinkRefused as refused:
        assert f"have room for {ROOM.letters}" in refused.message  # noqa: PT017 - both are right
    else:
        assert len(description) <= ROOM.letters
        assert expanded(description) == text


def test_what_is_usual_has_room_with_three_replaced_tokens_alive() -> None:
    user = UserId("google-oauth2|103201118415301331038")
    ids = [TokenId(f"d5dn376d0smdgog000{n:02}") for n in range(4)]
    usual = receipt(
        1, token=TokenRef(user, ids[0]), set=SetName("platform"), name="terraform-provider",
        predecessors=tuple(TokenRef(user, each) for each in ids[1:]),
    )  # fmt: skip
    description = compact(to_text(receipt_to_json(usual)), ROOM)
    assert description.startswith('netbird-tokens/1 ["d5dn376d0smdgog00000","google-oauth2|1032')
    many = tuple(TokenRef(user, TokenId(f"d5dn376d0smdgog001{n:02}")) for n in range(9))
    with pytest.raises(SinkRefused, match="GitLab's descriptions have room for 255") as refused:
        compact(to_text(receipt_to_json(replace(usual, predecessors=many))), ROOM)
    assert "9 replaced tokens are still alive" in refused.value.hint
    assert "netbird-tokens revoke ID" in refused.value.hint
    with pytest.raises(SinkRefused) as refused:
        compact(to_text(receipt_to_json(replace(usual, name="n" * 250, predecessors=()))), ROOM)
    assert refused.value.hint == "shorten the name of the entry or of the set"


GOOD = compact(to_text(receipt_to_json(receipt(1))), ROOM)


@pytest.mark.parametrize(
    "description",
    [
        "netbird-tokens/2 []",
        "netbird-tokens/1 [",
        "netbird-tokens/1 {}",
        "netbird-tokens/1 []",
        GOOD[:-1],
        GOOD.replace("[", '[7,"', 1),
        GOOD.removesuffix("]") + ",7]",
        GOOD.removesuffix("]") + ',["a"]]',
        GOOD.replace('"auth0|ci-bot"', '""'),
        GOOD.replace("1780403415123456", "9" * 30),
    ],
)
def test_a_description_that_was_meddled_with_is_no_receipt(desk: Desk, description: str) -> None:
    put(desk.sink(), KEY, 1)
    assert desk.held()["description"] == GOOD
    desk.held()["description"] = description
    held = desk.sink().inventory([]).entries[KEY]
    assert isinstance(held, Damaged)
    assert held.receipt is None
    assert desk.sink().read(KEY) == held


def test_value_and_receipt_are_one_write(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    put(desk.sink(), KEY, 2)
    path = f"/api/v4/{PROJECT}/variables"
    assert desk.writes == [
        ("POST", path),
        ("PUT", f"{path}/{KEY}?filter%5Benvironment_scope%5D=%2A"),
    ]
    assert desk.sink().power is Power.UNCONDITIONAL


def test_variables_are_made_and_kept_as_the_config_says(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    assert {n: desk.held()[n] for n in ("masked", "protected", "raw", "hidden", "variable_type")} == {
        "masked": True, "protected": True, "raw": True, "hidden": False, "variable_type": "env_var",
    }  # fmt: skip
    put(desk.sink(masked=False, protected=False), KEY, 2)
    assert (desk.held()["masked"], desk.held()["protected"]) == (False, False)


def test_scopes_are_places_of_their_own(desk: Desk) -> None:
    everywhere, review = desk.sink(), desk.sink(environment_scope="review/*")
    put(everywhere, KEY, 1)
    assert isinstance(review.read(KEY), Absent)
    review.preflight(KEY)
    put(review, KEY, 2)
    review.register(REGISTRATION)
    assert (desk.held()["value"], desk.held("review/*")["value"]) == (plain(1), plain(2))
    assert everywhere.inventory([KEY]).entries == {KEY: everywhere.read(KEY)}
    assert dict(everywhere.inventory([]).registrations) == {}
    assert dict(review.inventory([]).registrations) == {REGISTRATION.set: REGISTRATION}
    assert everywhere.delete(KEY, receipt(1).token.id)
    assert isinstance(review.read(KEY), Stored)


def test_a_group_is_another_place(desk: Desk) -> None:
    put(desk.sink(group="acme"), KEY, 1)
    assert desk.held(owner="groups/acme")["value"] == plain(1)
    assert isinstance(desk.sink().read(KEY), Absent)


def test_a_group_without_scopes_is_told_before_anything_secret_is_sent(desk: Desk) -> None:
    """GitLab takes the scope, leaves it out, and says nothing."""
    desk.gitlab.pays = False
    sink = desk.sink(group="acme", environment_scope="production")
    with pytest.raises(SinkUnsure, match=r"under the environment scope \*: groups have scopes in paid"):
        sink.register(REGISTRATION)
    assert dict(sink.inventory([]).registrations) == {}


def test_a_server_that_keeps_no_descriptions_is_never_registered(desk: Desk) -> None:
    desk.gitlab.version = (16, 1)
    sink = desk.sink()
    for _ in range(2):
        with pytest.raises(SinkUnsure, match=r"it must be GitLab 16\.2 or newer"):
            sink.register(REGISTRATION)
        assert dict(sink.inventory([]).registrations) == {}


def test_a_variable_of_others_is_not_registered_over(desk: Desk) -> None:
    sink, name = desk.sink(), "NETBIRD_TOKENS_SET_PLATFORM"
    sink.register(REGISTRATION)
    sink.register(REGISTRATION)
    desk.held(key=name).update(description="of people", value="by-hand")
    with pytest.raises(SinkRefused, match=f"{name} is there, and is no registration"):
        sink.register(REGISTRATION)
    assert desk.held(key=name)["value"] == "by-hand"


def test_a_hidden_variable_is_hidden_from_the_start(desk: Desk) -> None:
    sink = desk.sink(hidden=True, masked=False)
    assert sink.power is Power.WRITE_ONLY
    sink.preflight(KEY)
    put(sink, KEY, 1)
    put(sink, KEY, 2)
    assert (desk.held()["hidden"], desk.held()["masked"]) == (True, True)
    held = sink.read(KEY)
    assert isinstance(held, Stored)
    sink.amend(KEY, receipt(2, protect=True), held.version)
    assert sink.inventory([]).entries[KEY] == sink.read(KEY)
    assert desk.held()["value"] == plain(2)


def test_what_is_hidden_stays_hidden_and_what_is_not_is_never(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    with pytest.raises(SinkRefused, match="NB_PAT is visible, and GitLab cannot change that"):
        desk.sink(hidden=True).preflight(KEY)
    put(desk.sink(hidden=True), "OTHER", 2)
    with pytest.raises(SinkRefused, match="OTHER is hidden, and GitLab cannot change that"):
        desk.sink().preflight("OTHER")


def test_a_server_that_cannot_hide_is_told(desk: Desk) -> None:
    desk.gitlab.version = (17, 3)
    with pytest.raises(SinkUnsure, match=r"only GitLab 17\.4 and newer can hide it"):
        put(desk.sink(hidden=True), KEY, 1)


def test_a_404_for_who_may_not_look_is_not_an_empty_place(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    for token, told in (
        (Token(owns=()), "404 Project Not Found"),
        (Token(owns=(), sees=(PROJECT,)), "403 Forbidden"),
    ):
        desk.may(token)
        sink = desk.sink()
        for act in (lambda s: s.inventory([KEY]), lambda s: s.read(KEY), lambda s: s.read("OTHER")):
            with pytest.raises(SinkUnread, match=told) as unread:
                act(sink)
            assert unread.value.hint
        with pytest.raises(SinkRefused, match=told):
            sink.preflight(KEY)
    assert desk.held()["value"] == plain(1)


def test_a_preflight_sees_what_the_token_may_not_write(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    desk.may(Token(scope="read_api"))
    assert isinstance(desk.sink().read(KEY), Stored)
    with pytest.raises(SinkRefused, match="requires higher privileges") as refused:
        desk.sink().preflight(KEY)
    assert "the scope api" in refused.value.hint


def test_a_preflight_of_what_takes_everything_is_refused(desk: Desk) -> None:
    with (
        desk.relay.troubled(Trouble("POST", "/variables", (201, b"{}"))),
        pytest.raises(SinkRefused, match="it answered 201"),
    ):
        desk.sink().preflight(KEY)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, b'{"message": {"value": ["is invalid"]}}'), SinkRefused),
        ((401, b'{"message": "401 Unauthorized"}'), SinkRefused),
        ((403, b'{"message": "403 Forbidden"}'), SinkRefused),
        ((404, b'{"message": "404 Project Not Found"}'), SinkRefused),
        ((429, b"Retry later"), SinkRefused),
        ((301, b""), SinkUnsure),
        ((500, b"{}"), SinkUnsure),
        ((502, b"<html>"), SinkUnsure),
        ((200, b"{}"), SinkUnsure),
        ("drop", SinkUnsure),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_answer_to_a_write_says_how_far_it_came(
    desk: Desk, method: str, answer: Any, error: type[Exception]
) -> None:
    if method == "PUT":
        put(desk.sink(), KEY, 1)
    with desk.relay.troubled(Trouble(method, "/variables", answer)), pytest.raises(error):
        put(desk.sink(), KEY, 2)
    assert desk.gitlab.read(PROJECT, KEY) == (plain(1) if method == "PUT" else None)


@pytest.mark.parametrize(
    "answer",
    [
        (200, b"{}"),
        (200, b"[7]"),
        (200, b"<html>please sign in</html>"),
        (302, b""),
        (404, b"<html>no such page</html>"),
        (404, b'{"error": "404 Not Found"}'),
    ],
)
def test_an_answer_of_another_kind_is_not_an_empty_place(desk: Desk, answer: tuple[int, bytes]) -> None:
    with desk.relay.troubled(Trouble("GET", "/variables", answer)):
        with pytest.raises(SinkUnread):
            desk.sink().inventory([KEY])
        with pytest.raises(SinkUnread):
            desk.sink().read(KEY)


def test_a_list_without_its_length_is_not_trusted(desk: Desk) -> None:
    with desk.relay.troubled(Trouble("GET", "/variables", (200, b"[]"))), pytest.raises(SinkUnread):
        desk.sink().inventory([])


def test_a_limit_is_waited_for(desk: Desk) -> None:
    desk.gitlab.refusals = [Said(429, {"message": "slow down"}, {"Retry-After": "7"})]
    desk.sink().inventory([])
    assert desk.naps == [7.5]


def test_an_inventory_reads_the_list_page_by_page_until_it_is_the_same_twice(desk: Desk) -> None:
    sink = desk.sink()
    put(sink, KEY, 1)
    ours = desk.held()
    for number in range(150):
        desk.gitlab.variables[PROJECT].append({**ours, "key": f"NB_PAT_{number:03}"})
    for number in range(100):
        other = {**ours, "key": f"OTHER_{number:03}", "description": "of people"}
        desk.gitlab.variables[PROJECT].append(other)
    sink.register(REGISTRATION)
    desk.relay.asked.clear()
    found = sink.inventory(["OTHER_000", "NOT_THERE"])
    assert sorted(found.entries) == [KEY, *(f"NB_PAT_{n:03}" for n in range(150)), "OTHER_000"]
    assert dict(found.registrations) == {REGISTRATION.set: REGISTRATION}
    assert len(desk.relay.asked) == 2 * 3
    assert desk.writes == []


def test_what_was_made_or_removed_since_the_look_is_left_alone(desk: Desk) -> None:
    sink = desk.sink()
    text = to_text(receipt_to_json(receipt(2)))
    put(desk.sink(), KEY, 1)
    with pytest.raises(Changed):
        sink.store.save(KEY, text, secret(2), "")
    assert desk.held()["value"] == plain(1)
    stamp = sink.store.fetch(KEY).stamp
    desk.gitlab.variables[PROJECT].clear()
    for value in (secret(2), None):
        with pytest.raises(Changed):
            sink.store.save(KEY, text, value, stamp)
    sink.store.erase(KEY, stamp)  # what is gone is gone
    assert desk.gitlab.variables[PROJECT] == []


def test_a_removal_that_may_not_be_is_refused(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    with (
        desk.relay.troubled(Trouble("DELETE", KEY, (404, b'{"message": "404 Project Not Found"}'))),
        pytest.raises(SinkRefused),
    ):
        desk.sink().delete(KEY, receipt(1).token.id)


@pytest.mark.parametrize("key", ["NETBIRD_TOKENS_SET_PLATFORM", "A-B", "1ST"])
def test_a_key_that_would_be_something_else_is_refused(desk: Desk, key: str) -> None:
    with pytest.raises(SinkRefused, match="does not fit"):
        desk.sink().put(key, secret(1), receipt(1), ABSENT)
    assert desk.relay.asked == []


def test_letters_are_told_apart(desk: Desk) -> None:
    put(desk.sink(), "nb_pat", 1)
    put(desk.sink(), KEY, 2)
    assert desk.sink().inventory([]).entries.keys() == {"nb_pat", KEY}


def test_a_job_of_gitlab_knows_its_server(desk: Desk) -> None:
    desk.env["CI_SERVER_URL"] = desk.relay.url
    around = Surroundings(desk.home, desk.env, allow_http=False)
    sink = sink_type("gitlab").build({**DEFAULTS, "project": "acme/infra"}, around)
    put(sink, KEY, 1)
    assert desk.held()["value"] == plain(1)


OWN = "https://gitlab.example"


@pytest.mark.parametrize(
    ("url", "named", "is_sent"),
    [
        (None, {}, True),
        (OWN, {}, False),
        ("https://gitlab.com.example", {}, False),
        (OWN, {"CI_SERVER_URL": OWN}, True),
        (f"{OWN}:443/", {"CI_API_V4_URL": f"{OWN}/api/v4"}, True),
        (f"{OWN}:8443", {"CI_SERVER_URL": OWN}, False),
        (OWN, {"GITLAB_HOST": "gitlab.example"}, True),
        (OWN, {"GITLAB_HOST": "other.example", "CI_SERVER_URL": OWN}, False),
        ("https://gitlab.com", {"CI_SERVER_URL": OWN}, False),
    ],
)
def test_a_token_goes_to_the_server_that_it_is_meant_for(
    tmp_path: Path, url: str | None, named: dict[str, str], is_sent: bool
) -> None:
    """As `glab` has it; what is meant for another server is for `token_env` to say."""
    env = {**named, "GITLAB_TOKEN": "glpat-x", "MINE": "glpat-y"}
    options = {**DEFAULTS, "project": "acme/infra", **({"url": url} if url else {})}
    around = Surroundings(tmp_path, env, allow_http=False)
    sink: Any = sink_type("gitlab").build(options, around)
    for rest in (sink.store.writes, sink.store.reader._rest):
        assert isinstance(rest.auth, Missing) is not is_sent
    if not is_sent:
        with pytest.raises(SinkUnread, match=r"GITLAB_TOKEN is for .* and not sent to gitlab"):
            sink.inventory([])
    other: Any = sink_type("gitlab").build({**options, "token_env": "MINE"}, around)
    assert not isinstance(other.store.writes.auth, Missing)


def write_by_hand(desk: Desk) -> None:
    desk.held().update(description="of people", value="by-hand")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "amend"])
def test_after_a_wait_it_is_looked_again_before_anything_is_written(desk: Desk, method: str) -> None:
    """While we wait for the end of a limit, somebody else stores a value there."""
    sink = desk.sink()
    put(sink, KEY, 1)
    held = sink.read(KEY)
    assert isinstance(held, Stored)
    limit = Said(429, {"message": "slow down"}, {"Retry-After": "7"})
    answered = desk.gitlab.handle

    def handle(request: Request) -> Said:
        if request.method == "GET" or desk.naps:
            return answered(request)
        write_by_hand(desk)
        return limit

    acts = {
        "DELETE": lambda: sink.delete(KEY, receipt(1).token.id),
        "PUT": lambda: sink.put(KEY, secret(2), receipt(2), held.version),
        "amend": lambda: sink.amend(KEY, receipt(1, protect=False), held.version),
    }
    with serving(handle) as desk.relay.upstream, pytest.raises(Changed):
        acts[method]()
    assert desk.naps == [7.5]
    assert (desk.held()["value"], desk.held()["description"]) == ("by-hand", "of people")


def test_the_credential_is_in_no_log_and_no_repr(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    sink = desk.sink()
    put(sink, KEY, 1)
    desk.may(Token(scope="read_api"))
    with pytest.raises(SinkRefused) as refused:
        desk.sink().preflight(KEY)
    said = f"{caplog.text} {sink!r} {vars(refused.value)}"
    assert "/variables" in said
    assert [token for token in desk.gitlab.tokens if token in said] == []


def test_times_beyond_the_calendar_are_garbled() -> None:
    late = replace(receipt(1), expires_at=receipt(1).created_at + timedelta(days=365))
    text = compact(to_text(receipt_to_json(late)), ROOM)
    far = text.replace(str(365 * 86400 * 10**6), str(10**18))
    assert far != text
    assert expanded(far) == far
