"""JSON to types: what is accepted, what is refused, and that nothing but BadAnswer comes out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from callers import BOT, CREATED, MINTED, TOKEN
from hypothesis import given
from hypothesis import strategies as st

from reconciler.api import wire
from reconciler.errors import BadAnswer
from reconciler.http.outcome import Json, Text, content_of

USER = {"id": "u", "name": "", "role": "admin", "is_service_user": True, "is_current": False}
EVENT = {
    "activity_code": "personal.access.token.create", "initiator_id": "us", "initiator_name": "",
    "initiator_email": "", "target_id": "bot", "timestamp": "2026-03-01T12:00:00Z",
}  # fmt: skip
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*TOKEN, *USER, *CREATED, "meta", "last_used"]), inner, max_size=6
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("raw", [None, []])
def test_an_empty_list_may_be_null(raw: object) -> None:
    assert wire.users(raw) == wire.tokens(raw, BOT) == wire.events(raw) == ()


# Times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T12:00:00Z", NOON),
        ("2026-03-01T12:00:00.1Z", NOON + timedelta(microseconds=100_000)),
        ("2026-03-01T12:00:00.123456789Z", NOON + timedelta(microseconds=123_456)),
        ("2026-03-01T13:00:00.5+01:00", NOON + timedelta(microseconds=500_000)),
        ("2026-11-23T23:12:59.263133916+01:00", datetime(2026, 11, 23, 22, 12, 59, 263133, UTC)),
        ("2026-01-01T00:00:00.000000999-04:56", datetime(2026, 1, 1, 4, 56, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", wire.NEVER),
        ("0001-01-01T00:53:28+00:53", wire.NEVER),
        ("0000-12-31T19:03:58-04:56", wire.NEVER),
    ],
)
def test_gos_timestamps(text: str, expected: datetime) -> None:
    token = wire.token({**TOKEN, "expiration_date": text}, BOT)
    assert token.expires_at == expected
    assert token.expires_at.tzinfo is UTC


@given(
    moment=st.datetimes(datetime(2, 1, 2), datetime(9998, 1, 1)),  # noqa: DTZ001 - st wants naive bounds
    offset=st.integers(-14 * 60, 14 * 60),
    digits=st.integers(0, 9),
    nanos=st.integers(0, 999),
)
def test_every_timestamp_that_go_writes_is_read_to_the_microsecond(
    moment: datetime, offset: int, digits: int, nanos: int
) -> None:
    fraction = f"{moment.microsecond:06}{nanos:03}"[:digits].rstrip("0")
    sign, minutes = "-" if offset < 0 else "+", abs(offset)
    zone = f"{sign}{minutes // 60:02}:{minutes % 60:02}" if offset else "Z"
    whole = moment.replace(microsecond=0).isoformat()
    text = f"{whole}{'.' + fraction if fraction else ''}{zone}"
    expected = moment.replace(microsecond=int(fraction[:6].ljust(6, "0")), tzinfo=UTC)
    read = wire.token({**TOKEN, "expiration_date": text}, BOT).expires_at
    assert read == expected - timedelta(minutes=offset)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-03-01", "2026-03-01 12:00:00Z", "2026-03-01T12:00:00", "2026-W09-1T12:00:00Z",
     "2026-02-30T12:00:00Z", "2026-03-01T25:00:00Z", "2026-03-01T12:00:00,5Z", "9999-12-31T23:00:00-05:00",
     "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00.1234567890Z", "٢٠٢٦-03-01T12:00:00Z"],
)  # fmt: skip
def test_other_timestamps_are_refused(text: str) -> None:
    with pytest.raises(BadAnswer, match=r"token\.created_at"):
        wire.token({**TOKEN, "created_at": text}, BOT)


def test_a_token_that_expired_in_year_1_never_works() -> None:
    token = wire.token({**TOKEN, "expiration_date": "0001-01-01T00:00:00Z"}, BOT)
    assert not token.works(NOON - timedelta(days=700_000))


@pytest.mark.parametrize(
    "missing", [{}, {"last_used": None}, {"last_used": "0001-01-01T00:00:00Z"}]
)
def test_a_token_that_was_never_used(missing: dict[str, str]) -> None:
    assert wire.token({**TOKEN, **missing}, BOT).last_used is None


@pytest.mark.parametrize("text", ["", "yesterday", "Sun, 01 Mar 2026 12:00:00 -0000", "1 2 3 4 5",
                                  "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -1200",
                                  "Thu, 01 Jan 1970 00:00:00 GMT"])  # fmt: skip
def test_a_date_header_that_is_no_instant_or_none_that_a_server_has(text: str) -> None:
    with pytest.raises(BadAnswer, match="Date") as odd:
        wire.http_date(text)
    assert odd.value.hint


@pytest.mark.parametrize("id_", ["", "a b", "\x1b[2J", "a/b", "..", "x" * 65, "d1k2m3n4o5p6q7r8s9t0\n", "ä"])
def test_an_id_that_no_server_gives_a_token(id_: str) -> None:
    with pytest.raises(BadAnswer, match=r"token\.id is a string, not the id of a token"):
        wire.token({**TOKEN, "id": id_}, BOT)
    assert wire.minted_id({"personal_access_token": {"id": id_}}) is None


# Objects


def test_unknown_fields_are_ignored_and_blocked_may_be_missing() -> None:
    plain, blocked = wire.users([{**USER, "new": {}}, {**USER, "is_blocked": True}])
    assert (plain.is_blocked, blocked.is_blocked) == (False, True)


@pytest.mark.parametrize(("meta", "name"), [({"meta": {"name": "x"}}, "x"), ({"meta": {}}, ""), ({}, "")])
def test_an_event_need_not_have_a_name(meta: dict[str, object], name: str) -> None:
    (event,) = wire.events([{**EVENT, **meta}])
    assert (event.name, event.target_id, event.timestamp) == (name, BOT, NOON)


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        ({}, "users is an object, not a list"),
        ("text", "users is a string, not a list"),
        ([USER, None], r"users\[1\] is missing or null, not an object"),
        ([{}], r"users\[0\].id is missing or null, not a string"),
        ([{**USER, "role": None}], r"users\[0\].role is missing or null, not a string"),
        ([{**USER, "is_current": 1}], r"users\[0\].is_current is a number, not true or false"),
        ([{**USER, "is_blocked": None}], r"users\[0\].is_blocked is missing or null"),
        ([{**USER, "name": "\ud800"}], r"users\[0\].name is a string, not one of valid Unicode"),
    ],
)
def test_the_message_says_where_and_what(raw: object, where: str) -> None:
    with pytest.raises(BadAnswer, match=where) as caught:
        wire.users(raw)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ({"personal_access_token": TOKEN, "plain_token": MINTED[:-1]}, "tok1"),
        ({"personal_access_token": {"id": "tok1"}, "plain_token": MINTED}, "tok1"),
        ({"plain_token": MINTED}, None),
        ([MINTED], None),
    ],
)
def test_an_odd_answer_to_a_create_never_tells_the_secret(raw: object, found: str | None) -> None:
    with pytest.raises(BadAnswer) as caught:
        wire.minted(raw, BOT)
    assert "nbp_" not in str(caught.value) + caught.value.hint
    assert wire.minted_id(raw) == found


@given(raw=JSONS)
def test_any_json_is_read_or_refused(raw: object) -> None:
    for read in (
        wire.users, wire.events, lambda raw: wire.tokens(raw, BOT), lambda raw: wire.token(raw, BOT),
        lambda raw: wire.minted(raw, BOT),
    ):  # fmt: skip
        try:
            read(raw)
        except BadAnswer as error:
            assert error.message  # noqa: PT017 - any other exception is the failure


# Bodies


@given(body=st.binary() | st.text().map(str.encode) | JSONS.map(lambda j: json.dumps(j).encode()))
def test_any_body_is_json_or_text(body: bytes) -> None:
    assert isinstance(content_of(body, "application/json"), Json | Text)


@pytest.mark.parametrize(
    "body", [b"[" * 200_000, b"1" * 5000, b'\xef\xbb\xbf{"a":1}', "{}".encode("utf-16"), b"\xff"]
)
def test_bodies_that_upset_a_parser_are_text(body: bytes) -> None:
    assert isinstance(content_of(body, ""), Text)
