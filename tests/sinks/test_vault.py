"""What is particular to Vault: versions, old ones, mounts, namespaces, rights, and answers of other kinds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import hvac
import pytest
from boxes import REGISTRATION
from fakes.relay import Relay, Trouble
from fakes.vault import ROOT, Policy, Vault
from fakes.vault_kv import Mount
from hvac.exceptions import InvalidPath, InvalidRequest

from reconciler.core.receipts import ABSENT, Absent, Damaged, Stored
from reconciler.core.tokens import Unread
from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure
from reconciler.http.retry import Pace
from reconciler.sinks import sink_type
from reconciler.sinks.records import Changed, RecordSink
from reconciler.sinks.rest import Rest
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, put, receipt, secret

KEY = "platform/terraform"
DEFAULTS = {
    "mount": "secret",
    "path": "infra/netbird",
    "value_field": "token",
    "receipt_field": "netbird-tokens",
    "old_versions": "destroy",
}
EXAMPLE = (Path(__file__).parents[2] / "examples/sinks/vault.yaml").read_text(encoding="utf-8")
POLICY: Policy = {
    path: set(re.findall(r"\w+", rights))
    for path, rights in re.findall(r'path "(\S+)" *\{ capabilities = \[(.*?)\]', EXAMPLE)
}
"""What the example says is enough."""

DENIED = (403, b'{"errors": ["permission denied"]}')


@dataclass
class Desk:
    """A fake server, a relay before it, and somebody at the same server with hvac."""

    vault: Vault
    relay: Relay
    home: Path
    env: dict[str, str] = field(default_factory=lambda: {"VAULT_TOKEN": ROOT})

    def sink(self, **options: object) -> RecordSink:
        whole = {**DEFAULTS, "address": self.relay.url, **options}
        around = Surroundings(self.home, self.env, allow_http=False)
        made = sink_type("vault").build(whole, around)
        assert isinstance(made, RecordSink)
        return made

    def with_policy(self, policy: Policy) -> None:
        self.env["VAULT_TOKEN"] = self.vault.token(policy)

    @property
    def kv(self) -> Any:
        return hvac.Client(url=self.vault.url, token=ROOT).secrets.kv.v2

    def data(self, version: int | None = None, key: str = KEY) -> dict[str, str] | None:
        try:
            read = self.kv.read_secret_version(
                path=f"infra/netbird/{key}", version=version, raise_on_deleted_version=True
            )
        except InvalidPath:
            return None
        return dict(read["data"]["data"])

    def write(self, data: dict[str, object], key: str = KEY) -> None:
        self.kv.create_or_update_secret(path=f"infra/netbird/{key}", secret=data)

    @property
    def writes(self) -> list[str]:
        return [path for method, path in self.relay.asked if method != "GET"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Nobody waits between two tries."""
    monkeypatch.setattr(
        "reconciler.sinks.vault.Rest", partial(Rest, pace=Pace(sleep=lambda _seconds: None))
    )
    with Vault().served() as vault, Relay(vault.url).served() as relay:
        yield Desk(vault, relay, tmp_path)


