"""What the types of encrypted files share: their keys, and which place a config names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from reconciler.core.keys import FILE_KEYS, KeyRule
from reconciler.core.ports import Sink
from reconciler.program import seen_by_child
from reconciler.sinks import Identity, Options
from reconciler.sinks.records import RecordSink
from reconciler.sinks.sealed.branch import BranchFiles
from reconciler.sinks.sealed.cipher import Cipher
from reconciler.sinks.sealed.files import Files, FolderFiles
from reconciler.sinks.sealed.git import Git
from reconciler.sinks.sealed.store import SealedStore
from reconciler.surroundings import Surroundings


def key_rule_of(suffix: str, options: Options) -> KeyRule:
    """Paths, where `a` and `a/b` are two files; no folder is named like a file of ours."""
    pattern = rf"(?!.*{re.escape(suffix)}/){FILE_KEYS.pattern}"
    if "git" in options:
        return replace(FILE_KEYS, pattern=pattern, nests=False)
    return replace(FILE_KEYS, pattern=pattern, folder=str(options["path"]), ending=suffix)


def sealed_sink(cipher: Cipher, options: Options, around: Surroundings) -> Sink:
    """A sink of such files, in a folder or, with `git`, on a branch."""
    folder = around.base.resolve() / str(options["path"])
    return RecordSink(
        SealedStore(_files(folder, options, around), cipher, key_rule_of(cipher.suffix, options))
    )


def store_of(options: Options, around: Surroundings) -> Identity:
    """A folder with all that is below it: of this machine, or of a branch."""
    path = (around.base / str(options["path"])).resolve()
    said = options.get("git")
    if not isinstance(said, Mapping):
        return ("folder", *path.parts)
    return ("branch", _remote(said), _branch(said), *path.parts)


def _files(folder: Path, options: Options, around: Surroundings) -> Files:
    git = options.get("git")
    if git is None:
        return FolderFiles(folder, options.get("strict") is True)
    said = cast("Mapping[str, object]", git)
    return BranchFiles(
        folder,
        Git.of(
            around.base,
            remote=_remote(said),
            branch=_branch(said),
            author=str(said.get("author", "netbird-tokens <netbird-tokens@localhost>")),
            env=seen_by_child(around, said),
        ),
        str(said.get("note", "")),
    )


def _remote(said: Mapping[str, object]) -> str:
    return str(said.get("remote", "origin"))


def _branch(said: Mapping[str, object]) -> str:
    return str(said.get("branch", "main"))
