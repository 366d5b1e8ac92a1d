"""Hooks: every stored secret gets its deploy hook, whatever comes in between, on whatever machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from staging import Stage, at_a_terminal, command, piped, wait_for

from reconciler.emulator import Drop, Fault, Status
from reconciler.locks.file import FileLock
from reconciler.locks.holder import Holder

HOOK = "hooks:\n  deploy: [[sh, -c, 'cat >> seen; test -e works']]\n"


def seen() -> list[str]:
    """The names that the hook was called with since the last look."""
    found = Path("seen").read_text("utf-8").split() if Path("seen").exists() else []
    Path("seen").unlink(missing_ok=True)
    return found


def marks(stage: Stage) -> list[str]:
    """The entries whose receipts say that a hook has still to run."""
    receipts = sorted((stage.folder / "secrets/platform").glob(".*.netbird-tokens.json"))
    found = [json.loads(path.read_text("utf-8")) for path in receipts]
    return [receipt["name"] for receipt in found if receipt.get("undeployed")]


def test_a_hook_that_succeeds_runs_once_and_leaves_no_mark(stage: Stage) -> None:
    stage.config(HOOK)
    stage.tokens_file("name: a", "name: b")
    Path("works").touch()
    assert stage.run("apply", "--yes").code == 0
    assert (seen(), marks(stage)) == (["a", "b"], [])
    stage.emulator.requests.clear()
    assert stage.run("apply", "--yes").code == 0
    assert (seen(), stage.writes()) == ([], [])
    stage.tokens_file("name: a", "{name: b, rotation: 1}")
    assert stage.run("apply", "--yes").code == 0
    assert seen() == ["b"]


def test_without_a_hook_nothing_is_marked(stage: Stage) -> None:
    stage.tokens_file("name: a")
    stage.config("hooks: {failure: [['false']]}\n")
    assert stage.run("apply", "--yes").code == 0
    stage.config(HOOK)
    assert stage.run("apply", "--yes").code == 0
    assert seen() == []


def test_the_next_run_calls_a_hook_that_failed_for_the_same_names(stage: Stage) -> None:
    stage.config(HOOK)
    stage.tokens_file("name: a", "name: b")
    ran = stage.run("apply", "--yes")
    assert ran.code == 10
    assert "hook sh failed with exit code 1" in ran.err
    assert "the next run calls the hooks again for a, b" in ran.err
    assert ran.out.rstrip().endswith("then run the same command again; after `rotate`, run `apply`.")
    assert (seen(), marks(stage)) == (["a", "b"], ["a", "b"])
    ran = stage.run("apply", "--yes", "--format", "json")
    assert ran.code == json.loads(ran.out)["exit"]["code"] == 10
    assert seen() == ["a", "b"]
    Path("works").touch()
    stage.emulator.requests.clear()
    ran = stage.run("apply", "--yes")
    assert ran.code == 0
    assert "no deploy hook has succeeded for it yet: a, b" in ran.err
    assert (seen(), marks(stage), stage.writes()) == (["a", "b"], [], [])
    assert stage.run("apply", "--yes").code == 0
    assert seen() == []


@pytest.mark.parametrize("argv", ["renew --yes", "rotate b --reason x --yes", "apply plan.json"])
def test_every_command_that_writes_calls_what_waits(stage: Stage, argv: str) -> None:
    stage.config(HOOK)
    stage.tokens_file("name: a", "name: b")
    assert stage.run("apply", "--yes").code == 10
    stage.run("plan", "--out", "plan.json")
    Path("works").touch()
    seen()
    assert stage.run(*argv.split()).code == 0
    assert (seen(), marks(stage)) == (["a", "b"], [])


def test_looking_says_what_waits_and_calls_nothing(stage: Stage) -> None:
    stage.config(HOOK)
    stage.tokens_file("name: a")
    assert stage.run("apply", "--yes").code == 10
    seen()
    for argv, code in (("plan", 0), ("plan --detailed-exitcode", 2), ("drift", 0), ("status", 0)):
        ran = stage.run(*argv.split())
        assert ran.code == code
        assert "no deploy hook has succeeded for it yet: a" in ran.err
    assert seen() == []


def test_a_person_is_asked_before_a_hook_is_called_once_more(stage: Stage) -> None:
    stage.config(HOOK)
    stage.tokens_file("name: a")
    assert stage.run("apply", "--yes").code == 10
    Path("works").touch()
    seen()
    assert stage.run("apply").code == 3
    out, status = at_a_terminal(stage, "n\n", "apply")
    assert (status, seen()) == (3, [])
    assert "Run the deploy hooks for a?" in out
    assert "declined" in out
    assert at_a_terminal(stage, "y\n", "apply")[1] == 0
    assert seen() == ["a"]


def test_a_run_that_dies_before_the_hook_leaves_it_to_the_next_one(stage: Stage) -> None:
    """On another machine: nothing but the sink and the files is left of the first."""
    stage.config("hooks:\n  deploy: [[sh, -c, 'kill -9 $PPID']]\n")
    stage.tokens_file("name: a")
    process = command(stage, "apply", "--yes")
    process.communicate(timeout=30)
    assert process.returncode == -9
    assert marks(stage) == ["a"]
    fresh = stage.folder.parent / "fresh"
    fresh.mkdir(mode=0o700)
    for name in ("secrets", "tokens.yaml"):
        shutil.move(stage.folder / name, fresh / name)
    os.chdir(fresh)
    stage.folder = fresh
    stage.config(HOOK)
    Path("works").touch()
    assert stage.run("apply", "--yes").code == 0
    assert (seen(), marks(stage)) == (["a"], [])


def test_names_reach_a_hook_in_utf_8_whatever_the_locale_is(stage: Stage) -> None:
    """Before, the run broke off after the secrets were stored."""
    stage.config("hooks:\n  deploy: [[sh, -c, 'cat > seen; echo $0 >> seen', grüße]]\n")
    stage.tokens_file("{name: münze, sinks: [{sink: local, key: coin}]}")
    ran = piped(stage, 'LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 "$@"', "apply", "--yes")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert seen() == ["münze", "grüße"]


def test_stdout_of_a_hook_goes_nowhere_and_its_stderr_where_ours_goes(stage: Stage) -> None:
    """However much it prints: nobody keeps it."""
    chatty = "yes | head -c 4000000; echo reloaded >&2; exit 3"
    stage.config(f"hooks:\n  deploy: [[sh, -c, '{chatty}']]\n")
    stage.tokens_file("name: a")
    ran = piped(stage, '"$@"', "apply", "--yes", "--format", "json")
    assert ran.returncode == json.loads(ran.stdout)["exit"]["code"] == 10
    assert ran.stderr.index("reloaded") < ran.stderr.index("hook sh failed with exit code 3")


def test_a_hook_that_cannot_be_run_has_failed(stage: Stage) -> None:
    stage.config("hooks: {deploy: [[./nothing]], failure: [[./nothing]]}\n")
    stage.tokens_file("name: a")
    ran = stage.run("apply", "--yes")
    assert (ran.code, marks(stage)) == (10, ["a"])
    assert "hook ./nothing cannot be run: No such file or directory" in ran.err


def test_a_failed_hook_says_more_than_an_entry_that_is_held_up(stage: Stage) -> None:
    """Exit 5 asks nobody to run it again; the hook's consumer needs just that."""
    stage.config("hooks: {deploy: [['false']], failure: [[sh, -c, 'touch paged; exit 1']]}\n")
    (stage.folder / "secrets/platform").mkdir(parents=True, mode=0o700)
    Path("secrets/platform/b").write_text("foreign", "utf-8")
    Path("secrets").chmod(0o700)
    stage.tokens_file("name: a", "name: b")
    ran = stage.run("apply", "--yes")
    assert (ran.code, marks(stage), Path("paged").exists()) == (10, ["a"], True)
    stage.config("hooks: {failure: [['false']]}\n")
    assert stage.run("apply", "--yes").code == 5


