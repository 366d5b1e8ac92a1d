"""What is asked for by name, or as `user/name` where two users have one name; and what is misspelled."""

from __future__ import annotations

import json

import pytest
from staging import Stage

TWO = ("name: x", "{name: x, user: web-bot, sinks: [{sink: local, key: web/x}]}", "name: terraform")


@pytest.fixture
def two(stage: Stage) -> Stage:
    stage.emulator.add_user("web-bot", role="user", service_user=True)
    stage.tokens_file(*TWO)
    assert stage.run("apply", "--yes").code == 0
    stage.pass_time(hours=1)
    stage.emulator.requests.clear()
    return stage


def rotate(stage: Stage, *names: str) -> str:
    ran = stage.run("rotate", *names, "--reason", "r", "--yes")
    assert ran.code == 0, ran
    return ran.out


def test_an_address_rotates_one_and_a_name_of_two_is_refused(two: Stage) -> None:
    ran = two.run("rotate", "x", "--reason", "r", "--yes")
    assert ran.code == 3
    assert "'x' is the name of 2 tokens" in ran.err
    assert "try: write one of " in ran.err
    assert {"ci-bot/x", "web-bot/x"} <= set(ran.err.replace(",", " ").split())
    assert two.writes() == []
    for address, place in (("web-bot/x", "local:web/x"), (f"{two.bot}/x", "local:platform/x")):
        said = rotate(two, address)
        assert "1 renew" in said
        assert f"secret → {place}" in said
    assert "2 renew" in rotate(two, "terraform", "ci-bot/x", f"{two.bot}/x")


def test_a_part_of_a_plan_calls_an_entry_as_the_whole_does(two: Stage) -> None:
    """The other of the two is not in what is carried out."""
    assert " web-bot/x " in two.run("plan", "--verbose").out
    said = rotate(two, "web-bot/x")
    named = [line for line in said.splitlines() if "web-bot/x " in line]
    assert len(named) == 2, said  # in the plan, and when it was done
    assert "  x  " not in said
    ran = two.run("rotate", "web-bot/x", "--reason", "r", "--yes", "--format", "json")
    assert json.loads(ran.out)["plan"]["shared_names"] == ["x"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [("terrafrm", "terraform"), ("ci-bot/terrafrm", "ci-bot/terraform"), ("ci-bt/x", "ci-bot/x")],
)
def test_rotate_of_a_misspelled_name(two: Stage, name: str, meant: str) -> None:
    ran = two.run("rotate", name, "--reason", "r", "--yes")
    assert ran.code == 3
    assert f"no entry is named '{name}'" in ran.err
    assert f"did you mean '{meant}'?" in ran.err
    assert two.writes() == []


def test_an_exception_frees_the_one_that_it_names(two: Stage) -> None:
    two.tokens_file("name: terraform", "name: other")
    ran = two.run("apply", "--yes")
    assert ran.code == 5
    hint = ran.err.split("name those that may go: ")[1].splitlines()[0].split()
    assert sorted(hint[1::2]) == ["ci-bot/x", "web-bot/x"]
    assert two.run("apply", "--yes", "--allow-revoke", "x").code == 3
    assert two.run("plan", "--allow-revoke", "web-bot/x").code == 0
    assert two.run("apply", "--yes", *hint).code == 0
    assert sorted(two.live()) == ["other", "terraform"]


def test_a_misspelled_exception_is_an_error_where_something_is_held_up(two: Stage) -> None:
    two.tokens_file("name: x", "{name: terraform, protect: true}")
    for argv in (["--allow-revoke", "terrafrm"], ["--allow-reissue", "teraform"]):
        assert two.run("plan", *argv).code == 0
        assert "nothing needs this exception now" in two.said[-1]
    assert two.run("apply", "--yes").code == 0
    two.tokens_file("name: y")
    for command in ("plan", "apply --yes"):
        ran = two.run(*command.split(), "--allow-revoke", "terrafrm")
        assert ran.code == 3
        assert "--allow-revoke: no token is named 'terrafrm'" in ran.err
        assert "did you mean 'terraform'?" in ran.err
    assert "terraform" in two.live()


def test_a_sink_that_the_config_does_not_have(two: Stage) -> None:
    for command in ("plan", "apply --yes"):
        ran = two.run(*command.split(), "--accept-registration", "locl")
        assert ran.code == 3
        assert "did you mean 'local'?" in ran.err


def test_the_same_command_again_is_right_though_what_it_names_is_gone(two: Stage) -> None:
    """DESIGN §7: whatever a run did not finish, the same command does; its exceptions stay in it."""
    two.tokens_file("name: terraform")
    argv = ("apply", "--yes", "--allow-revoke", "ci-bot/x", "--allow-revoke", "web-bot/x")
    assert two.run(*argv).code == 0
    ran = two.run(*argv)
    assert ran.code == 0
    assert ran.err.count("nothing needs this exception now") == 2


def test_what_is_live_and_nobodys_may_be_named_too(stage: Stage) -> None:
    for name in ("stray", "other"):
        stage.emulator.issue(stage.bot, name, days=30)
    stage.tokens_file("name: a")
    with (stage.folder / "tokens.yaml").open("a", encoding="utf-8") as file:
        file.write("unmanaged: {action: revoke}\n")
    stage.pass_time(hours=1)
    assert stage.run("plan").code == 5
    (other,) = stage.live()["other"]
    ran = stage.run("apply", "--yes", "--allow-revoke", "ci-bot/stray", "--allow-revoke", other)
    assert ran.code == 0
    assert list(stage.live()) == ["a"]