def test_a_deleted_key_is_empty_and_can_be_written_again(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    desk.kv.delete_latest_version_of_secret(path=f"infra/netbird/{KEY}")
    assert isinstance(desk.sink().read(KEY), Absent)
    assert dict(desk.sink().inventory([KEY]).entries) == {}
    desk.sink().preflight(KEY)
    desk.sink().put(KEY, secret(2), receipt(2), ABSENT)
    assert (desk.data() or {})["token"] == plain(2)


def test_a_key_that_has_only_metadata_is_empty(desk: Desk) -> None:
    desk.kv.update_metadata(path=f"infra/netbird/{KEY}", max_versions=3)
    assert isinstance(desk.sink().read(KEY), Absent)
    desk.sink().put(KEY, secret(1), receipt(1), ABSENT)
    assert (desk.data() or {})["token"] == plain(1)


def test_what_people_keep_beside_the_token_stays(desk: Desk) -> None:
    sink = desk.sink()
    desk.write({"url": "https://netbird.example"})
    assert isinstance(sink.read(KEY), Absent)
    put(sink, KEY, 1)
    put(sink, KEY, 2)
    held = sink.read(KEY)
    assert isinstance(held, Stored)
    sink.amend(KEY, receipt(2, protect=True), held.version)
    assert (desk.data() or {}).keys() == {"url", "token", "netbird-tokens"}
    assert sink.delete(KEY, receipt(2).token.id)
    assert desk.data() == {"url": "https://netbird.example"}
    assert [n for n in range(1, 5) if "token" in (desk.data(n) or {})] == []


def test_no_old_version_with_a_secret_of_ours_can_be_read(desk: Desk) -> None:
    sink = desk.sink()
    for number in (1, 2, 3):
        put(sink, KEY, number)
    assert [desk.data(n) is None for n in (1, 2, 3)] == [True, True, False]
    desk.kv.undelete_secret_versions(path=f"infra/netbird/{KEY}", versions=[1, 2])
    assert [desk.data(n) for n in (1, 2)] == [None, None]
    assert sink.delete(KEY, receipt(3).token.id)
    assert [desk.data(n) for n in (1, 2, 3)] == [None, None, None]
    put(desk.sink(), KEY, 4)
    assert (desk.data(4) or {})["token"] == plain(4)


def test_old_versions_may_be_kept_from_sight_only(desk: Desk) -> None:
    sink = desk.sink(old_versions="delete")
    sink.preflight(KEY)
    put(sink, KEY, 1)
    put(sink, KEY, 2)
    assert desk.data(1) is None
    desk.kv.undelete_secret_versions(path=f"infra/netbird/{KEY}", versions=[1])
    assert (desk.data(1) or {})["token"] == plain(1)


def test_what_was_taken_over_can_be_brought_back_by_its_owner(desk: Desk) -> None:
    desk.write({"token": "somebody-elses-value"})
    put(desk.sink(), KEY, 1)
    put(desk.sink(), KEY, 2)
    assert desk.data(1) == {"token": "somebody-elses-value"}
    assert desk.data(2) is None


def test_old_versions_that_could_not_be_removed_fail_nothing_and_go_next_time(desk: Desk) -> None:
    sink = desk.sink()
    put(sink, KEY, 1)
    with desk.relay.troubled(Trouble("POST", "/destroy/", (500, b"{}"))):
        put(sink, KEY, 2)
    assert desk.data(1) is not None
    put(sink, KEY, 3)
    assert [desk.data(n) is None for n in (1, 2, 3)] == [True, True, False]


def test_a_removal_does_not_touch_what_was_written_meanwhile(desk: Desk) -> None:
    sink = desk.sink()
    put(sink, KEY, 1)
    desk.write({"token": "newer"})
    with pytest.raises(Changed):
        sink.store.erase(KEY, "1")
    sink.store._remove(KEY, [1])  # type: ignore[attr-defined]  # as if it came in just before
    assert desk.data() == {"token": "newer"}


def test_a_removal_that_fails_is_no_removal(desk: Desk) -> None:
    sink = desk.sink()
    put(sink, KEY, 1)
    with (
        desk.relay.troubled(Trouble("POST", "/destroy/")),
        pytest.raises(SinkUnsure),
    ):
        sink.delete(KEY, receipt(1).token.id)
    assert sink.delete(KEY, receipt(1).token.id)


def tokens_readable(desk: Desk) -> list[int]:
    versions = desk.vault.mounts["", "secret"].keys[f"infra/netbird/{KEY}"].versions
    return [number for number in versions if "token" in (desk.data(number) or {})]


def left_behind(desk: Desk, beside: dict[str, object]) -> RecordSink:
    """A sink with two versions of ours, since the first could not be removed."""
    sink = desk.sink()
    if beside:
        desk.write(beside)
    put(sink, KEY, 1)
    with desk.relay.troubled(Trouble("POST", "/destroy/", DENIED)):
        put(sink, KEY, 2)
    assert len(tokens_readable(desk)) == 2
    return sink


@pytest.mark.parametrize("beside", [{}, {"url": "https://netbird.example"}], ids=["alone", "beside"])
@pytest.mark.parametrize("part", ["/destroy/", "/metadata/", "/data/"])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_removal_that_was_cut_off_is_finished_by_the_next(
    desk: Desk, beside: dict[str, object], part: str, skip: int
) -> None:
    sink = left_behind(desk, beside)
    before = desk.data()
    with desk.relay.troubled(Trouble("", part, DENIED, skip=skip)):
        try:
            sink.delete(KEY, receipt(2).token.id)
        except SinkRefused:
            assert desk.data() == before
        except SinkUnsure:
            assert "netbird-tokens" in (desk.data() or {})
        else:
            assert tokens_readable(desk) == []
            return
    assert sink.delete(KEY, receipt(2).token.id)
    assert tokens_readable(desk) == []
    assert desk.data() == (beside or None)


def test_versions_that_end_by_themselves_are_destroyed_before(desk: Desk) -> None:
    desk.kv.configure(delete_version_after="3600s")
    sink = desk.sink()
    for number in (1, 2, 3):
        put(sink, KEY, number)
    held = desk.vault.mounts["", "secret"].keys[f"infra/netbird/{KEY}"].versions
    assert [held[n].destroyed for n in (1, 2, 3)] == [True, True, False]
    assert sink.delete(KEY, receipt(3).token.id)
    assert held[3].destroyed


def test_a_secret_that_the_server_will_delete_is_told(desk: Desk) -> None:
    put(desk.sink(), "lasting", 1)
    desk.kv.configure(delete_version_after="3600s")
    put(desk.sink(), KEY, 2)
    desk.write({"token": "not ours"}, key="other")
    desk.with_policy({**POLICY, "secret/config": {"deny"}})
    (told,) = desk.sink().inventory([KEY, "other"]).remarks
    assert f"the server will delete what is at {KEY} by itself" in told
    assert "`delete_version_after`" in told
    assert isinstance(desk.sink().read(KEY), Stored)


def test_what_was_deleted_below_a_secret_cannot_be_brought_back(desk: Desk) -> None:
    sink = desk.sink(old_versions="delete")
    put(sink, KEY, 1)
    put(sink, KEY, 2)
    desk.kv.delete_latest_version_of_secret(path=f"infra/netbird/{KEY}")
    put(desk.sink(), KEY, 3)
    desk.kv.undelete_secret_versions(path=f"infra/netbird/{KEY}", versions=[1, 2])
    assert tokens_readable(desk) == [3]


@pytest.mark.parametrize("of", ["mount", "key"])
def test_a_store_that_forgets_by_itself_is_refused(desk: Desk, of: str) -> None:
    if of == "mount":
        desk.kv.configure(delete_version_after="2592000s")
    else:
        desk.kv.update_metadata(path=f"infra/netbird/{KEY}", delete_version_after="2592000s")
    with pytest.raises(SinkRefused, match="720h0m0s after it was written") as refused:
        desk.sink().preflight(KEY)
    assert f"the {of} " in refused.value.message
    assert "delete" in refused.value.hint
    assert desk.data() is None
    desk.with_policy({**POLICY, "secret/config": {"deny"}})  # what cannot be seen is not told
    if of == "mount":
        desk.sink().preflight(KEY)


def test_a_mount_may_ask_for_cas_on_every_write(desk: Desk) -> None:
    desk.vault.mounts["", "secret"].cas_required = True
    sink = desk.sink()
    sink.register(REGISTRATION)
    sink.register(REGISTRATION)
    put(sink, KEY, 1)
    assert dict(sink.inventory([]).registrations) == {REGISTRATION.set: REGISTRATION}


def test_what_is_no_registration_is_neither_read_as_none_nor_written_over(desk: Desk) -> None:
    where = ".registrations/platform"
    desk.kv.create_or_update_secret(path=f"infra/netbird/{where}", secret={"of": "people"})
    with pytest.raises(SinkUnread, match="is no registration"):
        desk.sink().inventory([])
    with pytest.raises(SinkRefused, match="is no registration"):
        desk.sink().register(REGISTRATION)
    assert desk.data(key=where) == {"of": "people"}
    desk.kv.create_or_update_secret(path=f"infra/netbird/{where}", secret={"registration": "", "note": "x"})
    with pytest.raises(SinkUnread):
        desk.sink().inventory([])
    desk.sink().register(REGISTRATION)
    assert desk.sink().inventory([]).registrations == {REGISTRATION.set: REGISTRATION}
    assert (desk.data(key=where) or {})["note"] == "x"


def test_one_folder_has_one_identity_however_it_is_spelled(desk: Desk) -> None:
    def identity(env: dict[str, str] | None = None, **options: object) -> tuple[str, ...]:
        around = Surroundings(desk.home, env or {}, allow_http=False)
        return sink_type("vault").store({**DEFAULTS, **options}, around)

    plainly = identity(address="https://vault.example", namespace="infra/ci")
    assert plainly == identity(address="https://Vault.example:443/", namespace="infra/ci/")
    assert plainly == identity({"BAO_ADDR": "https://vault.example", "VAULT_NAMESPACE": "infra/ci"})
    deep = {"address": "https://vault.example", "namespace": "infra"}
    assert plainly == identity(**deep, mount="ci/secret")
    assert plainly == identity(**deep, mount="ci", path="secret/infra/netbird")
    assert plainly != identity(address="https://vault.example:8200", namespace="infra/ci")
    assert identity() == identity()  # without a server, as a file is checked


def test_a_registration_that_keeps_changing_is_given_up(desk: Desk) -> None:
    told = b'{"errors": ["check-and-set parameter did not match the current version"]}'
    with desk.relay.troubled(Trouble("POST", "/data/", (400, told))), pytest.raises(Changed):
        desk.sink().register(REGISTRATION)
    assert len(desk.writes) == 5


@pytest.mark.parametrize(
    ("mounts", "options", "told", "way_out"),
    [
        ({"kv1": Mount(version=1)}, {"mount": "kv1"}, "version 1", "enable-versioning kv1"),
        ({"secret": Mount()}, {"mount": "secret/deep"}, "part of secret/", "`mount: secret`"),
        ({"pki": Mount(kind="pki")}, {"mount": "pki"}, "of type pki", "name another"),
        ({}, {"mount": "nowhere"}, 'grant access to path "nowhere/"', "policy reach this path"),
        ({"secret": Mount()}, {"namespace": "other"}, "permission denied", "namespace"),
    ],
)
def test_a_mount_of_another_kind_is_refused_before_anything(
    desk: Desk, mounts: dict[str, Mount], options: dict[str, object], told: str, way_out: str
) -> None:
    desk.vault.mounts = {("", name): mount for name, mount in mounts.items()}
    if "namespace" in options:
        desk.env["VAULT_TOKEN"] = desk.vault.token({"*": {"root"}})
    for act in (lambda s: s.inventory([KEY]), lambda s: s.read(KEY)):
        with pytest.raises(SinkUnread, match=re.escape(told)) as unread:
            act(desk.sink(**options))
        assert way_out in unread.value.hint
    writing = (lambda s: s.preflight(KEY), put_blindly, lambda s: s.register(REGISTRATION))
    for act in writing:
        with pytest.raises(SinkRefused, match=re.escape(told)):
            act(desk.sink(**options))
    assert desk.writes == []


def put_blindly(sink: RecordSink) -> None:
    sink.put(KEY, secret(1), receipt(1), ABSENT)


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"<html>no such page</html>"),
        (404, b'{"errors": ["no handler for route"]}'),
        (404, b"{}"),
        (200, b'{"data": null}'),
        (200, b"<html>please sign in</html>"),
        (412, b'{"errors": ["required index state not present"]}'),
        (472, b'{"errors": ["a secondary for disaster recovery"]}'),
        (473, b'{"errors": ["a performance standby"]}'),
        (400, b'{"errors": ["Upgrading from non-versioned to versioned data."]}'),
        (307, b""),
    ],
)
def test_an_answer_of_another_kind_is_not_an_empty_place(
    desk: Desk, answer: tuple[int, bytes]
) -> None:
    put(desk.sink(), KEY, 1)
    sink = desk.sink()
    for part in ("/data/", "list=true", "internal/ui/mounts"):
        with desk.relay.troubled(Trouble("GET", part, answer)), pytest.raises(SinkUnread):
            desk.sink().inventory([KEY])
    with desk.relay.troubled(Trouble("GET", "/metadata/", answer)):
        put(sink, KEY, 2)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((400, b'{"errors": ["Upgrading from non-versioned to versioned data."]}'), SinkRefused),
        ((403, b'{"errors": ["permission denied"]}'), SinkRefused),
        ((404, b'{"errors": ["no handler for route"]}'), SinkRefused),
        ((413, b""), SinkRefused),
        ((429, b'{"errors": ["rate limit quota exceeded"]}'), SinkRefused),
        ((473, b""), SinkRefused),
        ((503, b'{"errors": ["Vault is sealed"]}'), SinkUnsure),
        ((500, b'{"errors": ["storage"]}'), SinkUnsure),
        ((307, b""), SinkUnsure),
        ((200, b"{}"), SinkUnsure),
        ("drop", SinkUnsure),
    ],
)
def test_an_answer_to_a_write_says_how_far_it_came(
    desk: Desk, answer: Any, error: type[Exception]
) -> None:
    sink = desk.sink()
    with desk.relay.troubled(Trouble("POST", "/data/", answer)):
        with pytest.raises(error):
            put(sink, KEY, 1)
        with pytest.raises(SinkRefused):
            sink.preflight(KEY)
    assert desk.data() is None


