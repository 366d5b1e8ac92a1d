"""The whole story in a terminal: a real plan, apply and sink against the embedded emulator.

Only the server is made up, and its clock, so that 60 days pass in a moment.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from reconciler.commands import everyday
from reconciler.commands.asked import NOTHING
from reconciler.commands.desk import Desk
from reconciler.commands.drift import Alarm, drift
from reconciler.commands.everyday import Consent, Wish
from reconciler.commands.output import Output
from reconciler.emulator import Clock, Drop, Emulator, Fault, serve
from reconciler.errors import ExitCode
from reconciler.wiring import Parts, Where

_PAUSE: Final = 0.8
_FILE: Final = """\
apiVersion: netbird-tokens/v1
kind: TokenSet
name: platform
defaults: {user: ci-bot}
tokens:
  - name: CI/CD Token
    expires_in: 365
  - name: terraform
    expires_in: 90
"""
_DURING: Final = "  - name: monitoring\n    expires_in: 30\n"


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where the story plays."""

    desk: Desk
    emulator: Emulator
    clock: Clock
    parts: Parts
    bot: str
    pause: float

    def say(self, title: str, command: str = "") -> None:
        self.desk.show(f"\n── {title}" + (f"\n$ netbird-tokens {command}\n" if command else ""))
        time.sleep(self.pause)

    def fresh(self) -> Parts:
        """Every command of the story starts from the files, as a new process would."""
        return replace(self.parts)

    def plan(self) -> None:
        everyday.plan(self.fresh(), self.desk, Output(), NOTHING, Wish())

    def apply(self) -> ExitCode:
        return everyday.apply(self.fresh(), self.desk, Output(), NOTHING, Consent(yes=True))


def demo(desk: Desk, *, fast: bool) -> ExitCode:
    """Play it. Nothing outside a temporary folder and this machine's loopback is touched."""
    with _stage(desk, 0.0 if fast else _PAUSE) as stage:
        _first_apply(stage)
        _drift(stage)
        _renewal(stage)
        _orphan(stage)
    desk.show("\nThat was the real plan, engine and sink; only the server was made up.")
    desk.show("Next: `netbird-tokens init`, set NB_PAT, `netbird-tokens plan`.")
    return ExitCode.OK


@contextmanager
def _stage(desk: Desk, pause: float) -> Iterator[_Stage]:
    clock = Clock()
    emulator = Emulator(clock=clock)
    reconciler = emulator.add_user("token-reconciler", role="admin", service_user=True)
    bot = emulator.add_user("ci-bot", role="user", service_user=True)
    credential = emulator.issue(reconciler, "reconciler", days=365)
    with (
        tempfile.TemporaryDirectory(prefix="netbird-tokens-demo-") as folder,
        chdir(folder),
        serve(emulator) as url,
    ):
        Path("tokens.yaml").write_text(_FILE, encoding="utf-8")
        parts = Parts(Where(management_url=url), {"NB_PAT": credential}, now=clock.now)
        yield _Stage(desk, emulator, clock, parts, bot, pause)


def _first_apply(stage: _Stage) -> None:
    stage.say("A YAML file in Git lists the tokens that shall exist.")
    stage.desk.show(_FILE)
    stage.say("On a pull request: what would change?", "plan")
    stage.plan()
    stage.say("On merge: make it so.", "apply --yes")
    stage.apply()
    stage.say("The secrets are in the sink, mode 0600, and nowhere else.")
    for path in sorted(Path("secrets").rglob("[a-z]*")):
        if path.is_file():
            mode = oct(path.stat().st_mode & 0o777)
            stage.desk.show(f"  {mode}  {path}")
    stage.say("Again: nothing to do, and no write is sent.", "apply --yes")
    stage.apply()


def _drift(stage: _Stage) -> None:
    stage.emulator.issue(stage.bot, "made by hand", days=30)
    stage.say("Somebody makes a token by hand. The schedule notices.", "drift")
    drift(stage.fresh(), stage.desk, Output(), Alarm())


def _renewal(stage: _Stage) -> None:
    stage.clock.advance(timedelta(days=62))
    stage.say("62 days later the renewal of terraform is due.", "apply --yes")
    stage.apply()
    stage.clock.advance(timedelta(hours=1))
    stage.say("Old and new both work until the overlap has passed.", "plan")
    stage.plan()
    stage.clock.advance(timedelta(days=8))
    stage.say("8 days later nobody uses the old one: it is retired.", "apply --yes")
    stage.apply()


def _orphan(stage: _Stage) -> None:
    Path("tokens.yaml").write_text(_FILE + _DURING, encoding="utf-8")
    stage.emulator.faults.add(Fault(method="POST", path="*/tokens", when="after", action=Drop()))
    stage.say(
        "A new entry, and the worst moment: the server mints, its answer is lost.", "apply --yes"
    )
    stage.apply()
    stage.clock.advance(timedelta(minutes=20))
    stage.say("The next run makes a new one. Is the lost one really nobody's?", "apply --yes")
    stage.apply()
    stage.clock.advance(timedelta(days=8))
    stage.say("A week later nobody has used it: it goes.", "apply --yes")
    stage.apply()
