"""The `age` sink type: one armored age file per token, below one line that says whose it is.

`sed 1d FILE | age --decrypt -i KEY` gives the token and nothing else.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Sink
from reconciler.errors import SinkRefused
from reconciler.program import Program, seen_by_child
from reconciler.sinks import Options, SinkType
from reconciler.sinks.sealed.build import key_rule_of, sealed_sink, store_of
from reconciler.sinks.sealed.cipher import readers_of
from reconciler.sinks.sealed.store import output
from reconciler.surroundings import Surroundings

SUFFIX: Final = ".age"
_MARK: Final = "# netbird-tokens: "
_ARMOR: Final = re.compile(
    r"-----BEGIN AGE ENCRYPTED FILE-----\n([A-Za-z0-9+/=]+\n)+-----END AGE ENCRYPTED FILE-----\n"
)


@dataclass(frozen=True, slots=True)
class Age:
    """Files that `age`, or `rage`, makes. None tells whom it is for, so its record has a digest of them."""

    program: Program
    recipients: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def suffix(self) -> str:
        return SUFFIX

    @property
    def readers(self) -> str:
        try:
            lines = [line for file in self.files for line in file.read_text("utf-8").splitlines()]
        except (OSError, ValueError):
            return ""  # age will say it when it is to encrypt
        keys = {line.strip() for line in (*self.recipients, *lines)}
        known = sorted(key for key in keys if key and not key.startswith("#"))
        return hashlib.sha256("\n".join(known).encode()).hexdigest()[:16]

    def is_for(self, readers: str, text: str) -> bool:
        noted = readers_of(self, text)
        return not (noted and readers) or noted == readers

    def encrypt(self, plain: str, path: Path) -> str:
        text = output(self.program, plain, plain)
        if not _ARMOR.fullmatch(text):
            raise SinkRefused(
                f"{self.program.argv[0]} did not make an armored age file for {path.name}",
                hint="mend `program` in the config; age and rage will do",
            )
        return text

    def sealed(self, text: str) -> str:
        body = text.partition("\n")[2] if text.startswith(_MARK) else text
        return body if _ARMOR.fullmatch(body) else ""

    def record(self, text: str) -> str | None:
        first = text.partition("\n")[0]
        return first.removeprefix(_MARK) if first.startswith(_MARK) else None

    def with_record(self, text: str, record: str) -> str:
        return f"{_MARK}{record}\n{self.sealed(text)}"


def key_rule(options: Options) -> KeyRule:
    return key_rule_of(SUFFIX, options)


def build(options: Options, around: Surroundings) -> Sink:
    """The sink; the recipients' public keys are all that it knows of keys."""
    recipients = tuple(cast("list[str]", options.get("recipients", [])))
    names = cast("list[str]", options.get("recipients_files", []))
    files = tuple(around.base.resolve() / Path(name).expanduser() for name in names)
    words = [str(options["program"]), "--encrypt", "--armor"]
    for recipient in recipients:
        words += ["--recipient", recipient]
    for file in files:
        words += ["--recipients-file", str(file)]
    program = Program(tuple(words), seen_by_child(around, options), around.base)
    return sealed_sink(Age(program, recipients, files), options, around)


TYPE = SinkType(keys=key_rule, build=build, store=store_of)