def test_a_sealed_server_is_no_empty_one(desk: Desk) -> None:
    desk.vault.sealed = True
    with pytest.raises(SinkUnread, match="Vault is sealed"):
        desk.sink().inventory([KEY])
    with pytest.raises(SinkRefused, match="Vault is sealed"):
        desk.sink().preflight(KEY)


def test_namespaces_are_places_of_their_own(desk: Desk) -> None:
    desk.vault.mounts["team/a", "secret"] = Mount()
    put(desk.sink(), KEY, 1)
    desk.env["VAULT_NAMESPACE"] = "team/a"
    assert isinstance(desk.sink().read(KEY), Absent)
    put(desk.sink(), KEY, 2)
    assert isinstance(desk.sink(namespace="team/a").read(KEY), Stored)
    assert (desk.data() or {})["token"] == plain(1)


def test_a_plan_sends_nothing_but_reads_and_one_login(desk: Desk) -> None:
    for number in (1, 2, 3):
        put(desk.sink(), f"platform/{number}", number)
    desk.sink().register(REGISTRATION)
    desk.relay.asked.clear()
    found = desk.sink().inventory([KEY])
    assert len(found.entries) == 3
    assert len(found.registrations) == 1
    assert desk.writes == []
    # the mount, three folders, three records, one registration
    assert len(desk.relay.asked) == 1 + 3 + 3 + 1


