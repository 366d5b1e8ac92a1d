"""What the file wants gone goes whole: its tokens, their secrets, and the receipts last of all."""

from __future__ import annotations

import pytest
from staging import Stage

from reconciler.emulator import Call, Fault, Raw, Status

NOTHING_LISTED = Raw(200, "application/json", b"[]")


def rotated(stage: Stage) -> list[str]:
    """Two tokens of one entry, both known by the one receipt there is; neither is young."""
    stage.tokens_file("name: a")
    assert stage.run("apply", "--yes").code == 0
    stage.pass_time(hours=1)
    assert stage.run("rotate", "a", "--reason", "x", "--yes").code == 0
    stage.pass_time(hours=1)
    return stage.live()["a"]


def remove(stage: Stage, *, tombstone: bool) -> None:
    """With a tombstone, or by leaving the entry out."""
    other = "{name: other, state: absent, reason: never there}"
    stage.tokens_file("{name: a, state: absent, reason: not wanted}" if tombstone else other)


@pytest.mark.parametrize("tombstone", [True, False])
def test_an_entry_goes_with_all_of_its_tokens_and_leaves_nothing(stage: Stage, tombstone: bool) -> None:
    rotated(stage)
    remove(stage, tombstone=tombstone)
    assert stage.run("apply", "--yes", "--allow-revoke", "a").code == 0
    assert (stage.live(), stage.secrets()) == ({}, {})
    stage.emulator.requests.clear()
    ran = stage.run("apply", "--yes")
    assert (ran.code, stage.writes()) == (0, []), ran.err
    assert "Nothing to do" in ran.out


@pytest.mark.parametrize("tombstone", [True, False])
@pytest.mark.parametrize("first", [True, False])
def test_a_receipt_stays_while_one_of_its_tokens_does(
    stage: Stage, tombstone: bool, first: bool
) -> None:
    """Of the two revokes, one fails."""
    left = rotated(stage)[0 if first else -1]
    remove(stage, tombstone=tombstone)
    stage.emulator.faults.add(Fault(Status(500, "down"), "DELETE", f"*{left}"))
    ran = stage.run("apply", "--yes", "--allow-revoke", "a")
    assert ran.code == 9
    assert f"left alone: the server still has {left}" in ran.out
    assert (stage.live(), len(stage.secrets())) == ({"a": [left]}, 1)
    ran = stage.run("apply", "--yes")
    assert ran.code == 0, ran.err
    assert (stage.live(), stage.secrets()) == ({}, {})


@pytest.mark.parametrize("tombstone", [True, False])
def test_a_run_that_ends_between_the_last_token_and_its_secret_is_healed(
    stage: Stage, tombstone: bool
) -> None:
    stage.tokens_file("name: a")
    assert stage.run("apply", "--yes").code == 0
    stage.pass_time(hours=1)
    remove(stage, tombstone=tombstone)
    place, hidden = stage.folder / "secrets/platform", stage.folder / "hidden"

    def hide() -> None:
        place.rename(hidden)
        place.write_text("in the way", "utf-8")

    stage.emulator.faults.add(Fault(Call(hide), "DELETE"))
    assert stage.run("apply", "--yes").code == 9
    place.unlink()
    hidden.rename(place)
    assert (stage.live(), len(stage.secrets())) == ({}, 1)
    ran = stage.run("apply", "--yes")
    assert ran.code == 0, ran.err
    assert stage.secrets() == {}


@pytest.mark.parametrize("tombstone", [True, False])
def test_a_list_that_is_wrongly_empty_costs_no_receipt(stage: Stage, tombstone: bool) -> None:
    """The server does not list what it has: asked by id, it knows better."""
    stage.tokens_file("name: a")
    assert stage.run("apply", "--yes").code == 0
    stage.pass_time(hours=1)
    remove(stage, tombstone=tombstone)
    stage.emulator.faults.add(Fault(NOTHING_LISTED, "GET", "*/tokens"))
    ran = stage.run("apply", "--yes")
    assert "left alone: the server still has" in ran.out
    assert len(stage.secrets()) == len(stage.live()) == 1
    assert stage.run("apply", "--yes").code == 0
    assert (stage.live(), stage.secrets()) == ({}, {})


def test_an_empty_list_still_stops_a_run_where_tokens_should_be_alive(stage: Stage) -> None:
    stage.tokens_file("name: a", "name: b")
    assert stage.run("apply", "--yes").code == 0
    stage.pass_time(hours=1)
    for entries in (["name: a", "name: b"], ["name: b", "{name: a, state: absent, reason: x}"]):
        stage.tokens_file(*entries)
        stage.emulator.faults.add(Fault(NOTHING_LISTED, "GET", "*/tokens"))
        stage.emulator.requests.clear()
        ran = stage.run("apply", "--yes")
        assert (ran.code, stage.writes()) == (5, [])
        assert "lists no token at all" in ran.err


def test_a_receipt_waits_for_a_token_that_is_too_young_to_go(stage: Stage) -> None:
    stage.tokens_file("name: a")
    assert stage.run("apply", "--yes").code == 0
    stage.pass_time(hours=1)
    assert stage.run("rotate", "a", "--reason", "x", "--yes").code == 0
    remove(stage, tombstone=True)
    ran = stage.run("apply", "--yes", "--allow-revoke", "a")
    assert ran.code == 0, ran
    assert (len(stage.live()["a"]), len(stage.secrets())) == (1, 1)
    stage.pass_time(minutes=16)
    assert stage.run("apply", "--yes").code == 0
    assert (stage.live(), stage.secrets()) == ({}, {})
