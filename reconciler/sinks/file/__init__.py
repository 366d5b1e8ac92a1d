"""The `file` sink type: its options, and which of its three formats serves them."""

from __future__ import annotations

from dataclasses import replace

from reconciler.core.keys import FILE_KEYS, VARIABLE_KEYS, KeyRule
from reconciler.core.ports import Sink
from reconciler.errors import UsageError
from reconciler.sinks import Identity, Options, SinkType
from reconciler.sinks.file.dotenv import Dotenv
from reconciler.sinks.file.json import JsonFile
from reconciler.sinks.file.raw import RawSink
from reconciler.sinks.file.shared import SharedSink
from reconciler.surroundings import Surroundings


def key_rule(options: Options) -> KeyRule:
    """Paths below a folder for `raw`; names of variables, in one file, for the shared formats."""
    place = str(options["path"])
    if options["format"] == "raw":
        return replace(FILE_KEYS, folder=place)
    return replace(VARIABLE_KEYS, folder=place, nests=True)


def build(options: Options, around: Surroundings) -> Sink:
    """The sink; a relative path counts from the config's folder.

    The folder that leads there is resolved once, here: beyond it no symbolic link is followed.
    """
    path = around.base.resolve() / str(options["path"])
    strict = options.get("strict") is True
    match options["format"]:
        case "raw":
            return RawSink(path, strict)
        case "dotenv":
            return SharedSink(path, strict, Dotenv.parse)
        case "json":
            return SharedSink(path, strict, JsonFile.parse)
        case other:
            raise UsageError(f"sink format {other!r} is not available")


def store(options: Options, around: Surroundings) -> Identity:
    """A folder of secrets with all that is below it, or one file, whatever its format."""
    path = (around.base / str(options["path"])).resolve()
    return ("folder", *path.parts) if options["format"] == "raw" else ("file", str(path))


TYPE = SinkType(keys=key_rule, build=build, store=store)