def test_the_client_of_a_plan_cannot_write(desk: Desk) -> None:
    with pytest.raises(RuntimeError, match="may not POST"):
        desk.sink().store.reader.mount._rest.send("POST", "secret/data/x", {})  # type: ignore[attr-defined]


def test_a_foreign_name_or_value_is_left_alone(desk: Desk) -> None:
    desk.write({"token": "not ours"}, key="other")
    desk.write({"token": "not ours"}, key="a b")
    desk.write({"token": "not ours"}, key=".hidden/x")
    desk.write({"token": 7, "netbird-tokens": ["x"]}, key="odd")
    found = desk.sink().inventory([KEY]).entries
    assert found.keys() == {"odd"}
    assert isinstance(found["odd"], Damaged)
    assert desk.sink().inventory(["other"]).entries.keys() == {"odd", "other"}


def test_one_key_that_may_not_be_read_hides_no_other(desk: Desk) -> None:
    put(desk.sink(), KEY, 1)
    put(desk.sink(), "platform/closed", 2)
    desk.with_policy({**POLICY, "secret/data/infra/netbird/platform/closed": {"deny"}})
    found = desk.sink().inventory([KEY]).entries
    assert isinstance(found["platform/closed"], Unread)
    assert isinstance(found[KEY], Stored)