def test_a_second_signal_ends_the_hook_and_the_next_run_calls_it(stage: Stage) -> None:
    slow = "cat >> seen; sleep 60 & echo $! > left; wait"
    stage.config(f"hooks:\n  deploy: [[sh, -c, '{slow}']]\n")
    stage.tokens_file("name: a")
    process = command(stage, "apply", "--yes")
    wait_for(lambda: Path("left").exists() and Path("left").read_text("utf-8"))
    process.send_signal(signal.SIGINT)
    assert process.stdout
    next(line for line in process.stdout if "finishing what is in flight" in line)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=20)
    assert (process.returncode, "cut off: hooks" in said) == (130, True)
    left = Path(f"/proc/{Path('left').read_text('utf-8').strip()}/stat")
    assert not left.exists() or left.read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    assert (seen(), marks(stage)) == (["a"], ["a"])


def test_a_secret_of_an_uncertain_renewal_gets_its_hook_from_the_next_run(stage: Stage) -> None:
    stage.config(HOOK)
    stage.tokens_file("name: a")
    Path("works").touch()
    assert stage.run("apply", "--yes").code == 0
    seen()
    stage.pass_time(hours=1)
    stage.emulator.faults.add(Fault(Drop(), "DELETE", times=None))
    assert stage.run("rotate", "a", "--reason", "x", "--compromised", "--yes").code == 9
    stage.emulator.faults.clear()
    assert (seen(), marks(stage)) == ([], ["a"])
    assert stage.run("apply", "--yes").code == 0
    assert (seen(), marks(stage)) == (["a"], [])


