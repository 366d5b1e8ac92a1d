"""The operator's file: what it may say, what holds without it, and how it is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.core.spec import Limits, Location, Schedule
from reconciler.errors import InputError
from reconciler.sinks import BUILT_IN
from reconciler.source.config import (
    Config,
    Hooks,
    LockConfig,
    Notify,
    SinkConfig,
    default_config,
    load_config,
)

HEAD = "apiVersion: netbird-tokens/v1\nkind: Config\n"
TYPES = ", ".join(BUILT_IN)
LOCAL = {"path": "secrets", "format": "raw", "strict": False}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("ops/netbird-tokens.yaml")


def config(path: Path, text: str) -> Config:
    path.parent.mkdir(exist_ok=True)
    path.write_text(HEAD + text)
    return load_config(path)


def test_everything_that_a_config_may_say(path: Path) -> None:
    loaded = config(
        path,
        """\
management_url: https://netbird.example/management
allow_http: true
verify: true
live_name: "{set}/{name}"
sinks:
  local: {type: file, path: /var/lib/secrets, format: dotenv, strict: true}
  other: {type: file, path: s}
lock: {type: file, path: lock}
guards: {max_revokes: {count: 7, percent: 50}, max_renewals: 20}
hooks:
  deploy: [[systemctl, reload, runner], [./b]]
  failure: [[./page.sh, netbird tokens]]
audit_log: audit.ndjson
notify: {url_env: HOOK, format: slack, state: told.json}
""",
    )
    assert loaded == Config(
        base=Path("ops"),
        path=path,
        management_url="https://netbird.example/management",
        allow_http=True,
        verify=True,
        live_name="{set}/{name}",
        sinks={
            "local": SinkConfig(
                "local",
                "file",
                {"path": "/var/lib/secrets", "format": "dotenv", "strict": True},
                Location(str(path), 8, 10),
            ),
            "other": SinkConfig(
                "other", "file", {**LOCAL, "path": "s"}, Location(str(path), 9, 10)
            ),
        },
        lock=LockConfig("file", {"path": "lock"}, Location(str(path), 10, 7)),
        limits=Limits(7, 50),
        schedule=Schedule(timedelta(days=1), max_renewals=20),
        hooks=Hooks(
            deploy=(("systemctl", "reload", "runner"), ("./b",)),
            failure=(("./page.sh", "netbird tokens"),),
        ),
        audit_log=Path("audit.ndjson"),
        notify=Notify(None, "HOOK", "slack", Path("told.json")),
    )


def test_an_empty_config_is_the_built_in_one(path: Path) -> None:
    loaded, built_in = config(path, ""), default_config(Path("ops"))
    assert (loaded.path, built_in.path) == (path, None)
    assert loaded.sinks == built_in.sinks
    assert dict(built_in.sinks["local"].options) == LOCAL
    assert (built_in.base, built_in.limits, built_in.live_name) == (
        Path("ops"),
        Limits(5, 25),
        "{name}",
    )
    assert (built_in.management_url, built_in.lock, built_in.hooks) == (None, None, Hooks())


def test_limits_may_be_given_in_part(path: Path) -> None:
    assert config(path, "guards: {max_revokes: {percent: 10}}").limits == Limits(5, 10)


def test_an_http_lock(path: Path) -> None:
    lock = config(
        path, "lock: {type: http, url: https://x.example/lock?id=1, lock_method: POST}"
    ).lock
    assert lock is not None
    assert lock.type == "http"
    assert dict(lock.options) == {
        "url": "https://x.example/lock?id=1",
        "lock_method": "POST",
        "unlock_method": "UNLOCK",
        "gitlab_job_token": False,
    }


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        ("sinks: {}", 'error NB107 "sinks" must be a mapping of names to sinks, at least one'),
        ("sinks: {a: file}", 'error NB106 "a" must be a mapping with a type, not the text "file"'),
        ("sinks: {a: {path: x}}", 'error NB105 the key "type" is missing'),
        ("sinks: {a: {type: file}}", 'error NB105 the key "path" is missing'),
        ("sinks: {a: {type: attic}}", f'error NB107 "type" must be one of {TYPES}, not "attic"'),
        (
            "sinks: {a: {type: flie, path: x}}",
            f'error NB107 "type" must be one of {TYPES}, not "flie"; did you mean "file"?',
        ),
        (
            "sinks: {a: {type: file, paht: x}}",
            'error NB104 unknown key "paht"; did you mean "path"?',
        ),
        (
            "sinks: {a: {type: file, path: x, strict: no}}",
            'error NB106 "strict" must be true or false, not the text "no"',
        ),
        (
            "sinks: {A b: {type: file, path: x}}",
            'error NB107 "A b" must be a name of lower-case letters, digits and dashes',
        ),
        (
            "live_name: '{set}'",
            'error NB107 "live_name" must be text with {name}, no other braces than {name} and'
            ' {set}, and no control character, not "{set}"',
        ),
        (
            "live_name: '{name}{user}'",
            'error NB107 "live_name" must be text with {name}, no other braces than {name} and'
            ' {set}, and no control character, not "{name}{user}"',
        ),
        (
            "management_url: netbird.example",
            'error NB107 "management_url" must be a URL such as https://api.netbird.io, without user'
            ' name, query or fragment, not "netbird.example"',
        ),
        ("lock: {type: file}", 'error NB105 the key "path" is missing'),
        (
            "lock: {type: http, url: ftp://x}",
            'error NB107 "url" must be a URL without user name, not "ftp://x"',
        ),
        (
            "hooks: {deploy: reload}",
            'error NB106 "deploy" must be a list of commands, each a list of words, not the text "reload"',
        ),
        (
            "hooks: {deploy: [reload]}",
            'error NB106 an entry of "deploy" must be a command as a list of words, such as'
            ' [systemctl, reload, runner], not the text "reload"',
        ),
        (
            "guards: {max_renewals: 0}",
            'error NB107 "max_renewals" must be a whole number, 1 or more, not 0',
        ),
        ("tokens: []", 'error NB104 unknown key "tokens"'),
        (
            'schedule: {every: "6h\\n"}',
            'error NB107 "every" must be a number of hours or days, such as 6h or 1d, not "6h\\n"',
        ),
        (
            'sinks: {a: {type: file, path: "s\\n"}}',
            'error NB107 "path" must be a path without control characters, not "s\\n"',
        ),
        (
            'sinks: {"a\\n": {type: file, path: s}}',
            'error NB107 "a\\n" must be a name of lower-case letters, digits and dashes',
        ),
        (
            'hooks: {deploy: [["a\\0"]]}',
            'error NB107 an entry of an entry of "deploy" must be text without a NUL byte, not "a\\u0000"',
        ),
    ],
)
def test_what_a_config_may_not_say(path: Path, text: str, headline: str) -> None:
    with pytest.raises(InputError) as caught:
        config(path, text)
    shown = [str(problem).splitlines()[0].split("  ", 1)[1] for problem in caught.value.problems]
    assert headline in shown


def test_a_token_file_is_no_config(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("apiVersion: netbird-tokens/v1\nkind: TokenSet\nname: a\ntokens: []\n")
    with pytest.raises(InputError) as caught:
        load_config(path)
    assert [str(problem) for problem in caught.value.problems] == [
        'ops/netbird-tokens.yaml:2:7  error NB113 "kind" must be Config, not "TokenSet"\n'
        "    2 | kind: TokenSet\n"
        "      |       ^^^^^^^^\n"
        "   fix: name the config with --config, and the token file without a flag"
        "   more: netbird-tokens explain NB113"
    ]