def test_the_policy_of_the_example_is_enough(desk: Desk) -> None:
    desk.with_policy(POLICY)
    sink = desk.sink()
    sink.register(REGISTRATION)
    for number in (1, 2):
        sink.preflight(KEY)
        put(sink, KEY, number)
    sink.amend(KEY, receipt(2, protect=True), sink.read(KEY).version)  # type: ignore[union-attr]
    assert sink.inventory([]).entries.keys() == {KEY}
    assert [desk.data(n) is None for n in (1, 2, 3)] == [True, True, False]
    assert sink.delete(KEY, receipt(2).token.id)


@pytest.mark.parametrize("asks", [True, False], ids=["capabilities-self", "probes alone"])
@pytest.mark.parametrize(
    ("kind", "right"), [("data", "create"), ("data", "update"), ("destroy", "update")]
)
def test_a_preflight_sees_what_the_policy_lacks(
    desk: Desk, kind: str, right: str, *, asks: bool
) -> None:
    if right == "update":
        put(desk.sink(), KEY, 1)
    policy = {path: set(rights) for path, rights in POLICY.items()}
    policy[f"secret/{kind}/infra/netbird/*"].discard(right)
    if not asks:
        policy.pop("sys/capabilities-self", None)
    else:
        policy["sys/capabilities-self"] = {"update"}
    desk.with_policy(policy)
    with pytest.raises(SinkRefused) as refused:
        desk.sink().preflight(KEY)
    if asks:
        told = f"the token may not {right} secret/{kind}/infra/netbird/{KEY}"
        assert refused.value.message == told
    assert desk.data(2) is None


