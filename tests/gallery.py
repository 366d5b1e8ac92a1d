"""The golden files, and a busy account to draw them from: one of everything that a report may have to
speak of.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import requests
from staging import HEAD, Stage

from reconciler.emulator import Drop, Fault, Status

ENTRIES = (
    "{name: CI/CD Token, expires_in: 365}",
    "{name: terraform, protect: true}",
    "{name: grafana, retire: after-overlap}",
    "{name: backup}",
    "{name: rotated, rotation: 1}",
    "{name: shorter, expires_in: 30}",
    "{name: damaged}",
    "{name: emptied}",
    "{name: 'Überwachung 🚀 東京'}",
    "{name: a-name-that-somebody-made-as-long-as-a-sentence-because-nobody-said-that-it-may-not-be}",
    "{name: crashed}",
    "{name: crashed-just-now}",
    "{name: fresh}",
    "{name: legacy-deploy, adopt: true}",
    "{name: webhook, user: web-bot}",
    "{name: shared-name}",
    "{name: shared-name, user: other-bot, sinks: [{sink: local, key: platform/shared-name-2}]}",
    "{name: contractor, expires_on: 2099-12-31}",
    "{name: old-monitoring, state: absent, reason: 'replaced by grafana, INC-1234'}",
)
EARLIER = (
    "{name: CI/CD Token, expires_in: 365}",
    "{name: terraform}",
    "{name: grafana, expires_in: 105}",
    "{name: backup, expires_in: 108}",
    "{name: rotated}",
    "{name: shorter}",
    "{name: damaged, expires_in: 180}",
    "{name: emptied, expires_in: 180}",
    "{name: 'Überwachung 🚀 東京', expires_in: 180}",
    "{name: old-monitoring, expires_in: 300}",
    "{name: removed, expires_in: 300}",
    "{name: removed-but-protected, expires_in: 300, protect: true}",
    "{name: webhook, user: web-bot, expires_in: 300}",
    "{name: shared-name, expires_in: 300}",
)


GOLDEN = Path(__file__).parent / "golden"
BY_HAND = (
    ("fresh", 30),
    ("\x1b[31mred\x1b[0m\n::error::boo\u202e", 60),
    ("<b>bold</b> `code` @everyone | [x](y)", 60),
    ("long gone", 1),
    ("legacy-deploy", 365),
)


def fill(stage: Stage) -> None:
    """Ten weeks of a platform team, one thing at a time: so every id is the same in every run."""
    emulator = stage.emulator
    web = emulator.add_user("web-bot", role="user", service_user=True)
    emulator.add_user("other-bot", role="user", service_user=True)
    ada = emulator.add_user("Ada Lovelace", role="admin")
    stage.tokens_file("{name: payments-api, expires_in: 300}", head=HEAD.replace("platform", "payments"))
    stage.run("apply", "--yes")
    for count in range(1, len(EARLIER) + 1):
        _apply(stage, *EARLIER[:count])
    first = stage.secrets()
    stage.pass_time(days=63)
    for name in ("rotated", "shorter", "terraform"):
        stage.run("rotate", name, "--reason", "due", "--yes")
    stage.pass_time(days=8)
    _use(stage, first["secrets/platform/terraform"])
    for name in ("grafana", "backup"):
        stage.run("rotate", name, "--reason", "due", "--yes")
    _crash(stage, *EARLIER, "{name: crashed}")
    for number in range(34):
        emulator.issue(stage.bot, f"test-{number:02}", days=90 + number, created_by=ada)
        stage.pass_time(minutes=7)
    for name, days in BY_HAND:
        emulator.issue(stage.bot, name, days=days, created_by=ada)
    stage.pass_time(days=2)
    _crash(stage, *EARLIER, "{name: crashed-just-now}")
    (stage.folder / "secrets/platform/damaged").write_text("somebody's own note\n", "utf-8")
    (stage.folder / "secrets/platform/emptied").unlink()
    _use(stage, first["secrets/platform/old-monitoring"])
    stage.pass_time(minutes=5)
    unread = Status(403, "admin role required")
    path = f"/api/users/{web}/tokens"
    emulator.faults.add(Fault(method="GET", path=path, action=unread, times=None))
    stage.tokens_file(*ENTRIES)


def _apply(stage: Stage, *entries: str) -> None:
    stage.tokens_file(*entries)
    stage.run("apply", "--yes")
    stage.pass_time(minutes=1)


def _crash(stage: Stage, *entries: str) -> None:
    """The server makes the token and its answer is lost."""
    stage.emulator.faults.add(Fault(method="POST", path="*/tokens", when="after", action=Drop()))
    _apply(stage, *entries)


def _use(stage: Stage, secret: str) -> None:
    requests.get(f"{stage.url}/api/users", headers={"Authorization": f"Token {secret}"}, timeout=9)


def check(name: str, text: str) -> None:
    """Compare with a golden file byte for byte; `make golden` writes what is so now."""
    path, shown = GOLDEN / name, _settled(text)
    if os.environ.get("GOLDEN") == "write":
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8"), "if it is meant: make golden, and read the diff"


def _settled(text: str) -> str:
    """The text without what differs from run to run: the port and what is digested with it, ids."""
    ids: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return ids.setdefault(found[0], f"id{len(ids) + 1:018}")

    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:40000", text)
    text = re.sub(r"(?<=sha256:)[0-9a-f]+", lambda found: "0" * len(found[0]), text)
    return re.sub(r"\b(?=\w*\d)[0-9a-v]{20}\b", numbered, text)
