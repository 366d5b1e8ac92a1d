"""Encrypted files: what their programs get and make, and what a hand that changes them does."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from boxes import SOMEBODY
from sealing import ENV, Folder, Key, Tool, needed, ran

from reconciler.core.ports import Sink
from reconciler.core.receipts import ABSENT, Damaged, Stored, version_of
from reconciler.core.tokens import Unread
from reconciler.errors import SinkRefused, SinkUnread, UsageError
from reconciler.sinks import sink_type
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, put, receipt, secret
from reconciler.testing.contents import stored

KEY = "set/1"
TOOLS = ("age", "sops")


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Key:
    needed("age", "age-keygen")
    return Key.made(tmp_path_factory.mktemp("key") / "key.txt")


@pytest.fixture(params=TOOLS)
def store(request: pytest.FixtureRequest, tmp_path: Path, consumer: Key) -> Folder:
    needed(request.param)
    return Folder(tmp_path, Tool(request.param, consumer))


@pytest.fixture
def sops(tmp_path: Path, consumer: Key) -> Folder:
    needed("sops")
    return Folder(tmp_path, Tool("sops", consumer))


def file(store: Folder) -> Path:
    return store.home / "secrets" / f"{KEY}{store.tool.suffix}"


def test_the_file_tells_everybody_whose_token_it_is_and_nobody_the_token(store: Folder) -> None:
    put(store.sink(), KEY, 1)
    text = file(store).read_text()
    assert receipt(1).token.id in text
    assert plain(1)[4:] not in text
    assert stat.S_IMODE(file(store).stat().st_mode) == 0o644  # as a checkout has it
    assert {path.name for path in file(store).parent.iterdir()} == {file(store).name}


def test_an_amended_receipt_leaves_the_encrypted_token_as_it_is(store: Folder) -> None:
    sink = store.sink()
    put(sink, KEY, 1)
    before = file(store).read_text().splitlines()
    sink.amend(KEY, receipt(1, protect=False), version_of(sink.read(KEY)))  # type: ignore[arg-type]  # it was read
    after = file(store).read_text().splitlines()
    assert before[1:] == after[1:]
    assert before[0] != after[0]
    assert store.value(KEY) == plain(1)


def test_a_receipt_that_somebody_changed_vouches_for_nothing(store: Folder) -> None:
    put(store.sink(), KEY, 1)
    text = file(store).read_text()
    file(store).write_text(text.replace(receipt(1).token.id, receipt(2).token.id))
    held = store.sink().read(KEY)
    assert isinstance(held, Damaged)
    assert "not the one that the receipt describes" in held.why


def test_another_token_below_our_receipt_is_not_vouched_for(store: Folder) -> None:
    put(store.sink(), KEY, 1)
    first = file(store).read_text()
    put(store.sink(), KEY, 2)
    second = file(store).read_text()
    file(store).write_text(first.splitlines(keepends=True)[0] + second.partition("\n")[2])
    assert isinstance(store.sink().read(KEY), Damaged)


def test_half_a_file_is_not_vouched_for(store: Folder) -> None:
    put(store.sink(), KEY, 1)
    whole = file(store).read_bytes()
    for length in (0, *range(1, len(whole), 53)):
        file(store).write_bytes(whole[:-length] if length else b"")
        assert isinstance(store.sink().read(KEY), Damaged)
    file(store).write_bytes(b"\xff\xfe" + whole)
    assert isinstance(store.sink().read(KEY), Damaged)


def test_one_file_that_cannot_be_read_says_nothing_of_the_others(store: Folder) -> None:
    put(store.sink(), KEY, 1)
    put(store.sink(), "set/2", 2)
    file(store).chmod(0o666)
    found = store.sink().inventory([])
    assert isinstance(found.at(KEY), Unread)
    assert isinstance(found.at("set/2"), Stored)
    with pytest.raises(SinkUnread):
        store.sink().read(KEY)


def test_a_link_is_not_followed(store: Folder, tmp_path: Path) -> None:
    put(store.sink(), KEY, 1)
    away = tmp_path / "away"
    file(store).rename(away)
    file(store).symlink_to(away)
    assert isinstance(store.sink().inventory([KEY]).at(KEY), Unread)
    with pytest.raises(SinkRefused):
        store.sink().put(KEY, secret(2), receipt(2), ABSENT)


def test_strict_refuses_a_folder_that_everybody_looks_into(store: Folder) -> None:
    put(store.sink(), KEY, 1)
    (store.home / "secrets" / "set").chmod(0o755)
    options = {"path": "secrets", "strict": True, **store.tool.options}
    around = Surroundings(store.home, ENV, allow_http=False)
    with pytest.raises(SinkRefused, match="open to every user"):
        sink_type(store.tool.type).build(options, around).preflight(KEY)
    (store.home / "secrets" / "set").chmod(0o700)
    (store.home / "secrets").chmod(0o755)  # where sets are registered
    for key in (KEY, "new/key"):
        with pytest.raises(SinkRefused, match="open to every user"):
            sink_type(store.tool.type).build(options, around).preflight(key)


def test_a_file_for_others_than_the_config_names_is_told_until_it_is_renewed(
    store: Folder,
) -> None:
    put(store.sink(), KEY, 1)
    assert store.sink().inventory([KEY]).remarks == ()
    for recipients in ([SOMEBODY], [SOMEBODY, store.tool.key.public]):  # one went; one came
        changed = built(store, recipients=recipients)
        (told,) = changed.inventory([]).remarks
        assert KEY in told
        assert "other readers than the config names" in told
    held = changed.read(KEY)
    changed.amend(KEY, receipt(1, protect=True), version_of(held))  # type: ignore[arg-type]  # it was read
    assert changed.inventory([]).remarks == (told,)
    assert store.sink().inventory([]).remarks == ()
    put(changed, KEY, 2)
    assert changed.inventory([]).remarks == ()
    assert isinstance(store.sink().read(KEY), Stored)
    assert len(store.sink().inventory([]).remarks) == 1


def test_many_files_for_others_are_one_remark(store: Folder) -> None:
    for number in range(6):
        put(store.sink(), f"set/{number}", number)
    (told,) = built(store, recipients=[SOMEBODY]).inventory([]).remarks
    assert "set/0, set/1, set/2, set/3, set/4 and 1 more" in told


def test_one_set_of_age_keys_may_be_written_in_two_ways(tmp_path: Path, consumer: Key) -> None:
    store = Folder(tmp_path, Tool("age", consumer))
    put(built(store, recipients=[SOMEBODY, consumer.public]), KEY, 1)
    keys = tmp_path / "keys.txt"
    keys.write_text(f"# ours\n{SOMEBODY}\n\n{consumer.public}\n")
    assert built(store, recipients=[], recipients_files=["keys.txt"]).inventory([]).remarks == ()
    keys.write_text(f"{SOMEBODY}\n")
    assert built(store, recipients=[], recipients_files=["keys.txt"]).inventory([]).remarks
    keys.unlink()
    assert built(store, recipients=[], recipients_files=["keys.txt"]).inventory([]).remarks == ()


def test_what_the_rules_of_sops_name_is_not_judged(sops: Folder) -> None:
    put(sops.sink(), KEY, 1)
    assert built(sops, recipients=[]).inventory([]).remarks == ()


def test_a_program_that_leaves_a_recipient_out_is_no_sops(sops: Folder) -> None:
    words = "--config /dev/null --encrypt --mac-only-encrypted --input-type json --output-type yaml"
    more = "--filename-override x.yaml /dev/stdin"
    other = program(sops, f"exec sops {words} --age {SOMEBODY} {more}")
    with pytest.raises(SinkRefused, match="did not encrypt for all `recipients`"):
        built(sops, program=str(other)).preflight(KEY)


def built(store: Folder, **options: object) -> Sink:
    around = Surroundings(store.home, {**ENV, "MINE": "1"}, allow_http=False)
    return sink_type(store.tool.type).build(
        {"path": "secrets", **store.tool.options, **options}, around
    )


def program(store: Folder, text: str) -> Path:
    found = store.home / "program"
    found.write_text(f"#!/bin/sh\n{text}\n")
    found.chmod(0o755)
    return found


@pytest.mark.parametrize("text", ["cat", "exit 0", "echo done", "cat; exit 1", "head -c 5; kill -9 $$"])
def test_a_program_that_does_not_encrypt_is_refused_and_nothing_written(store: Folder, text: str) -> None:
    sink = built(store, program=str(program(store, text)))
    with pytest.raises(SinkRefused) as caught:
        sink.put(KEY, secret(1), receipt(1), ABSENT)  # type: ignore[attr-defined]  # a sink
    assert plain(1) not in repr(caught.value)
    assert not file(store).exists()
    with pytest.raises(SinkRefused):
        sink.preflight(KEY)  # type: ignore[attr-defined]  # a sink


def test_a_program_that_is_not_there_is_named(store: Folder) -> None:
    with pytest.raises(SinkRefused, match="no-such-program cannot be run"):
        built(store, program="no-such-program").preflight(KEY)  # type: ignore[attr-defined]  # a sink


def test_the_token_goes_in_by_stdin_and_nothing_else_is_told(store: Folder) -> None:
    real = ran("which", store.tool.type).strip()
    spy = f'env > {store.home}/env; echo "$@" > {store.home}/argv; exec {real} "$@"'
    sink = built(store, program=str(program(store, spy)), env=["MINE"])
    sink.put(KEY, secret(1), receipt(1), ABSENT)  # type: ignore[attr-defined]  # a sink
    seen = dict(line.split("=", 1) for line in (store.home / "env").read_text().splitlines())
    assert set(seen) - {"PWD", "OLDPWD", "SHLVL", "_"} <= {"PATH", "TMPDIR", "MINE"}
    assert seen["MINE"] == "1"
    assert plain(1) not in (store.home / "argv").read_text() + repr(seen)
    assert store.value(KEY) == plain(1)


def test_wrong_recipients_are_refused_before_a_token_is_made(store: Folder) -> None:
    with pytest.raises(SinkRefused, match="did not encrypt"):
        built(store, recipients=["age1nonsense"]).preflight(KEY)  # type: ignore[attr-defined]  # a sink


def test_several_recipients_can_each_read(store: Folder, tmp_path: Path) -> None:
    other = Key.made(tmp_path / "other.txt")
    recipients = [store.tool.key.public, other.public]
    built(store, recipients=recipients).put(KEY, secret(1), receipt(1), ABSENT)  # type: ignore[attr-defined]  # a sink
    for key in (store.tool.key, other):
        assert Tool(store.tool.type, key).decrypt(file(store).read_text()) == plain(1)


def test_recipients_of_age_come_from_files_too(tmp_path: Path, consumer: Key) -> None:
    store = Folder(tmp_path, Tool("age", consumer))
    (tmp_path / "people.txt").write_text(f"# us\n{consumer.public}\n")
    options = {"path": "secrets", "program": "age", "recipients_files": ["people.txt"]}
    around = Surroundings(tmp_path, ENV, allow_http=False)
    sink_type("age").build(options, around).put(KEY, secret(1), receipt(1), ABSENT)
    assert store.value(KEY) == plain(1)


# --- SOPS and its rules ------------------------------------------------------------------------------


def ruled(store: Folder, rule: str, **options: object) -> object:
    (store.home / ".sops.yaml").write_text(
        f"creation_rules:\n  - path_regex: secrets/.*\n    age: {store.tool.key.public}\n{rule}"
    )
    around = Surroundings(store.home, ENV, allow_http=False)
    whole = {"path": "secrets", "program": "sops", "field": "token", **options}
    return sink_type("sops").build(whole, around)


def test_the_nearest_rules_say_who_can_read(sops: Folder) -> None:
    ruled(sops, "").put(KEY, secret(1), receipt(1), ABSENT)  # type: ignore[attr-defined]  # a sink
    assert sops.value(KEY) == plain(1)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("    encrypted_regex: ^(data|stringData)$\n", "did not encrypt the field token"),
        ("    unencrypted_regex: ^kind$\n", "does not leave the field"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused_before_anything_is_written(
    sops: Folder, rule: str, said: str
) -> None:
    sink = ruled(sops, rule)
    with pytest.raises(SinkRefused, match=said):
        sink.preflight(KEY)  # type: ignore[attr-defined]  # a sink
    with pytest.raises(SinkRefused, match=said) as caught:
        sink.put(KEY, secret(1), receipt(1), ABSENT)  # type: ignore[attr-defined]  # a sink
    assert plain(1) not in repr(caught.value) + caught.value.hint
    assert not file(sops).exists()


def test_a_rule_for_our_field_alone_fits(sops: Folder) -> None:
    sink = ruled(sops, "    encrypted_regex: ^NB_PAT$\n", field="NB_PAT")
    sink.put(KEY, secret(1), receipt(1), ABSENT)  # type: ignore[attr-defined]  # a sink
    words = ["decrypt", "--extract", '["NB_PAT"]', file(sops)]
    assert ran("sops", *words, SOPS_AGE_KEY_FILE=str(sops.tool.key.file)) == plain(1)


def test_no_rule_for_the_place_is_refused(sops: Folder) -> None:
    (sops.home / "rules.yaml").write_text("creation_rules:\n  - path_regex: other\n    age: age1x\n")
    with pytest.raises(SinkRefused, match="no matching creation rules"):
        ruled(sops, "", sops_config="rules.yaml").preflight(KEY)  # type: ignore[attr-defined]  # a sink


def test_recipients_ask_no_rules(sops: Folder) -> None:
    ruled(sops, "    encrypted_regex: ^data$\n")
    put(sops.sink(), KEY, 1)
    assert sops.value(KEY) == plain(1)


def test_other_recipients_by_updatekeys_change_nothing_for_us(sops: Folder, tmp_path: Path) -> None:
    put(sops.sink(), KEY, 1)
    other = Key.made(tmp_path / "other.txt")
    (tmp_path / "new.yaml").write_text(f"creation_rules:\n  - age: {sops.tool.key.public},{other.public}\n")
    words = ["--config", tmp_path / "new.yaml", "updatekeys", "--yes", file(sops)]
    ran("sops", *words, at=sops.home, SOPS_AGE_KEY_FILE=str(sops.tool.key.file))
    file(sops).chmod(0o644)
    assert stored(sops.sink(), KEY) == receipt(1)
    assert Tool("sops", other).decrypt(file(sops).read_text()) == plain(1)
    put(sops.sink(), KEY, 2)
    assert sops.value(KEY) == plain(2)


def test_what_sops_itself_encrypted_anew_is_not_vouched_for_and_gets_a_new_token(sops: Folder) -> None:
    put(sops.sink(), KEY, 1)
    ran("sops", "rotate", "-i", file(sops), SOPS_AGE_KEY_FILE=str(sops.tool.key.file))
    held = sops.sink().read(KEY)
    assert isinstance(held, Damaged)
    assert held.receipt == receipt(1)
    put(sops.sink(), KEY, 2)
    assert sops.value(KEY) == plain(2)


def test_an_old_sops_whose_mac_is_of_everything_is_refused(sops: Folder) -> None:
    real = ran("which", "sops").strip()
    without = 'for w; do shift; [ "$w" = --mac-only-encrypted ] || set -- "$@" "$w"; done'
    old = program(sops, f'{without}; exec {real} "$@"')
    with pytest.raises(SinkRefused, match="too old"):
        built(sops, program=str(old)).preflight(KEY)  # type: ignore[attr-defined]  # a sink


@pytest.mark.parametrize(
    "options",
    [
        {"recipients": ["age1x"], "sops_config": "x", "field": "token"},
        {"field": "sops"},
        {"field": "a_unencrypted"},
        {"field": "token", "env": ["NB_PAT"]},
    ],
)
def test_options_that_cannot_be(tmp_path: Path, options: dict[str, object]) -> None:
    around = Surroundings(tmp_path, {}, allow_http=False)
    with pytest.raises(UsageError):
        sink_type("sops").build({"path": "x", "program": "sops", **options}, around)


def test_two_ciphers_may_share_a_folder(tmp_path: Path, consumer: Key) -> None:
    needed("sops")
    first, second = (Folder(tmp_path, Tool(name, consumer)) for name in TOOLS)
    put(first.sink(), KEY, 1)
    put(second.sink(), KEY, 2)
    assert [stored(each.sink(), KEY) for each in (first, second)] == [receipt(1), receipt(2)]
    assert [set(each.sink().inventory([]).entries) for each in (first, second)] == [{KEY}, {KEY}]


def test_a_folder_that_is_named_like_a_file_is_no_part_of_a_key() -> None:
    assert sink_type("age").keys({"path": "secrets"}).accepts("a/b")
    assert not sink_type("age").keys({"path": "secrets"}).accepts("a.age/b")
    assert os.sep == "/"