def test_a_removal_is_proved_where_nobody_says_what_we_may_do(desk: Desk) -> None:
    may_delete = "secret/delete/infra/netbird/*"
    desk.with_policy({**POLICY, may_delete: {"update"}})
    desk.sink(old_versions="delete").preflight(KEY)
    desk.with_policy(POLICY)
    with pytest.raises(SinkRefused, match="permission denied"):
        desk.sink(old_versions="delete").preflight(KEY)


def test_a_server_that_takes_what_it_must_refuse_is_no_vault(desk: Desk) -> None:
    told = b'{"data": {"version": 1}}'
    with (
        desk.relay.troubled(Trouble("POST", "/data/", (200, told))),
        pytest.raises(SinkRefused, match="must refuse"),
    ):
        desk.sink().preflight(KEY)


def test_a_key_with_two_dots_is_refused(desk: Desk) -> None:
    with pytest.raises(SinkRefused):
        desk.sink().preflight("a..b")
    assert desk.relay.asked == []


def test_a_key_may_stand_beside_a_folder_of_its_name(desk: Desk) -> None:
    put(desk.sink(), "platform", 1)
    put(desk.sink(), "platform/a", 2)
    assert desk.sink().inventory([]).entries.keys() == {"platform", "platform/a"}


def test_another_client_finds_the_fake_to_be_a_vault(desk: Desk) -> None:
    desk.write({"a": "1"})
    with pytest.raises(InvalidRequest, match="did not match the current version"):
        desk.kv.create_or_update_secret(path=f"infra/netbird/{KEY}", secret={"a": "2"}, cas=0)
    desk.kv.create_or_update_secret(path=f"infra/netbird/{KEY}", secret={"a": "2"}, cas=1)
    with pytest.warns(DeprecationWarning, match="raise_on_deleted_version"):  # of its own
        desk.kv.patch(path=f"infra/netbird/{KEY}", secret={"b": "3"})
    assert desk.data() == {"a": "2", "b": "3"}
    desk.kv.delete_secret_versions(path=f"infra/netbird/{KEY}", versions=[3])
    assert desk.data() is None
    assert desk.kv.list_secrets(path="infra/netbird")["data"]["keys"] == ["platform/"]
    about = desk.kv.read_secret_metadata(path=f"infra/netbird/{KEY}")["data"]
    assert (about["current_version"], len(about["versions"])) == (3, 3)
    desk.kv.delete_metadata_and_all_versions(path=f"infra/netbird/{KEY}")
    assert desk.data(1) is None
