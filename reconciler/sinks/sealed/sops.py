"""The `sops` sink type: one SOPS file (YAML) per token, with a field that says whose it is in clear.

The tool only encrypts, from stdin to stdout; its in-place commands truncate a file before they write it.

- The record stands in a field that SOPS leaves alone, and its MAC is of encrypted values only: so a receipt
  can be amended without a private key. What binds receipt and value is our digest, and the fingerprint.
- A creation rule may leave a field in clear (Flux's usual one does, with a field that is not `data`). So what
  comes back is looked at before anything is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

import yaml

from reconciler.core.keys import KeyRule
from reconciler.core.ports import Sink
from reconciler.errors import SinkRefused, UsageError
from reconciler.program import Program, seen_by_child
from reconciler.sinks import Options, SinkType
from reconciler.sinks.receipt_text import Garbled
from reconciler.sinks.sealed.build import key_rule_of, sealed_sink, store_of
from reconciler.sinks.sealed.store import output
from reconciler.surroundings import Surroundings

SUFFIX: Final = ".sops.yaml"
RECORD: Final = "netbird-tokens_unencrypted"
_ENCRYPTED: Final = re.compile(r"ENC\[AES256_GCM,data:[^\s\[\]]+\]")
_LINE: Final = re.compile(rf"^{RECORD}:.*\n(?:[ \t].*\n)*", re.MULTILINE)
_OTHER_KEYS: Final = ("pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "key_groups")
_NONE_YET: Final = "none"
_LOADER: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True)
class Sops:
    """Files that `sops` makes.

    Attributes:
        field: The name of the token in a file.
        recipients: Who is to read it; empty where the rules of a .sops.yaml say that.
    """

    program: Program
    field: str
    recipients: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        return SUFFIX

    @property
    def readers(self) -> str:
        return ""

    def is_for(self, readers: str, text: str) -> bool:  # noqa: ARG002 - its files say it themselves
        about = _fields(text).get("sops")
        if not self.recipients or not isinstance(about, Mapping):
            return True
        more = any(about.get(kind) for kind in _OTHER_KEYS)
        return not more and _recipients(about) == {_bare(each) for each in self.recipients}

    def encrypt(self, plain: str, path: Path) -> str:
        data = json.dumps({RECORD: _NONE_YET, self.field: plain})
        text = output(self.program, data, plain, "--filename-override", str(path), "/dev/stdin")
        fields = _fields(text)
        about = fields.get("sops")
        if not self._value(fields):
            raise SinkRefused(
                f"sops did not encrypt the field {self.field}; nothing was written",
                hint="a rule of .sops.yaml leaves it in clear: mend the rule, or name another `field`",
            )
        if fields.get(RECORD) != _NONE_YET or not isinstance(about, Mapping):
            raise SinkRefused(
                f"sops does not leave the field {RECORD} in clear, which says whose token it is",
                hint="let the rule of .sops.yaml say `encrypted_regex` with the name of `field`",
            )
        if about.get("mac_only_encrypted") != "true":
            raise SinkRefused("this sops is too old", hint="use version 3.9 or newer")
        if not _recipients(about).issuperset(map(_bare, self.recipients)):
            raise SinkRefused(
                "sops did not encrypt for all `recipients` of the config",
                hint="is it another program?",
            )
        return text

    def sealed(self, text: str) -> str:
        """The value and the MAC, in a file that is whole: what sops writes last is there."""
        fields = _fields(text)
        match fields.get("sops"):
            case {"mac": str(mac), "mac_only_encrypted": "true", "version": str()}:
                value = self._value(fields)
                return f"{value} {mac}" if value and text.endswith("\n") else ""
            case _:
                return ""

    def _value(self, fields: Mapping[str, object]) -> str:
        value = fields.get(self.field)
        return value if isinstance(value, str) and _ENCRYPTED.fullmatch(value) else ""

    def record(self, text: str) -> str | None:
        value = _fields(text).get(RECORD)
        return value if isinstance(value, str) else None

    def with_record(self, text: str, record: str) -> str:
        quoted = record.replace("'", "''")
        line = f"{RECORD}: '{quoted}'\n"
        changed, count = _LINE.subn(lambda _: line, text)
        if count != 1 or self.record(changed) != record:
            raise Garbled(f"its field {RECORD} is not where sops puts it")
        return changed


def key_rule(options: Options) -> KeyRule:
    return key_rule_of(SUFFIX, options)


def build(options: Options, around: Surroundings) -> Sink:
    """The sink; without recipients the rules of the nearest .sops.yaml hold."""
    recipients, field = cast("list[str]", options.get("recipients", [])), str(options["field"])
    if recipients and "sops_config" in options:
        raise UsageError(
            "a sops sink has both `recipients` and `sops_config`",
            hint="leave one out: only one of them can say who reads the tokens",
        )
    if field == "sops" or field.endswith("_unencrypted"):
        raise UsageError(f"a sops sink cannot have the field {field}", hint="sops needs that name")
    words = [str(options["program"]), "--disable-version-check"]
    if recipients:
        words += ["--config", "/dev/null"]
    elif "sops_config" in options:
        words += ["--config", str(around.base.resolve() / str(options["sops_config"]))]
    words += ["--encrypt", "--mac-only-encrypted", "--input-type", "json", "--output-type", "yaml"]
    if recipients:
        words += ["--age", ",".join(recipients)]
    env = seen_by_child(around, options)
    program = Program(tuple(words), env, around.base)
    return sealed_sink(Sops(program, field, tuple(recipients)), options, around)


def _recipients(about: Mapping[str, object]) -> set[str]:
    """The public keys of `age` that a file is for."""
    held = about.get("age")
    entries = held if isinstance(held, list) else []
    return {_bare(str(each.get("recipient"))) for each in entries if isinstance(each, Mapping)}


def _bare(recipient: str) -> str:
    """Without the comment that stands behind a key of SSH."""
    return " ".join(recipient.split()[:2])


@lru_cache(maxsize=8)  # one look asks twice
def _fields(text: str) -> Mapping[str, object]:
    """The fields of a file; none if it is not one mapping. All values are texts."""
    try:
        found = yaml.load(text, _LOADER)  # noqa: S506 - a base loader makes texts and nothing else
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


TYPE = SinkType(keys=key_rule, build=build, store=store_of)
