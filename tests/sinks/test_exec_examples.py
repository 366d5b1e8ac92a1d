"""The programs for 1Password and Bitwarden, with stand-ins for `op` and `bw`, which consumers use, too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sealing import quick, ran

from reconciler.core.ports import Power, Sink
from reconciler.core.receipts import (
    ABSENT,
    Absent,
    Damaged,
    Registration,
    SetName,
    Stored,
    version_of,
)
from reconciler.core.tokens import Unread, UserId
from reconciler.errors import SinkRefused, SinkUnread, SinkUnsure
from reconciler.sinks import sink_type
from reconciler.surroundings import Surroundings
from reconciler.testing import plain, put, receipt, secret
from reconciler.testing.contents import START

ROOT = Path(__file__).parents[2]
KEY = "platform/terraform"
KNOWN = Registration(SetName("platform"), "https://netbird.example", UserId("us"), START)


@dataclass
class Keeper:
    """Someone's account, and both ways to it."""

    home: Path
    program: str
    params: dict[str, object]
    credential: tuple[str, str]
    reads: tuple[str, ...]
    file: str
    env: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        commands = ROOT / "tests" / "fakes" / "commands"
        path = f"{commands}:{quick(self.home)}"
        self.env = {"PATH": path, "HOME": str(self.home), self.credential[0]: self.credential[1]}

    def sink(self, **env: str) -> Sink:
        command = [str(ROOT / "examples" / "exec" / self.program)]
        options = {"command": command, "params": self.params, "env": [self.credential[0]]}
        around = Surroundings(self.home, {**self.env, **env}, allow_http=False)
        return sink_type("exec").build(options, around)

    def consumed(self) -> str:
        return ran(*self.reads, **self.env).strip()

    def items(self) -> list[dict[str, Any]]:
        return json.loads((self.home / self.file).read_text())

    def write(self, items: list[dict[str, Any]]) -> None:
        (self.home / self.file).write_text(json.dumps(items))

    @contextmanager
    def trouble(self, when: str) -> Iterator[None]:
        (self.home / "trouble").write_text(when)
        yield
        (self.home / "trouble").unlink()


@pytest.fixture(params=["op", "bw"])
def keeper(request: pytest.FixtureRequest, tmp_path: Path) -> Keeper:
    if request.param == "op":
        return Keeper(
            tmp_path, "op-sink", {"vault": "Infra"}, ("OP_SERVICE_ACCOUNT_TOKEN", "ops_tester"),
            ("op", "read", "op://Infra/platform terraform/credential"), "1password.json",
        )  # fmt: skip
    return Keeper(
        tmp_path, "bw-sink", {"folder": "NetBird"}, ("BW_SESSION", "session"),
        ("bw", "get", "password", KEY), "bitwarden.json",
    )  # fmt: skip


def test_a_token_comes_is_amended_replaced_and_goes(keeper: Keeper) -> None:
    sink = keeper.sink()
    assert sink.power is Power.UNCONDITIONAL
    sink.preflight(KEY)
    assert sink.inventory([KEY]).entries == {}
    sink.register(KNOWN)
    sink.put(KEY, secret(1), receipt(1), ABSENT)
    assert keeper.consumed() == plain(1)
    held = sink.read(KEY)
    assert isinstance(held, Stored)
    found = keeper.sink().inventory([])
    assert (found.entries, found.registrations) == ({KEY: held}, {KNOWN.set: KNOWN})
    sink.amend(KEY, receipt(1, protect=False), held.version)
    assert (keeper.consumed(), sink.read(KEY).receipt.protect) == (plain(1), False)  # type: ignore[union-attr]  # it was stored
    put(sink, KEY, 2)
    assert keeper.consumed() == plain(2)
    assert not sink.delete(KEY, receipt(1).token.id)
    assert sink.delete(KEY, receipt(2).token.id)
    assert isinstance(sink.read(KEY), Absent)


def test_other_people_s_items_are_seen_and_left_alone(keeper: Keeper) -> None:
    sink = keeper.sink()
    put(sink, KEY, 1)
    theirs = keeper.items()
    for each in theirs:
        each["fields"] = [f for f in each["fields"] if "netbird" not in str(f)]
    keeper.write(theirs)
    held = sink.read(KEY)
    assert isinstance(held, Damaged)
    assert held.receipt is None
    assert isinstance(sink.inventory([KEY]).at(KEY), Damaged)
    with pytest.raises(SinkRefused, match="changed since the plan"):
        sink.put(KEY, secret(2), receipt(2), ABSENT)
    sink.put(KEY, secret(2), receipt(2), version_of(held))
    assert keeper.consumed() == plain(2)


def test_a_list_says_of_every_ref_what_is_there(keeper: Keeper) -> None:
    put(keeper.sink(), KEY, 1)
    found = keeper.sink().inventory([KEY, "platform/other"])
    assert isinstance(found.at(KEY), Stored)
    assert isinstance(found.at("platform/other"), Absent)


def test_two_items_of_one_name_are_nobody_s(keeper: Keeper) -> None:
    sink = keeper.sink()
    put(sink, KEY, 1)
    (item,) = keeper.items()
    keeper.write([item, {**item, "id": "another"}])
    assert isinstance(sink.inventory([KEY]).at(KEY), Unread)
    with pytest.raises(SinkUnread, match="remove one"):
        sink.read(KEY)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_write_that_failed_may_have_been_made(keeper: Keeper, when: str) -> None:
    with keeper.trouble(when), pytest.raises(SinkUnsure) as caught:
        keeper.sink().put(KEY, secret(1), receipt(1), ABSENT)
    assert ("Service Unavailable" in str(caught.value)) or ("Bad gateway" in str(caught.value))
    assert isinstance(keeper.sink().read(KEY), Stored if when == "after" else Absent)


def test_without_a_credential_nothing_is_known_and_nothing_written(keeper: Keeper) -> None:
    sink = keeper.sink(**{keeper.credential[0]: "no"})
    with pytest.raises(SinkUnread):
        sink.inventory([KEY])
    with pytest.raises(SinkRefused):
        sink.preflight(KEY)
    with pytest.raises(SinkRefused):
        sink.put(KEY, secret(1), receipt(1), ABSENT)
