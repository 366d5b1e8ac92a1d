"""What a token file means: defaults, overrides, places, several files, limits."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType, FunctionType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loading import HEAD, KEYS, TODAY, Load
from staging import Stage

from reconciler.core.receipts import Place, SetName, SinkName
from reconciler.core.secret import checksum
from reconciler.core.spec import (
    ExpiresIn,
    ExpiresOn,
    Limits,
    Location,
    Retire,
    TokenSpec,
    Tombstone,
    UnmanagedAction,
    UnmanagedPolicy,
)
from reconciler.core.tokens import TokenId, UserId
from reconciler.errors import ExitCode, InputError
from reconciler.source.build import Loaded, load_set
from reconciler.source.config import Config, default_config
from reconciler.source.guess import closest
from reconciler.source.problems import MOST_SHOWN, Problem, told

DESIGN_EXAMPLE = """\
# yaml-language-server: $schema=../schemas/tokenset.v1.schema.json
apiVersion: netbird-tokens/v1
kind: TokenSet
name: platform                 # lower-case letters, digits, dashes
defaults:                      # every field of a token except name; a token overrides each
  user: ci-bot                 # user id, or the unique name of a service user
  expires_in: 90               # whole days 1..365; 90 when left out
  renew_before: 33%            # of the lifetime, or days
  overlap: 7                   # days both old and new work
  retire: when-unused          # when-unused (default) | after-overlap | at-expiry
  sinks: [local]               # names from the config; [local] when left out
tokens:
  - name: CI/CD Token
    expires_in: 365
  - name: terraform
    sinks: [vault, {sink: github, key: NB_PAT}]
    protect: true              # outlives the removal of this entry: two-step removal
    rotation: 2                # raise by one to rotate in a reviewed commit
    previously: [tf-provider]  # rename without an outage
  - name: contractor-audit
    expires_on: 2026-12-31     # last day; never extended past it
  - name: legacy-deploy
    adopt: true                # keep the live token of this name until it must be renewed
  - name: testing
    expires_in: 7
    renew: false               # let it expire
  - name: old-monitoring
    state: absent              # must not exist
    reason: replaced by CI/CD Token
