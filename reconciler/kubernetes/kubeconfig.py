"""Kubeconfig files: one context of them, as kubectl would choose it. Nothing of them is ever quoted.

Several files are one: of each name, and of the current context, the first that is written counts. What a
file asks for and we do not do is refused, since to leave it out could mean to act as somebody else.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml

from reconciler.errors import UsageError

_MOST: Final = 4 * 1024 * 1024
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MEND: Final = "does `kubectl` work with this file? Name another with `kubeconfig` or KUBECONFIG"


@dataclass(frozen=True, slots=True)
class Entry:
    """One cluster, user or context of a file. Not shown: credentials stand in it.

    Attributes:
        folder: Of the file; paths in it count from there.
    """

    what: str
    fields: Mapping[str, object] = field(repr=False)
    folder: Path

    def text(self, name: str) -> str | None:
        """One value; None if it is not there or empty. Raises UsageError if it is no text."""
        value = self.fields.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            raise UsageError(f"`{name}` of {self.what} in the kubeconfig is no text", hint=_MEND)
        return value

    def path(self, name: str) -> Path | None:
        written = self.text(name)
        return None if written is None else self.folder / Path(written).expanduser()

    def content(self, name: str) -> str | None:
        """What `<name>-data` holds, or the file that `<name>` names. Raises UsageError."""
        data, path = self.text(f"{name}-data"), self.path(name)
        try:
            if data is not None:
                return base64.b64decode(data, validate=True).decode()
            return None if path is None else path.read_text(encoding="utf-8")
        except (OSError, binascii.Error, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not base64 of a text"
            raise UsageError(
                f"`{name}` of {self.what} in the kubeconfig cannot be read: {why}", hint=_MEND
            ) from None

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """Raise UsageError if it has one of these fields."""
        for name, why in reasons.items():
            if self.fields.get(name):
                raise UsageError(f"{self.what} in the kubeconfig has `{name}`, {why}", hint=_MEND)


@dataclass(frozen=True, slots=True)
class Choice:
    """One context, taken apart."""

    cluster: Entry
    user: Entry
    namespace: str | None


def choose(paths: Sequence[Path], context: str | None) -> Choice:
    """The context of this name, else the current one.

    Raises:
        UsageError: A file cannot be read, or names something that none has.
    """
    files = [(_load(path), path.parent) for path in paths]
    current = (each.get("current-context") for each, _ in files)
    name = context or next((str(each) for each in current if each), None)
    if name is None:
        raise UsageError("the kubeconfig has no current context", hint="name one with `context`")
    chosen = _entry(files, "context", name)
    cluster = _entry(files, "cluster", chosen.text("cluster") or "")
    user = chosen.text("user")
    who = Entry("no user", {}, cluster.folder) if user is None else _entry(files, "user", user)
    return Choice(cluster, who, chosen.text("namespace"))


def _load(path: Path) -> Mapping[str, object]:
    """A YAML error quotes the file, so it is dropped."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST)
    except OSError as error:
        raise UsageError(
            f"the kubeconfig {path} cannot be read: {error.strerror}", hint=_MEND
        ) from None
    try:
        found = yaml.load(content, _LOADER)  # noqa: S506 - one of the two safe loaders
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UsageError(f"{path} is no kubeconfig", hint=_MEND)
    return found


def _entry(files: Sequence[tuple[Mapping[str, object], Path]], kind: str, name: str) -> Entry:
    for document, folder in files:
        for found in _named(document.get(f"{kind}s"), kind, name):
            return Entry(f"the {kind} {name!r}", found, folder)
    raise UsageError(f"no kubeconfig has the {kind} {name!r}", hint=_MEND)


def _named(entries: object, kind: str, name: str) -> Iterator[Mapping[str, object]]:
    for each in entries if isinstance(entries, list) else []:
        if isinstance(each, dict) and each.get("name") == name:
            found = each.get(kind)
            yield found if isinstance(found, dict) else {}
