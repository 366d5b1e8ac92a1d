"""What is particular to AWS: versions and labels, descriptions, and what each error means."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from email.message import Message
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aws_stores import (
    KINDS,
    AwsStore,
    Parameters,
    Secrets,
    refusal,
    store_at,
)
from boxes import REGISTRATION
from fakes.aws import ENV
from fakes.relay import Passed, Relay, Trouble

from reconciler.core.receipts import ABSENT, Absent, Damaged, TokenRef, version_of
from reconciler.core.tokens import TokenId, Unread, UserId
from reconciler.errors import (
    SinkError,
    SinkRefused,
    SinkUnread,
    SinkUnsure,
    UsageError,
)
from reconciler.sinks import sink_type
from reconciler.sinks.aws.ssm import ROOM
from reconciler.sinks.compact import compact
from reconciler.sinks.receipt_text import receipt_to_json, to_text
from reconciler.sinks.records import Changed, RecordSink
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, put, receipt, secret
from reconciler.testing.contents import stored
from reconciler.testing.interleaving import at_once


@pytest.fixture
def secrets(aws_relay: Relay) -> Any:
    return store_at(aws_relay, Secrets)


@pytest.fixture
def parameters(aws_relay: Relay) -> Any:
    return store_at(aws_relay, Parameters)


def text_of(number: int) -> str:
    return to_text(receipt_to_json(receipt(number)))


def labels(secrets: Any, key: str) -> list[list[str]]:
    versions = secrets.api.describe_secret(SecretId=secrets.name(key))["VersionIdsToStages"]
    return sorted(sorted(each) for each in versions.values() if each)


# Secrets Manager


def test_a_version_is_current_only_over_the_one_that_was_seen(secrets: Any) -> None:
    store, key = secrets.sink().store, secrets.key(1)
    put(secrets.sink(), key, 1)
    seen = store.fetch(key).stamp
    put(secrets.sink(), key, 2)
    with pytest.raises(Changed):
        store.save(key, text_of(3), secret(3), seen)
    with pytest.raises(Changed):
        store.erase(key, seen)
    assert secrets.value(key) == plain(2)


def test_the_same_content_is_one_version(secrets: Any) -> None:
    key = secrets.key(1)
    put(secrets.sink(), key, 1)
    put(secrets.sink(), key, 1)
    put(secrets.sink(), key, 2)
    secrets.sink().put(key, secret(2), receipt(2), ABSENT)
    assert labels(secrets, key) == [["AWSCURRENT", "AWSPENDING"], ["AWSPREVIOUS"]]


def test_a_secret_without_a_value_is_filled_by_one(secrets: Any) -> None:
    """Such as Terraform makes, with a key and a policy of its own."""
    secrets.api.create_secret(Name=secrets.name(secrets.key(1)), Description="theirs")
    sink, key = secrets.sink(), secrets.key(1)
    assert isinstance(sink.read(key), Absent)
    assert isinstance(sink.inventory([key]).at(key), Absent)
    sink.preflight(key)
    outcomes = at_once([partial(put, secrets.sink(), key, n, ABSENT) for n in (2, 3)])
    assert [type(error) for error in outcomes if error] == [Changed]
    assert secrets.value(key) == plain(stored(sink, key).rotation)
    assert secrets.api.describe_secret(SecretId=secrets.name(key))["Description"] == "theirs"


@pytest.mark.parametrize("blind", [False, True])
def test_a_first_value_is_never_called_refused_when_it_may_be_current(secrets: Any, *, blind: bool) -> None:
    key = secrets.key(1)
    secrets.api.create_secret(Name=secrets.name(key))
    bare = (200, b'{"VersionId": "5f1b8d0e-6d53-5c5b-9c7a-0d6f4f3f2a11"}')
    hidden = refusal("ResourceNotFoundException")
    with secrets.trouble("PutSecretValue", answer=bare, after=True):
        if not blind:
            put(secrets.sink(), key, 1, ABSENT)
        else:
            with secrets.trouble("GetSecretValue", answer=hidden), pytest.raises(SinkUnsure):
                put(secrets.sink(), key, 1, ABSENT)
    assert secrets.value(key) == plain(1)


def test_other_fields_of_a_secret_are_left_alone(secrets: Any) -> None:
    sink, key = secrets.sink(), secrets.key(1)
    put(sink, key, 1)
    held = secrets.api.get_secret_value(SecretId=secrets.name(key))["SecretString"]
    more = json.dumps({**json.loads(held), "url": "https://netbird.example"})
    secrets.api.put_secret_value(SecretId=secrets.name(key), SecretString=more)
    put(sink, key, 2)
    assert sink.delete(key, receipt(2).token.id)
    left = secrets.api.get_secret_value(SecretId=secrets.name(key), VersionStage="AWSCURRENT")
    assert json.loads(left["SecretString"]) == {"url": "https://netbird.example"}


def test_a_late_removal_does_not_touch_what_has_the_same_name_now(secrets: Any) -> None:
    store, key = secrets.sink().store, secrets.key(1)
    put(secrets.sink(), key, 1)
    earlier = store.reader.current(key)
    secrets.api.delete_secret(SecretId=secrets.name(key), ForceDeleteWithoutRecovery=True)
    put(secrets.sink(), key, 2)
    store._delete(earlier)
    assert secrets.value(key) == plain(2)


def written_by_another_run(secrets: Any, key: str) -> None:
    put(secrets.sink(), key, 2)


def written_by_people(secrets: Any, key: str) -> None:
    text = json.dumps({"token": plain(2)})
    secrets.api.put_secret_value(SecretId=secrets.name(key), SecretString=text)


@pytest.mark.parametrize("write", [written_by_another_run, written_by_people])
def test_what_is_written_between_look_and_delete_is_not_lost(
    secrets: Any, write: Callable[[Any, str], None]
) -> None:
    """AWS deletes on no condition: what came meanwhile is brought back at once."""
    key = secrets.key(1)
    put(secrets.sink(), key, 1)
    store = secrets.sink().store
    with interrupted(secrets, "DeleteSecret", lambda: write(secrets, key)):
        assert RecordSink(store).delete(key, receipt(1).token.id)
    assert secrets.value(key) == plain(2)
    assert "DeletedDate" not in secrets.api.describe_secret(SecretId=secrets.name(key))


@pytest.mark.parametrize("write", [written_by_another_run, written_by_people])
def test_what_is_written_just_before_a_run_dies_can_be_brought_back(
    secrets: Any, write: Callable[[Any, str], None]
) -> None:
    """Between the delete and the look after it; a week is left, and nobody calls the place empty."""
    sink, key = secrets.sink(), secrets.key(1)
    put(sink, key, 1)
    with (
        interrupted(secrets, "DeleteSecret", lambda: write(secrets, key)),
        secrets.trouble("DescribeSecret"),
        pytest.raises(SinkUnsure, match="the token was removed"),
    ):
        sink.delete(key, receipt(1).token.id)
    with pytest.raises(SinkUnread, match="marked for deletion") as unread:
        secrets.sink().read(key)
    assert "restore-secret" in unread.value.hint
    secrets.api.restore_secret(SecretId=secrets.name(key))
    assert secrets.value(key) == plain(2)


@contextmanager
def interrupted(secrets: Any, operation: str, act: Callable[[], object]) -> Iterator[None]:
    """Somebody acts just before one operation of the sink reaches AWS."""
    relay, plainly = secrets.relay, secrets.relay.passed_on

    def passed_on(method: str, path: str, headers: Message, body: bytes) -> Passed:
        if headers["X-Amz-Target"].endswith(f".{operation}"):
            relay.passed_on = plainly
            act()
        return plainly(method, path, headers, body)

    relay.passed_on = passed_on
    yield
    relay.passed_on = plainly


def test_a_place_that_was_emptied_takes_the_next_token(secrets: Any) -> None:
    sink, key = secrets.sink(), secrets.key(1)
    for number in (1, 2, 3):
        put(sink, key, number)
        assert secrets.value(key) == plain(number)
        assert sink.delete(key, receipt(number).token.id)
        assert secrets.value(key) is None
        assert "DeletedDate" in secrets.api.describe_secret(SecretId=secrets.name(key))
        assert isinstance(sink.read(key), Absent)
        assert sink.inventory([key]).entries == {}
        if number == 2:
            sink.preflight(key)


def test_a_place_that_is_brought_back_while_it_is_read_is_read_again(secrets: Any) -> None:
    sink, key = secrets.sink(), secrets.key(1)
    put(sink, key, 1)
    assert sink.delete(key, receipt(1).token.id)
    back = partial(secrets.api.restore_secret, SecretId=secrets.name(key))
    with interrupted(secrets, "DescribeSecret", back):
        assert isinstance(sink.read(key), Absent)


def test_a_place_that_cannot_be_brought_back_was_not_written(secrets: Any) -> None:
    sink, key = secrets.sink(), secrets.key(1)
    put(sink, key, 1)
    assert sink.delete(key, receipt(1).token.id)
    denied = refusal("AccessDeniedException", "not authorized to perform RestoreSecret")
    for answer in ("drop", denied):
        with secrets.trouble("RestoreSecret", answer=answer):
            for act in (lambda: sink.preflight(key), lambda: put(sink, key, 2)):
                with pytest.raises(SinkRefused):
                    act()
    assert secrets.value(key) is None
    put(sink, key, 2)
    assert secrets.value(key) == plain(2)


def test_of_two_runs_at_a_place_that_was_emptied_one_is_refused(secrets: Any) -> None:
    sink, key = secrets.sink(), secrets.key(1)
    put(sink, key, 1)
    assert sink.delete(key, receipt(1).token.id)
    outcomes = at_once([partial(put, secrets.sink(), key, n, ABSENT) for n in (2, 3)])
    assert [type(error) for error in outcomes if error] == [Changed]
    assert secrets.value(key) == plain(stored(sink, key).rotation)


def test_a_removal_that_is_cut_short_leaves_no_token_and_no_obstacle(secrets: Any) -> None:
    sink, key = secrets.sink(), secrets.key(1)
    put(sink, key, 1)
    denied = refusal("AccessDeniedException", "not authorized to perform DeleteSecret")
    with secrets.trouble("DeleteSecret", answer=denied), pytest.raises(SinkUnsure, match="DeleteSecret"):
        sink.delete(key, receipt(1).token.id)  # no refusal: the token is gone
    assert secrets.value(key) is None
    assert isinstance(sink.read(key), Absent)
    assert sink.inventory([]).entries == {}
    sink.preflight(key)
    put(sink, key, 2)
    assert secrets.value(key) == plain(2)


def test_a_secret_that_people_are_about_to_delete_is_not_called_absent(secrets: Any) -> None:
    sink, key = secrets.sink(), secrets.key(1)
    put(sink, key, 1)
    secrets.api.delete_secret(SecretId=secrets.name(key))
    with pytest.raises(SinkUnread, match="marked for deletion"):
        sink.read(key)
    assert isinstance(sink.inventory([key]).at(key), Unread)
    with pytest.raises(SinkRefused, match="scheduled for deletion") as caught:
        sink.preflight(key)
    assert "restore-secret" in caught.value.hint
    secrets.api.restore_secret(SecretId=secrets.name(key))
    assert stored(sink, key) == receipt(1)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"'])
def test_registrations_that_cannot_be_read_are_not_written_over(secrets: Any, text: str) -> None:
    name = secrets.name(".registrations")
    content = {"SecretString": text} if text else {"SecretBinary": b"\xff"}
    secrets.api.create_secret(Name=name, **content)
    with pytest.raises(SinkRefused, match="cannot be read") as refused:
        secrets.sink().register(REGISTRATION)
    assert "mend it by hand" in refused.value.hint
    assert secrets.api.get_secret_value(SecretId=name).get("SecretString", "") == text


def test_a_secret_that_aws_rotates_is_refused(secrets: Any) -> None:
    sink, key = secrets.sink(), secrets.key(1)
    put(sink, key, 1)
    about = {**secrets.api.describe_secret(SecretId=secrets.name(key)), "RotationEnabled": True}
    answer = (200, json.dumps(about, default=lambda moment: moment.timestamp()).encode())
    with secrets.trouble("DescribeSecret", answer=answer), pytest.raises(SinkRefused, match="is rotated"):
        sink.preflight(key)


def test_a_value_that_is_no_text_is_somebody_elses(secrets: Any) -> None:
    sink, key = secrets.sink(), secrets.key(1)
    secrets.api.create_secret(Name=secrets.name(key), SecretBinary=b"\xff\0")
    assert isinstance(sink.read(key), Damaged)
    with pytest.raises(SinkRefused):
        put(sink, key, 1, ABSENT)
    sink.preflight(key)


def test_a_preflight_changes_no_label(secrets: Any) -> None:
    put(secrets.sink(), secrets.key(1), 1)
    put(secrets.sink(), secrets.key(1), 2)
    before = labels(secrets, secrets.key(1))
    secrets.sink().preflight(secrets.key(1))
    assert labels(secrets, secrets.key(1)) == before


def test_a_list_that_lags_hides_nothing_that_an_entry_names(secrets: Any) -> None:
    """AWS: a list might not reflect changes from the last five minutes."""
    sink, key = secrets.sink(), secrets.key(1)
    put(sink, key, 1)
    with secrets.trouble("ListSecrets", answer=(200, b'{"SecretList": []}')):
        found = sink.inventory([key, secrets.key(2)])
    assert set(found.entries) == {key}


# Parameter Store


def test_a_description_that_lags_is_not_believed(parameters: Any) -> None:
    sink, key = parameters.sink(), parameters.key(1)
    put(sink, key, 1)
    stale = parameters.api.describe_parameters()["Parameters"]
    put(sink, key, 2)
    answers: list[Any] = [{"Parameters": []}, {"Parameters": stale}]
    for answer in answers:
        body = json.dumps(answer, default=lambda moment: moment.timestamp()).encode()
        with parameters.trouble("DescribeParameters", answer=(200, body)):
            assert stored(sink, key) == receipt(2)
            assert sink.inventory([key]).at(key) == sink.read(key)


@pytest.mark.parametrize("dies", [False, True])
def test_to_amend_a_receipt_brings_back_no_value(parameters: Any, *, dies: bool) -> None:
    """What stood there before may be a token that another run, which stores its own now, is to revoke."""
    sink, key = parameters.sink(), parameters.key(1)
    put(sink, key, 1)
    version = version_of(sink.read(key))

    def another_run() -> None:
        theirs = {"Value": plain(2), "Description": compact(text_of(2), ROOM)}
        name = parameters.name(key)
        parameters.api.put_parameter(Name=name, Type="SecureString", Overwrite=True, **theirs)

    with (
        interrupted(parameters, "PutParameter", another_run),
        parameters.trouble("PutParameter", after=True) if dies else nullcontext(),
        pytest.raises(SinkUnsure) if dies else nullcontext(),
    ):
        sink.amend(key, receipt(1, protect=False), version)
    assert parameters.value(key) == plain(2)
    assert stored(parameters.sink(), key) == receipt(2)
    assert parameters.sink().inventory([key]).at(key) == parameters.sink().read(key)


def test_an_amended_receipt_is_of_one_state_of_its_parameter(parameters: Any) -> None:
    sink, key = parameters.sink(), parameters.key(1)
    for number in (1, 2):
        put(sink, key, number)
        assert stored(sink, key) == receipt(number)
        for undeployed in (True, False):
            before = sink.read(key)
            changed = receipt(number, undeployed=undeployed, protect=not undeployed)
            sink.amend(key, changed, version_of(before))
            assert stored(sink, key) == changed
            assert version_of(sink.read(key)) != version_of(before)
            assert sink.inventory([]).at(key) == sink.inventory([key]).at(key) == sink.read(key)
    assert sink.delete(key, receipt(2).token.id)
    assert parameters.api.describe_parameters()["Parameters"] == []
    put(sink, key, 1)
    assert stored(sink, key) == receipt(1)


def test_an_amendment_that_may_not_be_read_leaves_its_place_unread(parameters: Any) -> None:
    sink, key = parameters.sink(), parameters.key(1)
    put(sink, key, 1)
    sink.amend(key, receipt(1, protect=False), version_of(sink.read(key)))
    found = parameters.api.get_parameters(Names=[parameters.name(key)], WithDecryption=True)
    body = json.dumps({**found, "InvalidParameters": []}, default=lambda moment: moment.timestamp()).encode()
    denied = refusal("AccessDeniedException", "not authorized")
    with (
        parameters.trouble("GetParameters", answer=(200, body)),
        parameters.relay.troubled(Trouble("POST", ".GetParameter", denied)),
    ):
        assert isinstance(sink.inventory([key]).at(key), Unread)


@pytest.mark.parametrize("operation", ["PutParameter", "DeleteParameter"])
def test_after_a_wait_it_is_looked_again_before_anything_is_written(
    parameters: Any, operation: str
) -> None:
    """AWS was too busy; then somebody else stores a token there."""
    sink, key = parameters.sink(), parameters.key(1)
    put(sink, key, 1)
    version = version_of(sink.read(key))
    busy = Trouble("POST", f".{operation}", refusal("ThrottlingException", "Rate exceeded"))

    def at_last() -> None:
        parameters.relay.troubles.remove(busy)
        put(parameters.sink(), key, 2)

    acts = {
        "PutParameter": lambda: sink.put(key, secret(3), receipt(3), version),
        "DeleteParameter": lambda: sink.delete(key, receipt(1).token.id),
    }
    parameters.relay.troubles.append(busy)
    with after_a_pause(at_last), pytest.raises(Changed):
        acts[operation]()
    assert parameters.value(key) == plain(2)


@contextmanager
def after_a_pause(act: Callable[[], object]) -> Iterator[None]:
    """Somebody acts while the sink waits before its second try."""
    with pytest.MonkeyPatch.context() as patch:
        acts = iter([act])
        patch.setattr("reconciler.sinks.aws.calls.time.sleep", lambda _: next(acts, int)())
        yield


def test_what_changed_since_it_was_seen_is_not_deleted(parameters: Any) -> None:
    store, key = parameters.sink().store, parameters.key(1)
    put(parameters.sink(), key, 1)
    seen = store.fetch(key).stamp
    put(parameters.sink(), key, 2)
    with pytest.raises(Changed):
        store.erase(key, seen)
    assert parameters.value(key) == plain(2)


def test_a_receipt_with_a_long_past_fits_into_a_description(parameters: Any) -> None:
    before = tuple(TokenRef(UserId("auth0|ci-bot"), TokenId(f"{n:020d}")) for n in range(30))
    whole = receipt(1, predecessors=before)
    parameters.sink().put(parameters.key(1), secret(1), whole, ABSENT)
    assert stored(parameters.sink(), parameters.key(1)) == whole
    assert parameters.api.describe_parameters()["Parameters"][0]["Description"].isascii()


def test_a_broken_receipt_is_damage_and_not_absence(parameters: Any) -> None:
    name = parameters.name(parameters.key(1))
    about = {"Type": "SecureString", "Description": "netbird-tokens/1 [1]"}
    parameters.api.put_parameter(Name=name, Value=plain(1), **about)
    assert isinstance(parameters.sink().read(parameters.key(1)), Damaged)


# Both


@pytest.fixture(params=KINDS, ids=lambda kind: kind.TYPE)
def store(request: pytest.FixtureRequest, aws_relay: Relay) -> AwsStore:
    made: AwsStore = store_at(aws_relay, request.param)
    return made


BULK = {
    "aws-secretsmanager": {"ListSecrets": 1, "BatchGetSecretValue": 2, "GetSecretValue": 1},
    "aws-ssm": {"DescribeParameters": 3, "GetParameters": 5},  # moto gives ten a page, AWS fifty
}


def test_a_plan_reads_in_bulk(store: AwsStore) -> None:
    sink = store.sink()
    for number in range(22):
        put(sink, store.key(number), number, ABSENT)
    store.relay.asked.clear()
    found = store.sink().inventory([store.key(n) for n in range(23)])
    assert len(found.entries) == 22
    asked = store.asked()
    assert {name: asked.count(name) for name in set(asked)} == BULK[store.TYPE]


def test_a_plan_cannot_write(store: AwsStore) -> None:
    service = store.sink().store.reader.service  # type: ignore[attr-defined]  # a RecordSink
    for operation in ("put_parameter", "delete_secret", "create_secret", "update_secret"):
        with pytest.raises(ValueError, match="is no read"):
            service.look(operation, {})


def test_one_that_may_not_be_read_hides_no_other(store: AwsStore) -> None:
    """A batch is refused, or says it of one; then each is asked for by itself."""
    sink = store.sink()
    put(sink, store.key(1), 1)
    denied = refusal("AccessDeniedException", "not authorized")
    if store.TYPE == "aws-secretsmanager":
        error = {"SecretId": f"{store.folder}/{store.key(1)}", "ErrorCode": "AccessDeniedException"}
        denied = (200, json.dumps({"SecretValues": [], "Errors": [error]}).encode())
    with store.trouble("GetParameters", "BatchGetSecretValue", answer=denied):
        assert sink.inventory([store.key(1), store.key(2)]).at(store.key(1)) == sink.read(store.key(1))


ERRORS: list[tuple[Any, type[SinkError], str]] = [
    (refusal("AccessDeniedException", "no"), SinkRefused, "AccessDeniedException: no"),
    (refusal("ExpiredTokenException"), SinkRefused, "ExpiredTokenException"),
    (refusal("ThrottlingException", "Rate exceeded"), SinkRefused, "Rate exceeded"),
    (refusal("TooManyUpdates"), SinkRefused, "TooManyUpdates"),
    (refusal("ValidationException", f"Value {plain(1)} is bad"), SinkRefused, "Value nbp_"),
    (refusal("LimitExceededException"), SinkRefused, "LimitExceededException"),
    (refusal("RequestTimeout", status=408), SinkUnsure, "may or may not"),
    (refusal("InternalServiceError", status=500), SinkUnsure, "may or may not"),
    (refusal("ServiceUnavailable", status=503), SinkUnsure, "may or may not"),
    ((200, b"<html>"), SinkUnsure, "is not AWS"),
    ((200, b'{"Parameters": [{"Na'), SinkUnsure, "broke off"),
    ((302, b""), SinkUnsure, "may or may not"),
    ("drop", SinkUnsure, "closed"),
]


@pytest.mark.parametrize(("answer", "kind", "told"), ERRORS)
def test_what_an_error_says_of_a_write(
    parameters: Any, answer: Any, kind: type[SinkError], told: str
) -> None:
    sink, key = parameters.sink(), parameters.key(1)
    with parameters.trouble("PutParameter", answer=answer), pytest.raises(kind, match=told) as caught:
        put(sink, key, 1)
    assert type(caught.value) is kind
    assert plain(1) not in str(caught.value)
    assert parameters.value(key) is None


@pytest.mark.parametrize(("answer", "kind", "_"), ERRORS)
def test_no_error_of_a_read_says_that_nothing_is_there(
    secrets: Any, answer: Any, kind: type[SinkError], _: str
) -> None:
    sink = secrets.sink()
    with secrets.trouble(*secrets.READS, answer=answer):
        for look in (partial(sink.inventory, [secrets.key(1)]), partial(sink.read, secrets.key(1))):
            with pytest.raises(SinkUnread):
                look()


class Stumbling(Relay):
    """Is too busy for the first write."""

    def trouble(self, method: str, path: str, *, after: bool) -> Trouble | None:
        found = super().trouble(method, path, after=after)
        if found is not None:
            self.troubles.clear()
        return found


def test_a_write_that_aws_was_too_busy_for_is_sent_again(aws_relay: Relay) -> None:
    for kind in KINDS:
        with Stumbling(aws_relay.upstream).served() as relay:
            store = store_at(relay, kind)
            busy = refusal("ThrottlingException", "Rate exceeded")
            relay.troubles += [Trouble("POST", f".{each}", busy) for each in store.WRITES]
            put(store.sink(), store.key(1), 1)
            assert store.value(store.key(1)) == plain(1)


def test_where_nobody_listens_nothing_was_written(store: AwsStore) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    store.options["endpoint_url"] = f"http://127.0.0.1:{port}"
    with pytest.raises(SinkRefused, match="refused"):
        store.sink().put(store.key(1), secret(1), receipt(1), ABSENT)


def test_without_credentials_nothing_is_asked(store: AwsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(SinkUnread, match="Unable to locate credentials") as caught:
        store.sink().inventory([])
    assert "credentials" in caught.value.hint
    assert store.relay.asked == []


def built(kind: type[AwsStore], env: dict[str, str] | None = None, **options: object) -> object:
    whole = {"path": "a", **kind.DEFAULTS, **options}
    return sink_type(kind.TYPE).build(whole, Surroundings(Path(), env or {}, allow_http=False))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.TYPE)
def test_an_account_that_the_config_does_not_say(
    kind: type[AwsStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(UsageError, match="has no region"):
        built(kind)
    assert built(kind, {"AWS_REGION": "eu-central-1"})
    with pytest.raises(UsageError, match="nowhere"):
        built(kind, region="eu-central-1", profile="nowhere")
    with pytest.raises(UsageError, match="unencrypted"):
        built(kind, region="eu-central-1", endpoint_url="http://aws.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://aws.example")
    with pytest.raises(UsageError, match="unencrypted"):
        built(kind, region="eu-central-1")


def test_a_field_cannot_hold_both() -> None:
    with pytest.raises(UsageError, match="one field for both"):
        built(Secrets, region="eu-central-1", value_field="a", receipt_field="a")


ROLE = {"role_arn": "arn:aws:iam::123456789012:role/netbird-tokens", "external_id": "netbird"}


@pytest.fixture
def security(aws_relay: Relay, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """The service that gives out roles, behind a relay of its own."""
    with Relay(aws_relay.upstream).served() as relay:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", relay.url)
        yield relay


def test_a_role_is_taken_on_at_the_first_request(store: AwsStore, security: Relay) -> None:
    store.options.update(ROLE)
    sink = store.sink()
    assert security.asked == []
    put(sink, store.key(1), 1)
    sink.preflight(store.key(1))
    assert security.asked == [("POST", "/")]
    assert store.value(store.key(1)) == plain(1)


@pytest.mark.parametrize("status", [403, 500])
def test_a_role_that_is_denied_has_written_nothing(store: AwsStore, security: Relay, status: int) -> None:
    store.options.update(ROLE)
    said = "<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
    body = f"<ErrorResponse>{said}</ErrorResponse>".encode()
    with security.troubled(Trouble("POST", "/", (status, body))):
        with pytest.raises(SinkRefused, match="not you"):
            store.sink().put(store.key(1), secret(1), receipt(1), ABSENT)
        with pytest.raises(SinkUnread, match="not you"):
            store.sink().inventory([])
    assert store.relay.asked == []


def test_new_secrets_have_the_key_and_the_tags_of_the_config(store: AwsStore) -> None:
    store.options.update(kms_key="alias/netbird", tags={"team": "platform"})
    sink = store.sink()
    sink.preflight(store.key(1))
    put(sink, store.key(1), 1)
    put(sink, store.key(1), 2)
    if store.TYPE == "aws-ssm":
        found = store.api.describe_parameters()["Parameters"][0]
        tags = store.api.list_tags_for_resource(ResourceType="Parameter", ResourceId=found["Name"])["TagList"]
        key = found["KeyId"]
    else:
        about = store.api.describe_secret(SecretId=f"{store.folder}/{store.key(1)}")
        tags, key = about["Tags"], about["KmsKeyId"]
    assert (tags, key) == ([{"Key": "team", "Value": "platform"}], "alias/netbird")


def test_what_is_left_of_a_secret_of_others_has_a_version_that_tells_nothing_of_it(secrets: Any) -> None:
    """Whoever may list versions and not read them could try weak passwords against a name made of them."""
    sink, name, left = secrets.sink(), secrets.name(secrets.key(1)), []
    for number in (1, 2):
        found = sink.read(secrets.key(1))
        put(sink, secrets.key(1), number, version_of(found))
        held = secrets.api.get_secret_value(SecretId=name)["SecretString"]
        more = json.dumps({**json.loads(held), "password": "hunter2"})
        secrets.api.put_secret_value(SecretId=name, SecretString=more)
        assert sink.delete(secrets.key(1), receipt(number).token.id)
        left.append(secrets.api.get_secret_value(SecretId=name)["VersionId"])
    assert left[0] != left[1]