unmanaged: {action: warn, ignore: ["laptop-*"]}   # ignore | warn (default) | revoke
guards: {max_revokes: {count: 3, percent: 25}}    # may only tighten the config's
"""


def spec(load: Load, fields: str, defaults: str = "") -> TokenSpec:
    head = f"defaults: {{{defaults}}}\n" if defaults else ""
    return load(f"{head}tokens: [{{name: a, {fields}}}]").token_set.specs[0]


def headlines(caught: pytest.ExceptionInfo[InputError]) -> list[str]:
    return [str(problem).splitlines()[0] for problem in caught.value.problems]


def outcome(file: Path) -> Loaded | InputError:
    try:
        return load_set([file], default_config(file.parent), KEYS, TODAY)
    except InputError as error:
        return error


def place(sink: str, key: str) -> Place:
    return Place(SinkName(sink), key)


def test_the_example_of_the_design_loads(load: Load) -> None:
    loaded = load(DESIGN_EXAMPLE.encode())
    assert loaded.warnings == ()
    token_set = loaded.token_set
    common = {
        "set": SetName("platform"),
        "user": UserId("ci-bot"),
        "renew_before": Fraction(33, 100),
    }
    assert token_set.specs == (
        TokenSpec(
            name="CI/CD Token",
            live_name="CI/CD Token",
            lifetime=ExpiresIn(365),
            places=(place("local", "platform/ci-cd-token"),),
            where=Location("t.yaml", 13, 5),
            **common,
        ),
        TokenSpec(
            name="terraform",
            live_name="terraform",
            lifetime=ExpiresIn(90),
            places=(place("vault", "platform/terraform"), place("github", "NB_PAT")),
            where=Location("t.yaml", 15, 5),
            protect=True,
            rotation=2,
            previously=("tf-provider",),
            **common,
        ),
        TokenSpec(
            name="contractor-audit",
            live_name="contractor-audit",
            lifetime=ExpiresOn(date(2026, 12, 31)),
            places=(place("local", "platform/contractor-audit"),),
            where=Location("t.yaml", 20, 5),
            **common,
        ),
        TokenSpec(
            name="legacy-deploy",
            live_name="legacy-deploy",
            lifetime=ExpiresIn(90),
            places=(place("local", "platform/legacy-deploy"),),
            where=Location("t.yaml", 22, 5),
            adopt=True,
            **common,
        ),
        TokenSpec(
            name="testing",
            live_name="testing",
            lifetime=ExpiresIn(7),
            places=(place("local", "platform/testing"),),
            where=Location("t.yaml", 24, 5),
            renew=False,
            **common,
        ),
    )
    assert token_set.tombstones == (
        Tombstone(
            set=SetName("platform"),
            name="old-monitoring",
            user=UserId("ci-bot"),
            live_name="old-monitoring",
            reason="replaced by CI/CD Token",
            where=Location("t.yaml", 27, 5),
        ),
    )
    assert token_set.unmanaged == UnmanagedPolicy(UnmanagedAction.WARN, ("laptop-*",))
    assert token_set.limits == Limits(3, 25)


def test_a_name_is_enough(load: Load) -> None:
    token_set = load("tokens: [{name: a}]").token_set
    assert token_set.specs == (
        TokenSpec(
            set=SetName("platform"),
            name="a",
            user=UserId("current"),
            live_name="a",
            lifetime=ExpiresIn(90),
            places=(place("local", "platform/a"),),
            where=Location("t.yaml", 4, 10),
        ),
    )
    assert (token_set.unmanaged, token_set.limits) == (UnmanagedPolicy(), Limits())


@pytest.mark.parametrize(
    ("defaults", "own", "field", "value"),
    [
        ("user: ci", "", "user", "ci"),
        ("user: ci", "user: root", "user", "root"),
        ("expires_in: 30", "", "lifetime", ExpiresIn(30)),
        ("expires_in: 30", "expires_in: 7", "lifetime", ExpiresIn(7)),
        ("expires_in: 30", "expires_on: 2026-12-31", "lifetime", ExpiresOn(date(2026, 12, 31))),
        ("expires_on: 2026-12-31", "", "lifetime", ExpiresOn(date(2026, 12, 31))),
        ("expires_on: 2026-12-31", "expires_in: 7", "lifetime", ExpiresIn(7)),
        ("renew_before: 10", "", "renew_before", 10),
        ("renew_before: 10", "renew_before: 50%", "renew_before", Fraction(1, 2)),
        ("renew_before: 10", "renew_before: null", "renew_before", None),
        ("overlap: 1", "", "overlap_days", 1),
        ("overlap: 1", "overlap: 0", "overlap_days", 0),
        ("retire: at-expiry", "", "retire", Retire.AT_EXPIRY),
        ("retire: at-expiry", "retire: after-overlap", "retire", Retire.AFTER_OVERLAP),
        ("protect: true", "", "protect", True),
        ("protect: true", "protect: false", "protect", False),
        ("rotation: 3", "", "rotation", 3),
        ("rotation: 3", "rotation: 0", "rotation", 0),
        ("renew: false", "", "renew", False),
        ("renew: false", "renew: true", "renew", True),
        ("sinks: [vault]", "", "places", (place("vault", "platform/a"),)),
        ("sinks: [vault]", "sinks: [github]", "places", (place("github", "PLATFORM_A"),)),
    ],
)
def test_a_token_overrides_its_defaults(
    load: Load, defaults: str, own: str, field: str, value: object
) -> None:
    assert getattr(spec(load, own, defaults), field) == value


@pytest.mark.parametrize(
    ("written", "adopt"),
    [
        ("true", True),
        ("false", False),
        ("d1q2k3c6n88s73f0q1g0", TokenId("d1q2k3c6n88s73f0q1g0")),
        ('"00000000000000000000"', TokenId("00000000000000000000")),
    ],
)
def test_adopt_takes_a_yes_or_an_id(load: Load, written: str, adopt: object) -> None:
    assert spec(load, f"adopt: {written}").adopt == adopt


@pytest.mark.parametrize("days", [1, 365])
def test_lifetimes_at_the_limits(load: Load, days: int) -> None:
    assert spec(load, f"expires_in: {days}").lifetime == ExpiresIn(days)


def test_tokens_may_share_a_name_if_their_users_differ(load: Load) -> None:
    text = "tokens:\n  - {name: a, user: x}\n  - {name: a, user: y, sinks: [vault]}\n"
    assert [spec.user for spec in load(text).token_set.specs] == ["x", "y"]


def test_aliases_and_merges_work_as_people_expect(load: Load) -> None:
    text = "tokens:\n  - &a {name: a, user: ci, sinks: [local]}\n  - {<<: *a, name: b}\n"
    specs = load(text).token_set.specs
    assert [(spec.name, spec.user, spec.where.line) for spec in specs] == [
        ("a", "ci", 5),
        ("b", "ci", 6),
    ]


def test_live_names_are_decorated(load: Load, tmp_path: Path, config: Config) -> None:
    load("tokens: [{name: '{set} a'}, {name: b, state: absent, reason: gone}]")
    decorated = replace(config, live_name="{set}/{name}")
    token_set = load_set([tmp_path / "t.yaml"], decorated, KEYS, TODAY).token_set
    assert [spec.live_name for spec in token_set.specs] == ["platform/{set} a"]
    assert [stone.live_name for stone in token_set.tombstones] == ["platform/b"]


def test_live_names_that_are_too_long(load: Load, tmp_path: Path, config: Config) -> None:
    name = "n" * 250
    load(f"tokens: [{{name: {name}}}]")
    with pytest.raises(InputError) as caught:
        load_set([tmp_path / "t.yaml"], replace(config, live_name="{set}/{name}"), KEYS, TODAY)
    assert "NB212" in headlines(caught)[0]
    assert "259 characters" in headlines(caught)[0]


@pytest.mark.parametrize(
    ("configured", "guards", "effective", "warnings"),
    [
        (Limits(5, 25), "{}", Limits(5, 25), 0),
        (Limits(5, 25), "{max_revokes: {count: 2}}", Limits(2, 25), 0),
        (Limits(5, 25), "{max_revokes: {percent: 10}}", Limits(5, 10), 0),
        (Limits(5, 25), "{max_revokes: {count: 5, percent: 25}}", Limits(5, 25), 0),
        (Limits(5, 25), "{max_revokes: {count: 9, percent: 10}}", Limits(5, 10), 1),
        (Limits(1, 1), "{max_revokes: {count: 9, percent: 10}}", Limits(1, 1), 2),
    ],
)
def test_guards_only_tighten(
    load: Load,
    tmp_path: Path,
    config: Config,
    configured: Limits,
    guards: str,
    effective: Limits,
    warnings: int,
) -> None:
    Path(tmp_path / "t.yaml").write_text(f"{HEAD}tokens: [{{name: a}}]\nguards: {guards}\n")
    loaded = load_set([tmp_path / "t.yaml"], replace(config, limits=configured), KEYS, TODAY)
    assert loaded.token_set.limits == effective
    assert [warning.code for warning in loaded.warnings] == ["NB252"] * warnings


def test_a_folder_is_one_set(load_paths: Load, tmp_path: Path) -> None:
    folder = tmp_path / "tokens"
    folder.mkdir()
    guards = "guards: {max_revokes: {count: 2}}\n"
    (folder / "b.yml").write_text(f"{HEAD}defaults: {{user: b}}\ntokens: [{{name: b}}]\n{guards}")
    (folder / "a.yaml").write_text(f"{HEAD}tokens: [{{name: a}}]\n{guards}")
    (folder / ".hidden.yaml").write_text("not a set")
    (folder / "README.md").write_text("not a set")
    token_set = load_paths("tokens").token_set
    assert [(spec.name, spec.user) for spec in token_set.specs] == [("a", "current"), ("b", "b")]
    assert str(token_set.specs[0].where) == "tokens/a.yaml:4"
    assert token_set.limits == Limits(2, 25)
    assert load_paths("tokens", "tokens/a.yaml").token_set == token_set


def test_files_of_a_folder_must_agree(load_paths: Load, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{HEAD}tokens: [{{name: a}}]\nunmanaged: {{action: warn}}\n")
    other = HEAD.replace("platform", "plattform")
    (tmp_path / "b.yaml").write_text(
        f"{other}tokens: [{{name: a}}]\nunmanaged: {{action: revoke}}\n"
    )
    (tmp_path / "c.yaml").write_text("apiVersion: netbird-tokens/v1\nkind: Config\n")
    with pytest.raises(InputError) as caught:
        load_paths(".")
    assert headlines(caught) == [
        'b.yaml:3:7  error NB209 this file is of the set "plattform", but a.yaml is of "platform"',
        'b.yaml:4:17  error NB201 user "current" has two entries of this name, the first is "a" in a.yaml:4',
        'b.yaml:5:1  error NB209 "unmanaged" says something else than in a.yaml:5',
        'c.yaml:2:7  error NB113 "kind" must be TokenSet, not "Config"',
    ]


def test_places_of_different_files_clash(load_paths: Load, tmp_path: Path) -> None:
    for name in ("a", "b"):
        entry = f"{{name: {name}, sinks: [{{sink: github, key: PAT}}]}}"
        (tmp_path / f"{name}.yaml").write_text(f"{HEAD}tokens: [{entry}]\n")
    with pytest.raises(InputError) as caught:
        load_paths(".")
    assert headlines(caught) == [
        'b.yaml:4:48  error NB202 "github:PAT" is already the place of "a" at a.yaml:4:48'
    ]


def test_nothing_to_read_is_an_error(load_paths: Load, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError) as caught:
        load_paths("empty", "missing.yaml")
    assert headlines(caught) == [
        "empty:1:1  error NB111 the folder holds no *.yaml or *.yml file",
        "missing.yaml:1:1  error NB100 cannot read the file: No such file or directory",
    ]
    assert caught.value.exit_code is ExitCode.USAGE
    with pytest.raises(InputError, match="1 problem in the input"):
        load_paths()


def test_a_folder_link_that_leads_elsewhere(
    load_paths: Load, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (tmp_path / "tokens").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(InputError) as caught:
        load_paths("tokens", "loop.yaml")
    assert [line.split("  ")[1] for line in headlines(caught)] == [
        "error NB100 cannot read the file: Too many levels of symbolic links",
        "error NB100 this link leads out of its folder",
    ]


def test_entries_of_a_user_that_is_refused_are_not_compared(load: Load) -> None:
    with pytest.raises(InputError) as caught:
        load("defaults: {user: 1}\ntokens: [{name: a}, {name: a, sinks: [vault]}]\n")
    assert [line.split()[2] for line in headlines(caught)] == ["NB106"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(load_paths: Load, tmp_path: Path) -> None:
    (tmp_path / "tokens").mkdir(mode=0o000)
    with pytest.raises(InputError) as caught:
        load_paths("tokens")
    assert headlines(caught) == [
        "tokens:1:1  error NB100 cannot read the folder: Permission denied"
    ]


def test_a_pasted_token_is_found_and_never_shown(load: Load) -> None:
    body = "0123456789abcdefghijABCDEFGHIJ"
    token = f"nbp_{body}{checksum(body)}"
    text = f"# {token} and {token}\ntokens:\n  - {{name: {token}, retire: {token}}}\n"
    with pytest.raises(InputError) as caught:
        load(text)
    shown = "\n".join(map(str, caught.value.problems)) + repr(caught.value.problems)
    assert body[:8] not in shown
    assert shown.count("error NB120 a real NetBird token stands in the file") == 4
    assert "    4 | # nbp_************************************ and nbp_" in shown


def test_what_only_looks_like_a_token_is_no_token(load: Load) -> None:
    name = "nbp_" + "a" * 36
    assert load(f"tokens: [{{name: {name}}}]").token_set.specs[0].name == name


def test_nothing_in_a_problem_can_steer_a_terminal(load_paths: Load, tmp_path: Path) -> None:
    name = "x\x1b[31m.yaml"
    (tmp_path / name).write_text(f'{HEAD}tokens: [{{"k\\e[0m": 1, name: "a\u202eb"}}]\n')
    with pytest.raises(InputError) as caught:
        load_paths(name)
    shown = "".join(map(str, caught.value.problems))
    assert shown.replace("\n", "").isprintable()


@settings(max_examples=150, deadline=None, database=None)
@given(
    start=st.integers(0, len(DESIGN_EXAMPLE)), length=st.integers(0, 40), put=st.text(max_size=8)
)
def test_a_damaged_file_loads_or_says_why(start: int, length: int, put: str) -> None:
    damaged = DESIGN_EXAMPLE[:start] + put + DESIGN_EXAMPLE[start + length :]
    with TemporaryDirectory() as folder:
        file = Path(folder) / "t.yaml"
        file.write_bytes(damaged.encode())
        result = outcome(file)
        if isinstance(result, InputError):
            assert result.problems
            assert all(str(problem).startswith(str(file)) for problem in result.problems)
        else:
            assert result.token_set.specs or result.token_set.tombstones


@pytest.mark.parametrize(
    ("key", "likely"),
    [("expires", "expires_in"), ("Sinks", "sinks"), ("renewbefore", "renew_before")],
)
def test_a_misspelled_key_is_recognised(load: Load, key: str, likely: str) -> None:
    with pytest.raises(InputError) as caught:
        load(f"tokens: [{{name: a, {key}: 1}}]")
    assert headlines(caught)[0].endswith(f'unknown key "{key}"; did you mean "{likely}"?')


def test_a_set_without_a_name_has_no_other_problem(load: Load) -> None:
    with pytest.raises(InputError) as caught:
        load(HEAD.replace("name: platform\n", "").encode() + b"tokens: [{name: a}]\n")
    assert headlines(caught) == ['t.yaml:1:1  error NB105 the key "name" is missing']


def test_defaults_cannot_multiply_places_without_end(load: Load) -> None:
    sinks, names = ", ".join(["local"] * 1000), ", ".join(f"{{name: a{n}}}" for n in range(600))
    with pytest.raises(InputError) as caught:
        load(f"defaults: {{sinks: [{sinks}]}}\ntokens: [{names}]\n")
    assert [line.split("NB")[1] for line in headlines(caught)] == [
        "108 up to here the set asks for more than 500,000 places of secrets"
    ]


def test_names_of_many_kinds_are_compared_in_one_pass(load: Load) -> None:
    names = ", ".join(f"n{number}" for number in range(50_000))
    with pytest.raises(InputError) as caught:
        load(f"tokens: [{{name: a, previously: [1, {names}]}}]\n")
    assert [line.split("NB")[1][:3] for line in headlines(caught)] == ["106"]
    with pytest.raises(InputError) as caught:
        load("tokens: [{name: a, previously: [b, c, b]}]\n")
    assert "must be a list of names, each once" in headlines(caught)[0]


def test_no_absurd_number_is_proposed(load: Load) -> None:
    with pytest.raises(InputError) as caught:
        load("tokens: [{name: a}]\nguards: {max_revokes: {count: 1e300, percent: 1e1}}\n")
    fixes = [str(problem).splitlines()[-1].split("   ")[1] for problem in caught.value.problems]
    assert fixes == ["fix: for example count: 3", "fix: write 10"]


def wrong_keys(load: Load, count: int) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        load("tokens: [{name: a}]\n" + "".join(f"defualts{number}: 1\n" for number in range(count)))
    return caught.value.problems


@contextmanager
def calls(function: FunctionType) -> Iterator[list[None]]:
    """Grows by one with each call of the function."""
    seen: list[None] = []

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code is function.__code__:
            seen.append(None)

    sys.setprofile(watch)
    try:
        yield seen
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("count", [51, 2000])
def test_of_many_problems_the_first_are_told_and_the_rest_counted(load: Load, count: int) -> None:
    with calls(closest) as guesses:
        problems = wrong_keys(load, count)
        shown = list(told(problems))
    assert (len(problems), len(shown), len(guesses)) == (count, MOST_SHOWN + 1, MOST_SHOWN)
    assert 'unknown key "defualts49"; did you mean "defaults"?' in shown[-2]
    left = count - MOST_SHOWN
    assert shown[-1] == f"and {left} more problem{'s' if left > 1 else ''} in t.yaml"


def test_as_many_problems_as_are_told_are_all(load: Load) -> None:
    assert list(told(wrong_keys(load, MOST_SHOWN))) == list(map(str, wrong_keys(load, MOST_SHOWN)))


def test_no_error_hides_behind_warnings(load: Load) -> None:
    past = "".join(f"  - {{name: t{number}, expires_on: 2020-01-01}}\n" for number in range(80))
    with pytest.raises(InputError) as caught:
        load(f"tokens:\n{past}  - {{name: a, expires_in: 0}}\n")
    *shown, error, rest = told(caught.value.problems)
    assert ("NB107" in error, rest) == (True, "and 31 more problems in t.yaml")
    assert ["NB250" in each for each in shown] == [True] * (MOST_SHOWN - 1)


def test_each_file_has_its_own_first_problems(load_paths: Load) -> None:
    wrong = HEAD + "tokens: [{name: %s}]\n" + "".join(f"k{number}: 1\n" for number in range(60))
    for name in ("a", "b"):
        Path(f"{name}.yaml").write_text(wrong % name, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_paths(".")
    rest = [each for each in told(caught.value.problems) if each.startswith("and ")]
    assert rest == ["and 10 more problems in a.yaml", "and 10 more problems in b.yaml"]


def test_every_command_tells_the_first_problems_and_counts_all(stage: Stage) -> None:
    stage.tokens_file(*(f"{{name: n{number}, nmae{number}: 1}}" for number in range(60)))
    rest = "and 10 more problems in tokens.yaml"
    for command in ("validate", "plan"):
        ran = stage.run(command)
        assert (ran.code, ran.err.splitlines()[-3:]) == (3, [rest, "", "60 problems in the input"])
    assert f"    {rest}\n" in stage.run("doctor").out
    ran = stage.run("apply", "--yes", "--format", "json")
    assert (ran.code, json.loads(ran.out)["stopped"]["problems"][MOST_SHOWN:]) == (3, [rest])


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ('name: "a\\n"', "name"),
        ('name: a, user: "ci\\n"', "user"),
        ('name: a, adopt: "d1q2k3c6n88s73f0q1g0\\n"', "adopt"),
        ('name: a, renew_before: "33%\\n"', "renew_before"),
        ('name: a, expires_on: "2026-12-31\\n"', "expires_on"),
        ('name: a, previously: ["b\\n"]', "previously"),
    ],
)
def test_a_newline_at_the_end_is_part_of_the_value(load: Load, written: str, field: str) -> None:
    with pytest.raises(InputError) as caught:
        load(f"tokens: [{{{written}}}]\n")
    assert f'"{field}" must be' in headlines(caught)[0]


def test_a_set_name_and_a_pattern_of_names_end_with_no_newline(load: Load) -> None:
    with pytest.raises(InputError) as caught:
        load(HEAD.replace("platform", '"platform\\n"').encode() + b"tokens: [{name: a}]\n")
    assert [line.split()[2] for line in headlines(caught)] == ["NB107"]
    with pytest.raises(InputError) as caught:
        load("tokens: [{name: a}]\nunmanaged:\n  ignore:\n    - |\n      laptop-*\n")
    assert 'must be text such as laptop-*, not "laptop-*\\n"' in headlines(caught)[0]


def test_a_value_that_is_refused_does_not_hide_other_problems(load: Load) -> None:
    with pytest.raises(InputError) as caught:
        load("tokens:\n  - {name: a, expires_in: 0, renew_before: 400, sinks: [loca], usr: x}\n")
    assert [line.split()[2] for line in headlines(caught)] == ["NB107", "NB107", "NB203", "NB104"]


def test_warnings_come_with_the_errors(load: Load) -> None:
    with pytest.raises(InputError) as caught:
        load("tokens:\n  - {name: a, expires_on: 2020-01-01}\n  - {name: a}\n")
    assert [line.split()[1] for line in headlines(caught)] == ["warning", "error"]
