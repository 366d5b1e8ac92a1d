"""A plan read from a file that `plan --out` wrote, and that anybody may have edited since."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, cast

from reconciler.core.decisions import Decision, plan_id_of
from reconciler.core.secret import hide_tokens
from reconciler.errors import PlanMismatch, UsageError
from reconciler.reports.document import Change, Plan, moment
from reconciler.reports.lines import EFFECTS
from reconciler.source.schema import tolerant
from reconciler.source.text import without_waiting

MAX_BYTES: Final = 256 * 2**20
"""Of a file; a plan of 100,000 tokens has less than half of it."""

_AGAIN: Final = "name the file that `plan --out` wrote, or run plan again"


@dataclass(frozen=True)
class Saved:
    """A plan in a file, read when it is first asked for, and no more than once. Raises as `read`."""

    path: Path

    @cached_property
    def plan(self) -> Plan:
        return read(self.path)


def read(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        UsageError: The file cannot be read.
        PlanMismatch: It is no plan, was made by a newer major version, or was altered until it fits no more.
    """
    try:
        found = json.loads(written(path, _AGAIN))
        major = found["format_version"].partition(".")[0]
        if found["format"] != "netbird-tokens/plan" or major != "1":
            raise PlanMismatch(f"{path} is no plan that this version can read", hint=_AGAIN)
        _fits(found)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PlanMismatch(f"{path} is not a plan, or was altered", hint=_AGAIN) from None
    return cast("Plan", found)


def kept(path: Path, kind: str, again: str) -> object:
    """A document of this kind that fits its schema, whichever minor version of ours wrote it.

    Raises:
        UsageError: The file cannot be read, or holds no such document; `again` says how to get one.
    """
    try:
        found: object = json.loads(written(path, again))
    except (ValueError, RecursionError):
        found = None
    if not tolerant(f"{kind}.v1").is_valid(found):
        raise unreadable(path, kind, again)
    return found


def unreadable(path: Path, kind: str, again: str) -> UsageError:
    return UsageError(f"{path} is no {kind} that this version can read", hint=again)


def written(path: Path, again: str) -> str:
    """The text of a file that one of our commands wrote; `again` says how to get one.

    Raises:
        UsageError: The file cannot be read, or never ends, or is larger than any that we write.
        ValueError: It is no text.
    """
    try:
        if not path.is_file():  # to open a device may already do something
            path.stat()
            raise UsageError(f"{path} is no regular file", hint=again)
        with open(path, "rb", opener=without_waiting) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint=again) from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path} is larger than {MAX_BYTES // 2**20} MB", hint=again)
    return data.decode("utf-8")


def is_altered(plan: Plan) -> bool:
    """Whether anything in it is not as it was sealed, or its plan id does not fit its decisions."""
    target = plan["target"]
    whose = plan["set"], target["management_url"], target["principal"]
    fits = plan["plan_id"] == plan_id_of(*whose, decisions(plan))
    return not fits or plan.get("digest") != sealed(plan)["digest"]


def sealed(plan: Plan) -> Plan:
    """The plan with a digest of all that it says. It tells an accident or an edit, not a forger."""
    bare = {key: value for key, value in plan.items() if key != "digest"}
    text = hide_tokens(json.dumps(bare, sort_keys=True, separators=(",", ":")))
    return {**plan, "digest": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"}


def decisions(plan: Plan) -> list[Decision]:
    """What `core.decisions.decision` says of each effect."""
    return [
        [
            *(c["action"], c["user"]["id"], c["name"], c["reason"]["code"], c["tokens"]),
            *(sorted(c.get("places", [])), _asked(c), old["revoked_at_once"] if old else []),
        ]
        for c, old in ((change, change.get("old")) for change in plan["changes"])
        if c["action"] in EFFECTS
    ]


def _asked(change: Change) -> list[object]:
    """What `core.decisions.asked_of` says of it."""
    after = change["after"]
    if after is None:
        return [None, None, None]
    return [after.get("lifetime"), after.get("rotation"), after.get("protect")]


def _fits(found: object) -> None:
    """Raises ValueError for what no renderer could show. What a newer minor version added is passed over."""
    if not tolerant("plan.v1").is_valid(found):
        raise ValueError
    plan = cast("Plan", found)
    states = [facts for change in plan["changes"] for facts in (change["before"], change["after"])]
    instants = [plan["as_of"], plan["valid_until"], plan.get("planned_at", plan["as_of"])]
    for facts in filter(None, states):
        instants += [facts["expires_at"], facts["last_used"] or facts["expires_at"]]
    for instant in instants:
        moment(instant)  # the pattern of the schema lets a 99th of June pass