def test_a_token_made_by_hand_calls_no_hook_and_leaves_none_to_call(stage: Stage) -> None:
    """No later run would look after it: the one who made it does, as the README says."""
    stage.config(HOOK)
    stage.tokens_file("name: a")
    Path("works").touch()
    assert stage.run("create", "--name", "x", "--sink", "local", "--user-id", "ci-bot").code == 0
    receipts = (stage.folder / "secrets/by-hand").glob(".*.netbird-tokens.json")
    assert [json.loads(path.read_text("utf-8")).get("undeployed", False) for path in receipts] == [False]
    assert stage.run("apply", "--yes").code == 0
    assert seen() == ["a"]


def test_a_mark_that_cannot_be_taken_off_is_an_error_and_costs_one_more_call(stage: Stage) -> None:
    break_in = "rm -r secrets/platform; touch secrets/platform"
    stage.config(f"hooks:\n  deploy: [[sh, -c, '{break_in}']]\n")
    stage.tokens_file("name: a")
    ran = stage.run("apply", "--yes")
    assert ran.code == 1
    assert "the deploy hooks ran, and will run once more: local:platform/a" in ran.err


def failed() -> list[str] | None:
    """The names that the failure hook was given; None if it was not called."""
    path = Path("failed")
    return path.read_text("utf-8").split() if path.exists() else None


FAILS = "failure: [[sh, -c, 'cat > failed']]"
FAILURE = f"hooks: {{{FAILS}}}\n"


def test_the_failure_hook_gets_the_names_of_what_was_not_done(stage: Stage) -> None:
    stage.config(FAILURE)
    stage.tokens_file("name: a", "name: b")
    stage.emulator.faults.add(Fault(Status(400, "no"), "POST", skip=1))
    assert stage.run("apply", "--yes").code == 8
    (done,) = stage.live()  # two threads at work: either may be the first
    assert failed() == sorted({"a", "b"} - {done})


@pytest.mark.parametrize("why", ["credential", "server", "file", "guard", "stale", "lock", "hook", "gap"])
def test_the_failure_hook_is_called_whatever_ended_the_run(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    deploys = "deploy: [['false']], " if why == "hook" else ""
    stage.config(f"hooks: {{{deploys}{FAILS}}}\nlock: {{type: file, path: run.lock}}\n")
    stage.tokens_file("name: a", "name: b")
    other = FileLock(stage.folder / "run.lock")
    argv = ["apply", "--yes"]
    code = {"credential": 4, "file": 3, "guard": 5, "stale": 6, "lock": 7, "hook": 10}
    match why:
        case "credential":
            monkeypatch.setenv("NB_PAT", "nbp_" + "0" * 36)
        case "server":
            stage.emulator.faults.add(Fault(Status(500, "no"), "GET", times=None))
        case "file":
            stage.tokens_file("nme: a")
        case "guard":
            stage.run("apply", "--yes")
            stage.pass_time(hours=1)
            stage.tokens_file("{name: a, state: absent, reason: x}", "{name: b, state: absent, reason: x}")
        case "stale":
            argv = ["apply", "--approved-change", "sha256:0"]
        case "lock":
            other.take(Holder("id", "apply", who="somebody@else"))
        case "gap":
            stage.run("apply", "--yes")
            stage.emulator.faults.add(Fault(Status(500, "no"), "GET", path="*/tokens", times=None))
    assert failed() is None
    ran = stage.run(*argv)
    assert ran.code == code.get(why, 1), ran.err
    assert failed() == []


def test_no_failure_hook_where_all_is_well_or_nothing_is_written(stage: Stage) -> None:
    stage.config(FAILURE)
    stage.tokens_file("name: a")
    assert stage.run("apply", "--yes").code == 0
    stage.emulator.issue(stage.bot, "by hand")
    assert stage.run("drift").code == 2
    stage.emulator.faults.add(Fault(Status(500, "no"), "GET", times=None))
    assert stage.run("plan").code == 1
    assert failed() is None
