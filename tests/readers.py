"""How GitHub's runner reads what a step says, by its documented rules."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FILES = ("stop-commands", "save-state", "set-output", "set-env", "add-path", "add-matcher", "remove-matcher")
_NAMES = {*_FILES, "error", "warning", "notice", "debug", "group", "endgroup", "add-mask", "echo"}


@dataclass(frozen=True)
class Command:
    """A workflow command: `::name key=value,key=value::message`."""

    name: str
    properties: dict[str, str]
    message: str


def commands_of(log: str) -> list[Command]:
    """Every command in a log: a line is one if it begins with `::`, blanks aside, in any case of letters."""
    found = []
    for line in re.split(r"\r\n|\r|\n", log):
        head, sign, message = line.lstrip().removeprefix("::").partition("::")
        if not line.lstrip().startswith("::") or not sign:
            continue
        name, _, rest = head.partition(" ")
        if name.lower() in _NAMES:
            pairs = [pair.strip().partition("=") for pair in rest.split(",") if "=" in pair]
            found.append(
                Command(name.lower(), {k: _read(v, ":,") for k, _, v in pairs if v}, _read(message, ""))
            )
    return found


def _read(text: str, more: str) -> str:
    for sign in f"\r\n{more}%":
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text


def outputs_of(text: str) -> dict[str, str]:
    """A file of `GITHUB_OUTPUT`: `name=value`, or `name<<END`, lines, `END`. Raises ValueError."""
    found, rest = {}, iter(text.splitlines())
    for line in rest:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, _, value = line.partition("=")
        elif heredoc >= 0:
            name, _, end = line.partition("<<")
            held = []
            while (each := next(rest)) != end:
                held.append(each)
            value = "\n".join(held)
        else:
            raise ValueError(line)
        found[name] = value
    return found
