"""shards, apply --shard, report merge: several jobs carry out one plan, and it is as if one had."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from staging import Stage
from test_documents import check

from reconciler.core.shards import Shard, number_of
from reconciler.emulator import Fault, Status

USERS = 7


@pytest.fixture
def many(stage: Stage) -> Stage:
    """A token for each of several users, applied once; then each is to be renewed, and one is new."""
    stage.users = [stage.emulator.add_user(f"u{n}", role="user", service_user=True) for n in range(USERS)]
    write(stage, 0)
    assert stage.run("apply", "--yes").code == 0
    write(stage, 1)
    return stage


def write(stage: Stage, rotation: int) -> None:
    new = ["{name: new, user: u3}"] if rotation else []
    stage.tokens_file(*[f"{{name: t{n}, user: u{n}, rotation: {rotation}}}" for n in range(USERS)], *new)


def tokens(stage: Stage) -> int:
    return sum(len(stage.emulator.tokens(user)) for user in stage.users)


def saved(stage: Stage) -> dict[str, Any]:
    assert stage.run("plan", "--out", "plan.json").code == 0
    document: dict[str, Any] = json.loads(Path("plan.json").read_text("utf-8"))
    return document


def matrix(stage: Stage, count: int) -> list[str]:
    ran = stage.run("shards", "plan.json", "--count", str(count), "--json")
    assert ran.code == 0
    return [part["shard"] for part in json.loads(ran.out)["include"]]


def test_parts_one_after_the_other_do_what_one_run_does(many: Stage) -> None:
    saved(many)
    for part in matrix(many, 3):
        assert many.run("apply", "plan.json", "--shard", part).code == 0
    assert tokens(many) == 2 * USERS + 1
    assert "Nothing to do" in many.run("plan").out


def test_parts_at_the_same_time_do_what_one_run_does(many: Stage) -> None:
    """Real processes, as the jobs of a matrix are, under a lock that one run at a time could hold."""
    many.config("sinks: {local: {type: file, path: secrets}}\nlock: {type: file, path: lock}\n")
    saved(many)
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "reconciler", "apply", "plan.json", "--shard", part,
             "--report", f"json=part-{number}.json"],
            stdout=subprocess.DEVNULL,
        )
        for number, part in enumerate(matrix(many, 4))
    ]  # fmt: skip
    assert [run.wait(60) for run in runs] == [0] * len(runs)
    assert len(runs) > 1
    assert tokens(many) == 2 * USERS + 1
    reports = [str(path) for path in sorted(Path().glob("part-*.json"))]
    ran = many.run("report", "merge", *reports, "--format", "json")
    merged = json.loads(ran.out)
    check(merged, "report.v1")
    assert (ran.code, merged["summary"]["done"]) == (0, USERS + 1)
    assert merged["plan"]["summary"]["renew"] == USERS
    assert "Applied: 8 done." in many.run("report", "merge", *reports).out
    assert "8 done" in many.run("report", "merge", *reports, "--format", "markdown").out


def test_every_user_is_in_exactly_one_part(many: Stage) -> None:
    parts = [Shard(index, 5) for index in range(1, 6)]
    for user in map(str, range(200)):
        assert sum(part.has(user, whole=False) for part in parts) == 1
    assert {number_of(str(user), 5) for user in range(200)} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize("working", [(), (1,), (3,), (2, 4), (1, 2, 3, 4)])
def test_what_no_plan_lists_is_one_parts_whichever_parts_are_run(working: tuple[int, ...]) -> None:
    parts = [Shard(index, 4) for index in range(1, 5)]
    for user in map(str, range(50)):
        (one,) = [part.index for part in parts if part.calls(user, working)]
        assert one in (working or (number_of(user, 4),))


def test_where_a_sink_is_written_to_for_the_first_time_one_part_does_it_all(stage: Stage) -> None:
    stage.users = [stage.emulator.add_user(f"u{n}", role="user", service_user=True) for n in range(USERS)]
    write(stage, 0)
    saved(stage)
    assert matrix(stage, 4) == ["1/4"]
    assert stage.run("apply", "plan.json", "--shard", "2/4").code == 0
    assert tokens(stage) == 0
    assert stage.run("apply", "plan.json", "--shard", "1/4").code == 0
    assert tokens(stage) == USERS


def test_a_plan_with_nothing_to_do_has_no_parts(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.run("apply", "--yes")
    saved(stage)
    assert matrix(stage, 4) == []


def test_a_part_is_stale_where_its_own_users_moved_and_not_where_others_did(many: Stage) -> None:
    saved(many)
    parts = matrix(many, 2)
    write(many, 0)  # u3's new token is gone from the file, and no rotation is raised any more
    assert {many.run("apply", "plan.json", "--shard", part).code for part in parts} == {6}


def test_an_approval_is_of_the_saved_plan_whatever_other_parts_have_done(many: Stage) -> None:
    plan = saved(many)
    parts, approved = matrix(many, 3), f"--approved-change={plan['change_id']}"
    assert len(parts) > 1
    other = f"sha256:{'0' * 64}"
    assert many.run("apply", "plan.json", "--shard", parts[0], f"--approved-change={other}").code == 6
    Path("edited.json").write_text(json.dumps({**plan, "change_id": other}), "utf-8")
    ran = many.run("apply", "edited.json", "--shard", parts[0], f"--approved-change={other}")
    assert (ran.code, "altered" in ran.err) == (6, True)
    assert tokens(many) == USERS
    assert {many.run("apply", "plan.json", "--shard", part, approved).code for part in parts} == {0}
    assert tokens(many) == 2 * USERS + 1


def test_guards_judge_the_whole(many: Stage) -> None:
    many.pass_time(hours=1)
    many.tokens_file("{name: t0, user: u0}")
    ran = many.run("plan", "--out", "plan.json")
    assert ran.code == 5
    for part in ("1/2", "2/2"):
        assert many.run("apply", "plan.json", "--shard", part).code == 5
    assert tokens(many) == USERS


HOOK = "hooks:\n  deploy: [[sh, -c, 'cat >> seen; test -e works']]\n"


@pytest.mark.parametrize("renewed", [USERS, 1, 0])
def test_hooks_of_earlier_runs_are_called_once_by_all_parts_together(
    many: Stage, renewed: int
) -> None:
    """Whether each part is a job of its own, or only those are that have something to do."""
    many.config(HOOK)
    assert many.run("apply", "--yes").code == 10
    names = [f"t{n}" for n in range(USERS)]
    rotations = {name: 2 if n < renewed else 1 for n, name in enumerate(names)}
    many.tokens_file(
        *[f"{{name: {name}, user: u{n}, rotation: {rotations[name]}}}" for n, name in enumerate(names)],
        "{name: new, user: u3}",
    )
    document = saved(many)
    Path("works").touch()
    working = matrix(many, 4)
    every = [f"{index}/4" for index in range(1, 5)]
    assert len(working) == len({number_of(user, 4) for user in many.users[:renewed]})
    called: list[str] = []
    for part in working or every:
        Path("seen").unlink(missing_ok=True)
        assert many.run("apply", "plan.json", "--shard", part).code == 0
        called += Path("seen").read_text("utf-8").split() if Path("seen").exists() else []
    assert sorted(called) == sorted([*names, "new"])
    assert document["summary"]["renew"] == renewed
    Path("seen").unlink(missing_ok=True)
    for part in every:
        many.run("apply", "plan.json", "--shard", part)
    assert not Path("seen").exists()


@pytest.mark.parametrize(
    ("env", "part"), [({"CI_NODE_INDEX": "2"}, "2/2"), ({"JOB_COMPLETION_INDEX": "1"}, "2/2")]
)
def test_a_job_that_is_told_its_number_need_not_write_it(
    many: Stage, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], part: str
) -> None:
    saved(many)
    assert many.run("apply", "plan.json", "--shard", "auto/2").code == 3
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert many.run("apply", "plan.json", "--shard", "auto/2").code == 0
    names = [change["name"] for change in json.loads(many.run("plan", "--format", "json").out)["changes"]
             if change["action"] in ("create", "renew")]  # fmt: skip
    assert 0 < len(names) < USERS + 1
    writes = len(many.writes())
    assert many.run("apply", "plan.json", "--shard", part).code == 0
    assert len(many.writes()) == writes  # it was done


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3", "1/99999"])
def test_a_part_that_there_is_not_is_a_usage_error(many: Stage, part: str) -> None:
    saved(many)
    assert many.run("apply", "plan.json", f"--shard={part}").code == 3


def test_a_part_of_nothing_is_a_usage_error(many: Stage) -> None:
    assert many.run("apply", "--yes", "--shard", "1/2").code == 3


def test_the_report_of_all_is_as_bad_as_the_worst(many: Stage) -> None:
    saved(many)
    parts = matrix(many, 2)
    path = f"/api/users/{many.users[3]}/tokens"
    many.emulator.faults.add(Fault(Status(422, "no"), "POST", path, times=None))
    codes = [
        many.run("apply", "plan.json", "--shard", part, "--report", f"json={number}.json").code
        for number, part in enumerate(parts)
    ]
    assert sorted(codes) == [0, 8]
    ran = many.run("report", "merge", "0.json", "1.json", "--format", "json")
    assert (ran.code, json.loads(ran.out)["exit"]["code"]) == (8, 8)


def parted(stage: Stage) -> list[str]:
    """A report of each part."""
    saved(stage)
    names = []
    for number, part in enumerate(matrix(stage, 3)):
        names.append(f"part-{number}.json")
        assert stage.run("apply", "plan.json", "--shard", part, "--report", f"json={names[-1]}").code == 0
    assert len(names) > 1
    return names


def test_a_part_without_a_report_is_missed(many: Stage) -> None:
    """What could not be looked at is not nothing: its job may have died with half of its work done."""
    first, *others = parted(many)
    check(json.loads(Path(first).read_text("utf-8")), "report.v1")
    assert many.run("report", "merge", first, *others).code == 0
    ran = many.run("report", "merge", *others)
    assert (ran.code, "no report of 1/3" in ran.out) == (1, True)
    merged = json.loads(many.run("report", "merge", *others, "--format", "json").out)
    check(merged, "report.v1")
    assert merged["plan"]["complete"] is False
    assert {"what": "part 1/3", "why": "there is no report of it"} in merged["plan"]["errors"]
    assert "1/3" in many.run("report", "merge", *others, "--format", "markdown").out


def test_a_part_that_could_not_begin_is_known_all_the_same(many: Stage) -> None:
    first, *others = parted(many)
    plan = json.loads(Path("plan.json").read_text("utf-8"))
    Path("plan.json").write_text(json.dumps({**plan, "set": "other"}), "utf-8")
    assert many.run("apply", "plan.json", "--shard", "1/3", "--report", f"json={first}").code == 6
    Path("plan.json").write_text("{}", "utf-8")
    assert many.run("apply", "plan.json", "--shard", "1/3", "--report", f"json={first}").code == 6
    ran = many.run("report", "merge", first, *others)
    assert (ran.code, "not a plan" in ran.out) == (6, True)


def test_reports_that_would_count_twice_are_refused(many: Stage) -> None:
    first, *others = parted(many)
    ran = many.run("report", "merge", first, first, *others)
    assert (ran.code, "twice" in ran.err) == (3, True)
    many.run("apply", "--yes", "--report", "json=whole.json")
    ran = many.run("report", "merge", first, "whole.json")
    assert (ran.code, "whole run" in ran.err) == (3, True)
    other = json.loads(Path(first).read_text("utf-8"))
    other["part"]["shard"] = "2/2"
    Path("other.json").write_text(json.dumps(other), "utf-8")
    assert many.run("report", "merge", first, "other.json").code == 3


def test_a_report_that_another_plan_has_left_hides_no_part(many: Stage) -> None:
    """Same set, account and parts: the run before. Its part 1 would stand for one that has died now."""
    stale, *_ = parted(many)
    Path(stale).rename("stale.json")
    write(many, 2)
    _, *others = parted(many)
    ran = many.run("report", "merge", "stale.json", *others)
    assert (ran.code, ran.out) == (3, "")
    assert "part 1/3 is of the plan sha256:" in ran.err
    assert many.run("report", "merge", *others).code == 1  # the missing part


def test_reports_of_different_runs_are_not_made_one(many: Stage) -> None:
    saved(many)
    many.run("apply", "plan.json", "--report", "json=one.json")
    other = json.loads(Path("one.json").read_text("utf-8"))
    other["plan"]["set"] = "other"
    Path("two.json").write_text(json.dumps(other), "utf-8")
    assert many.run("report", "merge", "one.json", "two.json").code == 3


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00", "[" * 100_000, '{"exit": {"code": 99}}'])
def test_what_is_no_report_is_refused(many: Stage, text: str) -> None:
    saved(many)
    many.run("apply", "plan.json", "--report", "json=one.json")
    found = json.loads(Path("one.json").read_text("utf-8"))
    if "99" in text:
        text = json.dumps({**found, "exit": {**found["exit"], "code": 99}})
    Path("bad.json").write_text(text, "utf-8")
    for bad in ("bad.json", "/dev/zero", "nothing.json", "."):
        ran = many.run("report", "merge", "one.json", bad)
        assert (ran.code, bad in ran.err) == (3, True)
