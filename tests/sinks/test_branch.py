"""Tokens on a branch: what becomes of pushes that are late, lost or refused; a checkout is left alone."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

import pytest
from sealing import ENV, Branch, Key, Tool, git, needed

from reconciler.core.ports import Sink
from reconciler.core.receipts import ABSENT, Absent, Damaged, Stored, version_of
from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure, UsageError
from reconciler.sinks import sink_type
from reconciler.sinks.sealed import git as plumbing
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, put, receipt, secret
from reconciler.testing.contents import stored
from reconciler.testing.interleaving import at_once

KEY = "set/1"


@pytest.fixture(scope="module")
def consumer(tmp_path_factory: pytest.TempPathFactory) -> Key:
    needed("age", "age-keygen")
    return Key.made(tmp_path_factory.mktemp("key") / "key.txt")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Branch.begun(tmp_path_factory.mktemp("git"))


@pytest.fixture
def branch(tmp_path: Path, consumer: Key, begun: Path) -> Branch:
    return Branch(tmp_path, Tool("age", consumer), begun)


def tip(branch: Branch) -> str:
    return git("-C", branch.remote, "rev-parse", "main").strip()


def receiving(branch: Branch, text: str) -> None:
    """Whatever is pushed from our checkout is received by this script; `$1` is the repository."""
    script = branch.home / "receive"
    script.write_text(f"#!/bin/sh\ncd {branch.home}\nunset GIT_DIR\n{text}\n")
    script.chmod(0o755)
    git("-C", branch.ours, "config", "remote.origin.receivepack", script)


ONCE = '[ -e second ] && exec git-receive-pack "$1"\ntouch second\n'


def state(branch: Branch) -> tuple[object, ...]:
    """All that a person sees of our checkout."""
    return (
        (branch.ours / ".git" / "index").read_bytes(),
        (branch.ours / ".git" / "HEAD").read_bytes(),
        git("-C", branch.ours, "for-each-ref", "refs/heads", "refs/tags"),
        sorted(path.name for path in (branch.ours / ".git").iterdir()),
        sorted(path.name for path in branch.ours.iterdir()),
    )


def test_checkout_index_refs_and_hooks_are_left_alone(branch: Branch) -> None:
    (branch.ours / "staged").write_text("mine")
    git("-C", branch.ours, "add", "staged")
    (branch.ours / "README").write_text("half done")
    hooks = branch.ours / ".git" / "hooks"
    hooks.mkdir()
    for name in ("pre-push", "reference-transaction", "post-index-change", "pre-commit"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {branch.home}/hook-ran\n")
        (hooks / name).chmod(0o755)
    before = state(branch)
    sink = branch.sink()
    sink.preflight(KEY)
    put(sink, KEY, 1)
    put(sink, KEY, 2)
    sink.inventory([KEY])
    assert sink.delete(KEY, receipt(2).token.id)
    assert state(branch) == before
    assert not (branch.home / "hook-ran").exists()
    assert branch.shown("README") == "ours\n"


def test_no_history_and_no_store_of_objects_has_a_token(branch: Branch) -> None:
    put(branch.sink(), KEY, 1)
    put(branch.sink(), KEY, 2)
    for repository in (branch.remote, branch.ours):
        words = ["cat-file", "--batch-all-objects", "--batch"]
        held = subprocess.run(
            ["git", "-C", str(repository), *words], capture_output=True, check=True
        ).stdout
        assert b"nbp_" not in held
        assert (b"age" in held) == (plain(1)[4:].encode() not in held)
    assert receipt(2).token.id in git("-C", branch.remote, "log", "-1", "main")


def test_commits_say_what_they_are(branch: Branch) -> None:
    sink = branch.sink(author="token bot <bot@example.com>", note="[skip ci]")
    put(sink, KEY, 1)
    said = git("-C", branch.remote, "log", "-1", "--format=%an|%ae|%cn|%s", "main").strip()
    subject = f"netbird-tokens: {KEY}.age is for token {receipt(1).token.id} [skip ci]"
    assert said == f"token bot|bot@example.com|token bot|{subject}"


def test_runs_that_push_different_keys_at_once_all_get_through(branch: Branch) -> None:
    writers = [partial(put, branch.sink(), branch.key(n), n, ABSENT) for n in (1, 2, 3)]
    assert at_once(writers) == [None, None, None]
    assert [branch.value(branch.key(n)) for n in (1, 2, 3)] == [plain(1), plain(2), plain(3)]


def test_a_checkout_that_is_behind_or_elsewhere_does_not_matter(branch: Branch) -> None:
    branch.others_write("news", "1")
    git("-C", branch.ours, "checkout", "--quiet", "--detach")
    put(branch.sink(), KEY, 1)
    assert (branch.value(KEY), branch.shown("news")) == (plain(1), "1")


def test_a_shallow_checkout_will_do(branch: Branch) -> None:
    for number in range(3):
        branch.others_write("news", str(number))
    shallow = branch.home / "shallow"
    git("clone", "--quiet", "--depth=1", f"file://{branch.remote}", shallow)
    branch.others_write("news", "later")
    branch.ours = shallow
    put(branch.sink(), KEY, 1)
    put(branch.sink(), KEY, 2)
    assert (branch.value(KEY), branch.shown("news")) == (plain(2), "later")


@pytest.mark.parametrize(
    "what", ["HEAD:secrets/set/1.age", "HEAD:secrets/set", "HEAD:secrets", "HEAD^{tree}"]
)
def test_what_a_broken_store_of_objects_lacks_is_unread(branch: Branch, what: str) -> None:
    put(branch.sink(), KEY, 1)
    branch.others_write("news", "1")
    assert isinstance(branch.sink().inventory([KEY]).at(KEY), Stored)
    oid = git("-C", branch.others, "rev-parse", what).strip()
    (branch.ours / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    before = tip(branch)
    with pytest.raises(SinkUnread):
        branch.sink().read(KEY)
    with pytest.raises(SinkUnread):
        branch.sink().inventory([KEY])
    with pytest.raises(SinkRefused):
        branch.sink().put(KEY, secret(2), receipt(2), ABSENT)
    assert tip(branch) == before


def test_the_top_of_the_repository_is_a_folder_too(branch: Branch) -> None:
    options = {**branch.options(), "path": "."}
    sink = sink_type("age").build(options, Surroundings(branch.ours, ENV, allow_http=False))
    put(sink, KEY, 1)
    assert set(sink.inventory([]).entries) == {KEY}
    assert branch.shown(f"{KEY}.age")


# --- pushes that do not come through -----------------------------------------------------------------


def test_a_push_that_the_remote_rejects_is_refused(branch: Branch) -> None:
    before = tip(branch)
    with branch.hooked("pre-receive", "exit 1"), pytest.raises(SinkRefused, match="hook declined"):
        put(branch.sink(), KEY, 1)
    assert tip(branch) == before


def test_a_push_whose_answer_is_lost_is_settled_by_asking(branch: Branch) -> None:
    with branch.failing("after"):
        put(branch.sink(), KEY, 1)
    assert stored(branch.sink(), KEY) == receipt(1)


def test_a_push_that_nobody_received_is_sent_again(branch: Branch) -> None:
    receiving(branch, f"{ONCE}exit 1")
    put(branch.sink(), KEY, 1)
    assert branch.value(KEY) == plain(1)


def test_a_push_that_is_never_answered_is_unsure(branch: Branch) -> None:
    before = tip(branch)
    receiving(branch, "exit 1")
    with pytest.raises(SinkUnsure, match="may or may not come through"):
        put(branch.sink(), KEY, 1)
    assert tip(branch) == before


def test_a_push_that_hangs_is_unsure(branch: Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = branch.sink()
    held = sink.read(KEY)
    assert isinstance(held, Absent)
    receiving(branch, "exec sleep 600")
    monkeypatch.setattr(plumbing, "NETWORK", 1.0)
    with pytest.raises(SinkUnsure, match="took longer than 1 s"):
        sink.put(KEY, secret(1), receipt(1), ABSENT)


def test_a_lost_push_that_another_one_overtook_can_never_land_and_is_made_anew(branch: Branch) -> None:
    branch.others_write("news", "1")
    (branch.others / "news").write_text("2")
    git("-C", branch.others, "commit", "--quiet", "-am", "others: news")
    receiving(branch, f"{ONCE}git -C others push --quiet origin HEAD:main\nexit 1")
    put(branch.sink(), KEY, 1)
    assert (branch.value(KEY), branch.shown("news")) == (plain(1), "2")


def test_a_lost_push_to_a_place_that_another_run_took_is_refused(branch: Branch) -> None:
    put(branch.sink(), KEY, 1)
    seen = branch.sink().read(KEY)
    git("-C", branch.others, "pull", "--quiet")
    (branch.others / f"secrets/{KEY}.age").write_text(branch.tool.encrypt("theirs"))
    git("-C", branch.others, "commit", "--quiet", "-am", "others: it")
    receiving(branch, f"{ONCE}git -C others push --quiet origin HEAD:main\nexit 1")
    with pytest.raises(SinkRefused):
        branch.sink().put(KEY, secret(2), receipt(2), version_of(seen))  # type: ignore[arg-type]  # it was read
    assert branch.value(KEY) == "theirs"


def test_a_lost_push_to_a_branch_that_somebody_rewrote_is_unsure(branch: Branch) -> None:
    branch.others_write("news", "1")
    git("-C", branch.others, "commit", "--quiet", "--amend", "-m", "another past")
    receiving(branch, f"{ONCE}git -C others push --quiet --force origin HEAD:main\nexit 1")
    with pytest.raises(SinkUnsure):
        put(branch.sink(), KEY, 1)


def test_where_others_push_all_the_time_a_run_gives_up_and_has_written_nothing(branch: Branch) -> None:
    branch.others_write("news", "1")
    theirs = "git -C others commit --quiet --allow-empty -m more"
    push = "git -C others push --quiet origin HEAD:main"
    receiving(branch, f'{theirs}\n{push}\nexec git-receive-pack "$1"')
    with pytest.raises(SinkRefused, match="others push to origin main all the time"):
        put(branch.sink(), KEY, 1)
    assert branch.value(KEY) is None


# --- what is refused before anything is pushed -------------------------------------------------------


def test_a_branch_that_is_not_there_is_not_empty(branch: Branch) -> None:
    sink = branch.sink(branch="elsewhere")
    with pytest.raises(SinkUnread, match="there is no branch origin elsewhere"):
        sink.inventory([])
    with pytest.raises(SinkRefused, match="there is no branch"):
        sink.preflight(KEY)


def test_a_branch_whose_name_only_ends_alike_is_another(branch: Branch) -> None:
    git("-C", branch.remote, "update-ref", "refs/heads/old/refs/heads/main", "main")
    branch.others_write("news", "1")
    put(branch.sink(), KEY, 1)
    assert (branch.value(KEY), branch.shown("news")) == (plain(1), "1")
    with pytest.raises(SinkUnread, match="there is no branch"):
        branch.sink(branch="refs/heads/main").inventory([])


def test_a_remote_that_lets_nobody_push_fails_the_preflight(branch: Branch) -> None:
    receiving(branch, "echo 'no entry' >&2; exit 1")
    with pytest.raises(SinkRefused, match="cannot push to origin main"):
        branch.sink().preflight(KEY)


def test_a_push_that_comes_first_says_nothing_against_the_next(branch: Branch) -> None:
    branch.others_write("news", "1")
    push = "git -C others push --quiet origin HEAD:main"
    receiving(branch, f'git -C others commit --quiet --allow-empty -m x\n{push}\nexec git-receive-pack "$1"')
    branch.sink().preflight(KEY)


def test_a_folder_outside_of_the_repository_is_named(branch: Branch) -> None:
    sink = sink_type("age").build(
        {**branch.options(), "path": "../elsewhere"}, Surroundings(branch.ours, ENV, allow_http=False)
    )
    with pytest.raises(SinkUnread, match="is not in the repository"):
        sink.inventory([])


def test_a_config_that_lies_in_no_repository_says_so(branch: Branch) -> None:
    around = Surroundings(branch.home, ENV, allow_http=False)
    sink: Sink = sink_type("age").build(branch.options(), around)
    with pytest.raises(SinkUnread, match=r"(?i)not a git repository"):
        sink.read(KEY)


def test_a_file_in_the_way_of_a_folder_is_refused(branch: Branch) -> None:
    branch.others_write("secrets", "a file")
    with pytest.raises(SinkRefused):
        put(branch.sink(), KEY, 1)
    assert branch.shown("secrets") == "a file"


def test_a_folder_in_the_place_of_a_file_is_refused(branch: Branch) -> None:
    branch.others_write(f"secrets/{KEY}.age/x", "a file")
    with pytest.raises(SinkRefused, match="is a folder"):
        branch.sink().put(KEY, secret(1), receipt(1), ABSENT)
    with pytest.raises(SinkRefused, match="is a folder"):
        branch.sink().preflight(KEY)


def test_a_link_in_the_place_of_a_file_is_somebody_else_s(branch: Branch) -> None:
    (branch.others / "secrets" / "set").mkdir(parents=True)
    (branch.others / f"secrets/{KEY}.age").symlink_to("/etc/passwd")
    branch.others_push(f"secrets/{KEY}.age")
    held = branch.sink().read(KEY)
    assert isinstance(held, Damaged)
    assert held.receipt is None
    assert branch.sink().inventory([KEY]).at(KEY) == held


def test_a_branch_is_known_by_its_remote_and_name_however_they_are_written(branch: Branch) -> None:
    around = Surroundings(branch.ours, ENV, allow_http=False)

    def store(path: str, **more: object) -> tuple[str, ...]:
        git_options = {"git": {"push": True, **more}} if more.pop("git", True) else {}
        return sink_type("age").store({"path": path, **git_options}, around)

    assert store("secrets") == store("./x/../secrets", remote="origin", branch="main")
    assert len({store("secrets"), store("secrets", branch="b"), store("s"), store("secrets", git=False)}) == 4


def test_a_credential_in_the_url_of_a_remote_is_not_shown(branch: Branch) -> None:
    url = "https://bot:hunter22@127.0.0.1:1/x.git"
    git("-C", branch.ours, "config", "remote.origin.url", url)
    with pytest.raises(SinkUnread) as caught:
        branch.sink().inventory([])
    assert "hunter22" not in caught.value.message + caught.value.hint
    assert "127.0.0.1" in caught.value.message


def test_git_sees_no_credential_of_ours(branch: Branch) -> None:
    receiving(branch, 'env > seen; exec git-receive-pack "$1"')
    around = {**ENV, "NB_PAT": plain(7), "MINE": "1", "HOME": str(branch.home)}
    sink = sink_type("age").build(
        branch.options(env=["MINE"]), Surroundings(branch.ours, around, allow_http=False)
    )
    put(sink, KEY, 1)
    seen = (branch.home / "seen").read_text()
    assert "MINE=1" in seen
    assert "nbp_" not in seen
    with pytest.raises(UsageError, match="NB_PAT"):
        branch.sink(env=["NB_PAT"])
