"""What is particular to Kubernetes: Secrets that others have a part in, admission, lists, rights, kubectl.

On our fake, and, where it can be had there, on a real server.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from boxes import REGISTRATION
from clusters import NO_REAL, REAL, Site, fake_site, real_site
from fakes.kubernetes import ROOT, Rules, Webhook
from fakes.relay import Trouble

from reconciler.core.receipts import ABSENT, Absent, Damaged, SetName, Stored
from reconciler.core.tokens import Unread
from reconciler.errors import SinkError, SinkRefused, SinkUnread, SinkUnsure
from reconciler.http.retry import Pace
from reconciler.sinks.kubernetes.places import Layout
from reconciler.sinks.kubernetes.store import SecretStore
from reconciler.sinks.kubernetes.writer import Part
from reconciler.sinks.records import RecordSink
from reconciler.sinks.rest import Rest
from reconciler.testing import plain, put, receipt, secret
from reconciler.testing.interleaving import at_once

OPERATOR = "netbird-mgmt-api-key"
KEY = "NB_API_KEY"
EXAMPLE = (Path(__file__).parents[2] / "examples/sinks/kubernetes.yaml").read_text(encoding="utf-8")
ROLES: list[Rules] = [
    [yaml.safe_load(rule)] for rule in re.findall(r"^# +- (\{apiGroups.*\})$", EXAMPLE, re.MULTILINE)
]
"""What the example says is enough: for a Secret for each key, and, in two rules, for one that is shared."""


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = partial(Rest, pace=Pace(sleep=lambda _seconds: None))
    monkeypatch.setattr("reconciler.sinks.kubernetes.Rest", quick)


@pytest.fixture(params=["fake", "real"] if REAL else ["fake"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with (fake_site if request.param == "fake" else real_site)(tmp_path) as site:
        yield site


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[Site]:
    with fake_site(tmp_path) as site:
        yield site


if not REAL:

    def test_secrets_of_a_real_server() -> None:
        pytest.skip(NO_REAL)


def store_of(sink: object) -> SecretStore:
    assert isinstance(sink, RecordSink)
    assert isinstance(sink.store, SecretStore)
    return sink.store


def put_blindly(sink: RecordSink, key: str = "a") -> None:
    sink.put(key, secret(1), receipt(1), ABSENT)


def test_the_operator_of_netbird_finds_its_key(site: Site) -> None:
    put(site.sink(), f"{OPERATOR}#{KEY}", 1)
    assert site.server.value(OPERATOR, KEY) == plain(1)
    put(site.sink(secret=OPERATOR), KEY, 2)
    assert site.server.value(OPERATOR, KEY) == plain(2)
    found = site.server.secret(OPERATOR) or {}
    assert (found["type"], list(found["data"])) == ("Opaque", [KEY])
    assert set(found["metadata"]["annotations"]) == {f"receipt.netbird-tokens/{KEY}"}


@pytest.mark.parametrize("shared", [None, OPERATOR])
def test_what_others_have_in_a_secret_stays(site: Site, shared: str | None) -> None:
    """And what they wrote last is not undone, though a chart would like to."""
    about = {"labels": {"app": "x"}, "annotations": {"team": "net"}, "name": OPERATOR}
    site.server.write(OPERATOR, {"url": "https://netbird.example", KEY: ""}, metadata=about)
    sink = site.sink(secret=shared) if shared else site.sink()
    key = KEY if shared else f"{OPERATOR}#{KEY}"
    assert isinstance(sink.read(key), Absent)  # an empty placeholder is no value
    sink.preflight(key)
    put(sink, key, 1)
    site.server.write(OPERATOR, {"more": "later"})
    put(sink, key, 2)
    held = sink.read(key)
    assert isinstance(held, Stored)
    sink.amend(key, receipt(2, protect=True), held.version)
    assert site.server.value(OPERATOR, KEY) == plain(2)
    assert sink.delete(key, receipt(2).token.id)
    found = site.server.secret(OPERATOR) or {}
    assert set(found["data"]) == {"url", "more"}
    assert found["metadata"]["labels"] == {"app": "x"} | (
        {"netbird-tokens/receipts": "true"} if shared else {}  # a shared Secret is the home of the set, too
    )
    assert found["metadata"]["annotations"] == {"team": "net"}


def test_a_secret_that_we_made_goes_with_its_last_key(site: Site) -> None:
    sink = site.sink()
    put(sink, "a", 1)
    put(sink, "a#B", 2)
    assert sink.delete("a", receipt(1).token.id)
    assert list((site.server.secret("a") or {})["data"]) == ["B"]
    assert sink.delete("a#B", receipt(2).token.id)
    assert site.server.secret("a") is None
    put(sink, "a", 3)
    site.server.write("a", {"mine": "too"})
    assert sink.delete("a", receipt(3).token.id)
    assert list((site.server.secret("a") or {})["data"]) == ["mine"]


def test_a_shared_secret_stays_when_it_is_empty(site: Site) -> None:
    sink = site.sink(secret=OPERATOR)
    sink.register(REGISTRATION)
    put(sink, KEY, 1)
    assert sink.delete(KEY, receipt(1).token.id)
    assert (site.server.secret(OPERATOR) or {}).get("data", {}) == {}
    assert dict(site.sink(secret=OPERATOR).inventory([]).registrations) == {
        REGISTRATION.set: REGISTRATION
    }


def test_many_keys_of_one_secret_can_be_written_at_once(site: Site) -> None:
    site.sink(secret=OPERATOR).register(REGISTRATION)
    sink = site.sink(secret=OPERATOR)
    ours = [partial(put, sink, f"K{number}", number, ABSENT) for number in range(1, 13)]
    theirs = [partial(put, site.sink(secret=OPERATOR), f"K{number}", number, ABSENT) for number in (13, 14)]
    assert at_once([*ours, *theirs]) == [None] * 14
    found = sink.inventory([])
    assert set(found.entries) == {f"K{number}" for number in range(1, 15)}
    assert all(isinstance(each, Stored) for each in found.entries.values())


def test_a_write_moves_no_other_field_and_has_a_manager_of_its_own(site: Site) -> None:
    sink = site.sink(secret=OPERATOR)
    put(sink, "ONE", 1)
    put(sink, "TWO", 2)
    fields = (site.server.secret(OPERATOR) or {})["metadata"]["managedFields"]
    applied = {
        each["manager"]: sorted(each["fieldsV1"]["f:data"]) for each in fields if each["operation"] == "Apply"
    }
    assert applied == {"netbird-tokens/ONE": ["f:ONE"], "netbird-tokens/TWO": ["f:TWO"]}


def test_what_a_backup_put_back_in_its_own_name_can_still_be_removed(site: Site) -> None:
    sink = site.sink(secret=OPERATOR)
    put(sink, KEY, 1)
    found = site.server.secret(OPERATOR) or {}
    notes = found["metadata"]["annotations"]
    site.server.ask("DELETE", site.server.path(OPERATOR))
    site.server.write(OPERATOR, {KEY: plain(1)}, metadata={"name": OPERATOR, "annotations": notes})
    sink = site.sink(secret=OPERATOR)
    assert isinstance(sink.read(KEY), Stored)
    held = sink.read(KEY)
    sink.amend(KEY, receipt(1, protect=False), held.version)  # type: ignore[union-attr]  # it is stored
    assert sink.delete(KEY, receipt(1).token.id)
    assert (site.server.secret(OPERATOR) or {}).get("data", {}) == {}


def test_a_secret_that_is_gone_is_not_made_again_by_a_late_write(site: Site) -> None:
    """A server-side apply makes what is not there; only the uid keeps it from that."""
    put(site.sink(), "a", 1)
    store = store_of(site.sink())
    held = store.reader.held("a")
    assert held is not None
    part = Part("token", {"receipt.netbird-tokens/token": "x"}, {"token": "eHh4"})
    site.server.ask("DELETE", site.server.path("a"))
    assert not store.writer.apply("a", held, part)
    assert site.server.secret("a") is None
    site.server.write("a", {"token": "somebody-elses"})
    assert not store.writer.apply("a", held, part)
    assert not store.writer.remove("a", {"preconditions": {"resourceVersion": held.version}})
    assert not store.writer.take_out(held, "receipt.netbird-tokens/token", "token", label=True)
    assert site.server.value("a", "token") == "somebody-elses"
    with pytest.raises(SinkRefused, match="changed meanwhile"):
        store.save("a", "{}", secret(1), "a state that was")


def test_a_look_that_took_too_long_is_followed_by_no_write(
    fake: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = fake.sink()
    assert isinstance(sink, RecordSink)
    monkeypatch.setattr(sys.modules[SecretStore.__module__], "_PATIENCE", -1.0)
    with pytest.raises(SinkRefused, match="took too long to look at"):
        put_blindly(sink)
    lock = store_of(sink).turns.of("a")
    with lock, pytest.raises(SinkRefused, match="took too long to look at"):
        put_blindly(sink)
    assert fake.writes == []


def test_a_place_that_keeps_changing_is_given_up(fake: Site) -> None:
    put(fake.sink(), "a", 1)
    trouble = Trouble("PATCH", "/secrets/", (409, said("Conflict", "modified")))
    with fake.relay.troubled(trouble):
        for act in (lambda s: put(s, "a", 2), lambda s: s.register(REGISTRATION)):
            with pytest.raises(SinkRefused, match="changed meanwhile"):
                act(fake.sink())
    assert fake.server.value("a", "token") == plain(1)


def test_an_immutable_secret_is_refused_before_a_token_is_made(site: Site) -> None:
    site.server.write("fixed", {"token": "x"}, immutable=True)
    with pytest.raises(SinkRefused, match="the Secret fixed is immutable") as refused:
        site.sink().preflight("fixed")
    assert "immutable: true" in refused.value.hint
    with pytest.raises(SinkRefused, match="answered 422"):
        put(site.sink(), "fixed", 1)


def test_a_preflight_writes_nothing_and_asks_for_all_that_a_write_asks_for(site: Site) -> None:
    site.sink().preflight("a")
    assert site.server.secret("a") is None
    assert [(m, "dryRun=All" in path) for m, path in site.writes] == [
        ("POST", True), ("PATCH", True), ("DELETE", False),  # a DELETE says it in its body
    ]  # fmt: skip
    put(site.sink(), "a", 1)
    before = site.server.secret("a")
    site.sink().preflight("a")
    site.sink().preflight("a#B")
    assert site.server.secret("a") == before


def test_a_namespace_that_is_not_there_is_told_in_the_preflight(site: Site) -> None:
    sink = site.sink(namespace="nowhere")
    assert isinstance(sink.read("a"), Absent)  # so the server says; whoever writes learns more
    for act in (lambda s: s.preflight("a"), put_blindly, lambda s: s.register(REGISTRATION)):
        with pytest.raises(SinkRefused, match='namespaces "nowhere" not found') as refused:
            act(sink)
        assert refused.value.hint == "is there such a namespace?"


@pytest.mark.parametrize("code", [403, 400, 409, 422, 500, 503, 599, None])
def test_what_admission_stops_was_not_written_whatever_its_code(fake: Site, code: int | None) -> None:
    put(fake.sink(), "a", 1)
    fake.fake.webhooks.append(Webhook({"patch", "create", "delete"}, code))
    for act in (
        lambda s: s.preflight("a"),
        lambda s: put(s, "a", 2),
        lambda s: put_blindly(s, "b"),
        lambda s: s.register(REGISTRATION),
        lambda s: s.delete("a", receipt(1).token.id),
    ):
        with pytest.raises(SinkRefused, match="webhook") as refused:
            act(fake.sink())
        assert "changed meanwhile" not in refused.value.message
    assert fake.server.value("a", "token") == plain(1)


def said(reason: str, message: str) -> bytes:
    status = {"kind": "Status", "status": "Failure", "reason": reason, "message": message}
    return json.dumps(status).encode()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((403, said("", "exceeded quota")), SinkRefused),
        ((404, b"404 page not found"), SinkRefused),
        ((413, b""), SinkRefused),
        ((415, b""), SinkRefused),
        ((422, said("Invalid", "no")), SinkRefused),
        ((429, said("TooManyRequests", "")), SinkRefused),
        ((500, said("", "etcdserver: request timed out")), SinkUnsure),
        ((500, said("", "he said: failed calling webhook")), SinkUnsure),
        ((503, b""), SinkUnsure),
        ((504, said("Timeout", "")), SinkUnsure),
        ((302, b""), SinkUnsure),
        ("drop", SinkUnsure),
    ],
)
def test_an_answer_to_a_write_says_how_far_it_came(fake: Site, answer: Any, error: type[SinkError]) -> None:
    put(fake.sink(), "a", 1)
    sink = fake.sink()
    with fake.relay.troubled(Trouble("PATCH", "/secrets/", answer)):
        with pytest.raises(error):
            put(sink, "a", 2)
        with pytest.raises(error):
            sink.register(REGISTRATION)
        with pytest.raises(SinkRefused):
            sink.preflight("a")
    with fake.relay.troubled(Trouble("POST", "/secrets?", answer)), pytest.raises(SinkRefused):
        put_blindly(sink, "b")  # what is made first is empty
    assert fake.server.value("a", "token") == plain(1)


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_a_removal_that_fails_is_no_removal(fake: Site, method: str) -> None:
    sink = fake.sink()
    put(sink, "a", 1)
    if method == "PATCH":
        put(sink, "a#B", 2)
    with fake.relay.troubled(Trouble(method, "/secrets/")), pytest.raises(SinkUnsure):
        sink.delete("a", receipt(1).token.id)
    trouble = Trouble(method, "/secrets/", (403, said("Forbidden", "no")))
    with fake.relay.troubled(trouble), pytest.raises(SinkRefused):
        sink.delete("a", receipt(1).token.id)
    assert sink.delete("a", receipt(1).token.id)


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"404 page not found"),
        (404, b'{"kind": "Status", "reason": "NotFound", "details": {"name": "other"}}'),
        (200, b"<html>please sign in</html>"),
        (200, b'{"kind": "Secret", "metadata": {}}'),
        (200, b'{"kind": "Secret", "metadata": {"name": "other", "uid": "u", "resourceVersion": "1"}}'),
        (200, b'{"kind": "Secret", "data": 1, "metadata": {"name": "a", "uid": "", "resourceVersion": ""}}'),
        (200, b'{"kind": "SecretList", "metadata": {}, "items": [7]}'),
        (200, b'{"kind": "SecretList", "items": []}'),
        (410, b'{"kind": "Status", "reason": "Expired"}'),
        (500, b"{}"),
        (302, b""),
    ],
)
@pytest.mark.parametrize("shared", [None, OPERATOR])
def test_an_answer_of_another_kind_is_not_an_empty_place(
    fake: Site, answer: tuple[int, bytes], shared: str | None
) -> None:
    sink = fake.sink(secret=shared) if shared else fake.sink()
    key = KEY if shared else "a"
    put(sink, key, 1)
    with fake.relay.troubled(Trouble("GET", "/secrets", answer)):
        for act in (lambda s: s.inventory([key]), lambda s: s.read(key)):
            with pytest.raises(SinkUnread):
                act(sink)
        for act in (lambda s: put(s, key, 2, ABSENT), lambda s: s.preflight(key)):
            with pytest.raises(SinkRefused):
                act(sink)


def test_a_plan_reads_ours_in_pages_and_no_value_of_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.sinks.kubernetes.reader._PAGE", 2)
    site.sink().register(REGISTRATION)
    for number in range(1, 5):
        put(site.sink(), f"t{number}", number)
    for number in range(5):
        site.server.write(f"other-{number}", {"token": "not ours"})
    site.relay.asked.clear()
    found = site.sink().inventory(["t1", "t9", "other-1"])
    assert set(found.entries) == {"t1", "t2", "t3", "t4", "other-1"}
    assert isinstance(found.entries["other-1"], Damaged)
    assert found.registrations == {REGISTRATION.set: REGISTRATION}
    assert site.writes == []
    asked = [path.partition("?")[0].rpartition("/")[2] for _, path in site.relay.asked]
    assert sorted(asked) == ["other-1", *["secrets"] * 6]  # three pages of ours, three of names


def test_a_receipt_without_our_label_is_found_all_the_same(site: Site) -> None:
    site.sink().register(REGISTRATION)
    put(site.sink(), "a", 1)
    for name in ("a", "netbird-tokens.registrations"):
        path = site.server.path(name)
        body = {"metadata": {"labels": None}}
        assert site.server.ask("PATCH", path, body, "application/merge-patch+json")[0] == 200
    found = site.sink().inventory([])
    assert isinstance(found.entries["a"], Stored)
    assert found.registrations == {REGISTRATION.set: REGISTRATION}
    put(site.sink(), "a", 2)
    assert (site.server.secret("a") or {})["metadata"]["labels"] == {"netbird-tokens/receipts": "true"}


def test_one_secret_that_may_not_be_read_hides_no_other(fake: Site) -> None:
    put(fake.sink(), "a", 1)
    fake.server.write("closed", {"token": "x"})
    rules: Rules = [
        {"verbs": ["list"], "resources": ["secrets"]},
        {"verbs": ["get"], "resources": ["secrets"], "resourceNames": ["a"]},
    ]
    fake.fake.users["some"] = ("some", rules)
    fake.signs_in_with = "some"
    found = fake.sink().inventory(["closed"]).entries
    assert isinstance(found["closed"], Unread)
    assert isinstance(found["a"], Stored)


@pytest.mark.parametrize("note", ["registration.netbird-tokens/platform", "receipt.netbird-tokens/token"])
def test_where_something_of_ours_may_not_be_read_nothing_is_known(fake: Site, note: str) -> None:
    about = {"name": "closed", "annotations": {note: "{}"}}
    fake.server.write("closed", {"x": "y"}, metadata=about)
    fake.fake.users["some"] = ("some", [{"verbs": ["list"], "resources": ["secrets"]}])
    fake.signs_in_with = "some"
    with pytest.raises(SinkUnread, match="cannot get resource"):
        fake.sink().inventory([])


def test_a_secret_that_gets_its_label_between_two_lists_is_not_overlooked(
    fake: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(fake.sink(), "a", 1)
    held = fake.fake.secrets.objects[fake.server.namespace, "a"]["metadata"]
    labels = held.pop("labels")
    passed_on = fake.relay.passed_on

    def labelled_behind_it(method: str, path: str, *rest: Any) -> Any:
        answer = passed_on(method, path, *rest)
        held["labels"] = labels
        return answer

    monkeypatch.setattr(fake.relay, "passed_on", labelled_behind_it)
    assert isinstance(fake.sink().inventory([]).at("a"), Stored)


def test_the_roles_of_the_example_are_enough(fake: Site) -> None:
    own, *shared = ROLES
    fake.fake.users |= {"own": ("own", own), "shared": ("shared", [*shared[0], *shared[1]])}
    for token, options, key in (("own", {}, "a"), ("shared", {"secret": OPERATOR}, KEY)):
        fake.signs_in_with = token
        sink = fake.sink(**options)
        sink.register(REGISTRATION)
        for number in (1, 2):
            sink.preflight(key)
            put(sink, key, number)
        assert sink.inventory([key]).entries.keys() == {key}
        assert sink.delete(key, receipt(2).token.id)


@pytest.mark.parametrize("right", ["get", "create", "patch", "delete"])
def test_a_preflight_sees_what_a_role_lacks(fake: Site, right: str) -> None:
    rules = [{**ROLES[0][0], "verbs": [verb for verb in ROLES[0][0]["verbs"] if verb != right]}]
    fake.fake.users["some"] = ("some", rules)
    fake.signs_in_with = "some"
    with pytest.raises(SinkRefused, match=f'User "some" cannot {right} resource "secrets"') as refused:
        fake.sink().preflight("a")
    assert "kubectl auth can-i" in refused.value.hint


def test_the_client_of_a_plan_cannot_write(site: Site) -> None:
    with pytest.raises(RuntimeError, match="may not PATCH"):
        store_of(site.sink()).reader._rest.send("PATCH", "/a", {})


NOT_KEYS = ["a_b", "A", "-a", "a-", "a..b", "a#", "#F", "a#.env", "a#F G", "a" * 254, f"a#{'F' * 64}"]


@pytest.mark.parametrize("key", [*NOT_KEYS, "netbird-tokens.registrations", "a#token", "a#F#G"])
def test_a_key_that_no_secret_can_have_is_refused(key: str) -> None:
    assert not Layout(None, "token").keys.accepts(key)


@pytest.mark.parametrize("key", ["a", "a.b-c", "a" * 253, "a#F", "a#tls.crt", f"{'a' * 253}#{'F' * 63}"])
def test_a_key_stands_for_one_place_and_back(key: str) -> None:
    layout = Layout(None, "token")
    assert layout.keys.accepts(key)
    assert layout.key(layout.spot(key)) == key


def test_default_keys_fit() -> None:
    name = SetName("platform")
    assert Layout(None, "token").keys.default(name, "CI/CD Token") == "platform.ci-cd-token"
    assert Layout(OPERATOR, "token").keys.default(name, "CI/CD Token") == "PLATFORM_CI_CD_TOKEN"


def test_a_token_in_an_answer_is_blacked_out_in_base64_too(fake: Site) -> None:
    put(fake.sink(), "a", 1)
    coded = (fake.server.secret("a") or {})["data"]["token"]
    told = said("Invalid", f"no: data.token={coded}, {plain(1)}")
    trouble = Trouble("PATCH", "/secrets/", (422, told))
    with fake.relay.troubled(trouble), pytest.raises(SinkRefused) as refused:
        put(fake.sink(), "a", 2)
    assert "nbp_***" in refused.value.message
    assert coded not in refused.value.message
    assert plain(1) not in refused.value.message


def test_values_that_are_no_text_or_no_base64_are_foreign(fake: Site) -> None:
    fake.server.ask("POST", fake.server.path(), {"metadata": {"name": "a"}, "data": {"token": "//79"}})
    assert isinstance(fake.sink().read("a"), Damaged)
    fake.fake.secrets.objects[fake.server.namespace, "a"]["data"]["token"] = "???"
    assert isinstance(fake.sink().read("a"), Damaged)


KUBECTL = shutil.which("kubectl")


@pytest.fixture
def kubectl(site: Site) -> Any:
    """Another client, at the same server as we are."""
    if KUBECTL is None:
        pytest.skip("kubectl is not installed, so nobody but us speaks to the fake")
    config: object = REAL
    if not site.server.tls:  # kubectl sends no token over plain HTTP
        config = site.server.kubeconfig(site.home / "kubectl.yaml", site.relay.url, token="")
        site.fake.users[""] = site.fake.users[ROOT]
    env = {**os.environ, "HOME": str(site.home), "KUBECONFIG": str(config)}

    def run(*argv: str, given: object = None, code: int = 0) -> str:
        command = [str(KUBECTL), "--namespace", site.server.namespace, *argv]
        text = json.dumps(given)
        done = subprocess.run(command, input=text, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    return run


def test_kubectl_reads_what_we_wrote_and_who_has_it(site: Site, kubectl: Any) -> None:
    sink = site.sink(secret=OPERATOR)
    put(sink, KEY, 1)
    coded = kubectl("get", "secret", OPERATOR, "-o", f"jsonpath={{.data.{KEY}}}")
    assert site.server.value(OPERATOR, KEY) == plain(1)
    assert coded == (site.server.secret(OPERATOR) or {})["data"][KEY]
    shown = json.loads(kubectl("get", "--raw", site.server.path(OPERATOR)))
    assert {each["manager"] for each in shown["metadata"]["managedFields"]} >= {f"netbird-tokens/{KEY}"}
    assert OPERATOR in kubectl("get", "secrets", "-l", "netbird-tokens/receipts", "-o", "name")
    assert OPERATOR not in kubectl("get", "secrets", "-l", "!netbird-tokens/receipts", "-o", "name")


def test_kubectl_and_we_write_one_secret_and_neither_undoes_the_other(site: Site, kubectl: Any) -> None:
    theirs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": OPERATOR},
              "stringData": {"url": "https://netbird.example"}}  # fmt: skip
    kubectl("create", "--validate=false", "-f", "-", given=theirs)
    sink = site.sink(secret=OPERATOR)
    put(sink, KEY, 1)
    applied: dict[str, Any] = {**theirs, "data": {"more": "eHh4"}}
    del applied["stringData"]
    apply = ("apply", "--server-side", "--validate=false", "-f", "-")
    kubectl(*apply, given=applied)
    assert site.server.value(OPERATOR, KEY) == plain(1)
    taken = {**applied, "data": {KEY: "eHh4"}}
    told = kubectl(*apply, given=taken, code=1)
    assert f'conflict with "netbird-tokens/{KEY}": .data.{KEY}' in told.replace(" using v1", "")
    kubectl(*apply, "--force-conflicts", given=taken)
    assert isinstance(sink.read(KEY), Damaged)
    put(sink, KEY, 2)
    assert site.server.value(OPERATOR, KEY) == plain(2)
    kubectl("patch", "secret", OPERATOR, "--type", "merge", "-p", '{"data": {"url": null}}')
    assert set((site.server.secret(OPERATOR) or {})["data"]) == {KEY}


def test_kubectl_removes_and_we_see_it(site: Site, kubectl: Any) -> None:
    put(site.sink(), "a", 1)
    kubectl("annotate", "secret", "a", "team=net")
    assert isinstance(site.sink().read("a"), Stored)
    kubectl("delete", "secret", "a", "--wait=false")
    assert isinstance(site.sink().read("a"), Absent)
    assert "not found" in kubectl("get", "secret", "a", code=1)
